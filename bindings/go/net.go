// Nets under what a program has to close: what was forgotten is freed when the collector finds it,
// and told to slog, once per kind. Knows nothing of what is freed.

package bridge

import (
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
)

// net is under one handle. Its owner refers to it; it must not refer to its owner.
type net struct {
	what string
	// within, or nil: what ends this one, too, when it is closed.
	within *net
	free   func()
	folded atomic.Bool
}

// spread puts a net under owner. free must not refer to owner.
func spread[T any](owner *T, within *net, what string, free func()) *net {
	made := &net{what: what, within: within, free: free}
	runtime.AddCleanup(owner, (*net).catch, made)
	return made
}

// fold says that the owner was closed as it should be; false if it was before.
func (n *net) fold() bool { return n.folded.CompareAndSwap(false, true) }

func (n *net) catch() {
	n.free()
	for each := n; each != nil; each = each.within {
		if each.folded.Load() {
			return
		}
	}
	if _, again := told.LoadOrStore(n.what, true); !again {
		slog.Warn("snakepit_bridge: " + n.what + "; its handle was freed (this is told once)")
	}
}

// told is what was told already.
var told sync.Map
