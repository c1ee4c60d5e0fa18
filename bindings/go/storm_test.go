// Very many calls at once, cancelled at random: each has one end, and nothing is left behind.

package bridge

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"snakepit.dev/bridge/internal/heaps"
)

const stormCalls = 10_000

// What a call may not leave behind. A little is there: tables grow, threads keep what they free.
const leakedBytes = 400

func TestTenThousandCallsCancelledAtRandom(t *testing.T) {
	platform, session := openedAs(t, 1, map[string]any{"queue_max": 2 * stormCalls})
	before := runtime.NumGoroutine()
	storm(t, session, stormCalls)
	goBefore, cBefore := heaps.InUse()
	storm(t, session, stormCalls)
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	if left := sinksOf(platform); left != 0 {
		t.Errorf("%d tags are left", left)
	}
	const kept = stormCalls * leakedBytes
	if inGo, inC := heaps.InUse(); inGo > goBefore+kept || inC > cBefore+kept {
		t.Errorf("in use in Go: %d bytes, then %d; in C: %d, then %d", goBefore, inGo, cBefore, inC)
	}
	info, err := session.Info()
	must(t, err)
	counts, err := As[struct {
		Running int `json:"operations_running"`
	}](info)
	if err != nil || counts.Running != 0 {
		t.Error(info, err)
	}
}

// storm makes so many calls at once; a third of them is cancelled at random, by their own context.
// What was not cancelled has its own result, and what was has one of the two ends.
func storm(t *testing.T, session *Session, calls int) {
	t.Helper()
	var results, cancels atomic.Int64
	var group sync.WaitGroup
	for index := range calls {
		group.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			call := python("echo_inline", map[string]any{"value": index})
			mayEnd := index%3 == 0
			if mayEnd {
				time.AfterFunc(time.Duration(rand.N(int64(time.Second))), cancel)
			}
			result, err := Run[int](ctx, session, call)
			switch {
			case err == nil && result == index:
				results.Add(1)
			case mayEnd && errors.Is(err, context.Canceled):
				cancels.Add(1)
			default:
				t.Errorf("call %d: %v %v", index, result, err)
			}
		})
	}
	group.Wait()
	if sum := results.Load() + cancels.Load(); sum != int64(calls) {
		t.Errorf("%d of %d calls came back", sum, calls)
	}
	t.Logf("%d results, %d cancelled", results.Load(), cancels.Load())
}

// Calls, streams, tools and watches leave no goroutine and no descriptor behind.
func TestNothingIsLeftBehind(t *testing.T) {
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	for range 2 {
		everything(t)
	}
	eventually(t, "no goroutine is left: "+stacks(), func() bool {
		return runtime.NumGoroutine() <= goroutines
	})
	eventually(t, "no descriptor is left", func() bool { return openDescriptors(t) <= descriptors })
}

// everything opens a platform, uses what there is and closes it.
func everything(t *testing.T) {
	platform, err := Open(configOf(t, 1, nil))
	must(t, err)
	defer func() { must(t, platform.Close()) }()
	session, err := platform.OpenSession(SessionOptions{})
	must(t, err)
	tool, err := RegisterTool(platform, Tool{Name: "twice"}, func(_ context.Context, in struct {
		Number int `json:"number"`
	}) (int, error) {
		return 2 * in.Number, nil
	})
	must(t, err)
	twice, err := ask[int](t, session, "twice", map[string]any{"number": 4})
	if err != nil || twice != 8 {
		t.Error(twice, err)
	}
	for chunk, err := range StreamAs[int](t.Context(), session, counting(1_000_000), nil) {
		must(t, err)
		if chunk == 3 {
			break
		}
	}
	watch, err := session.StartWatch(WatchOptions{})
	must(t, err)
	must(t, watch.Close())
	must(t, tool.Unregister(t.Context()))
	started, err := session.Start(t.Context(), python("sleep_until_cancelled", nil))
	must(t, err)
	started.Cancel()
	if _, err := started.Wait(t.Context()); !errors.Is(err, StatusCancelled) {
		t.Error(err)
	}
}

func stacks() string {
	dump := make([]byte, 1<<16)
	return string(dump[:runtime.Stack(dump, true)])
}

// sinksOf counts who still waits for events, but for tools and logs.
func sinksOf(platform *Platform) int {
	platform.pump.mutex.Lock()
	defer platform.pump.mutex.Unlock()
	return len(platform.pump.sinks)
}

// statusNumber reads a line of /proc/PID/status.
func statusNumber(t testing.TB, pid int, key string, base int) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, key); is {
			number, err := strconv.ParseUint(strings.Fields(rest)[0], base, 64)
			must(t, err)
			return number
		}
	}
	t.Fatalf("no %s in /proc/%d/status", key, pid)
	return 0
}

// workerPIDs are the processes that serve a pool now.
func workerPIDs(t testing.TB, platform *Platform) (found []int) {
	t.Helper()
	pool, err := platform.Pool("")
	must(t, err)
	stats, err := pool.Stats()
	must(t, err)
	var counts struct{ Workers []struct{ PID int } }
	must(t, stats.Into(&counts))
	for _, each := range counts.Workers {
		if each.PID > 0 {
			found = append(found, each.PID)
		}
	}
	return found
}
