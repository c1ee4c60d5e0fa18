// When a goroutine that is mostly in C lets Go's scheduler have its say. Knows nothing of what it
// does there.
//
// Go's monitor thread takes a goroutine for one that does not give way as long as the scheduler has
// not seen it for ten milliseconds, however often it goes into C and comes back. It then takes the
// processor from it at every look and looks every few microseconds, so that each return from C has
// to find another processor, and the thread competes with the workers.

package bridge

import (
	"runtime"
	"sync/atomic"
	"time"
)

// breath remembers when goroutines of one kind gave way.
type breath struct{ lastNS atomic.Int64 }

// take gives way, if that was not done lately. Its caller has nothing to do that is waited for.
func (b *breath) take() {
	now := int64(time.Since(started))
	last := b.lastNS.Load()
	if now-last > int64(breathEvery) && b.lastNS.CompareAndSwap(last, now) {
		runtime.Gosched()
	}
}

// started gives times a beginning.
var started = time.Now()

// breathEvery is well below the ten milliseconds of runtime.forcePreemptNS.
const breathEvery = 4 * time.Millisecond
