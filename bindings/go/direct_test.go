// Calls that wait in C for their own ends: few of them do, and they end as all others.

package bridge

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"
)

func TestLoneCallsWaitInC(t *testing.T) {
	platform, session := opened(t)
	before := tagsOf(platform)
	for number := range 50 {
		result, err := Run[int](t.Context(), session, echo(number))
		if err != nil || result != number {
			t.Fatal(result, err)
		}
	}
	if after := tagsOf(platform); after != before {
		t.Errorf("%d lone calls had their ends from the pump", after-before)
	}
	if taken := platform.places.taken.Load(); taken != 0 {
		t.Errorf("%d places are taken", taken)
	}
}

// Of many calls all but a few wait in Go, where they need no thread.
func TestManyCallsNeedNoThreads(t *testing.T) {
	const calls = 200
	platform, session := opened(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before, tags := threads(t), tagsOf(platform)
	var group sync.WaitGroup
	for range calls {
		group.Go(func() {
			_, err := session.Execute(ctx, python("sleep_until_cancelled", nil))
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	eventually(t, "all calls are under way", func() bool { return underWay(t, session) == calls })
	if more := threads(t) - before; more > 32 {
		t.Errorf("%d calls have %d threads", calls, more)
	}
	if byPump := tagsOf(platform) - tags; byPump != calls-placesMax {
		t.Errorf("%d of %d calls wait for the pump", byPump, calls)
	}
	cancel()
	group.Wait()
	if taken, left := platform.places.taken.Load(), sinksOf(platform); taken != 0 || left != 0 {
		t.Errorf("%d places are taken, %d tags are left", taken, left)
	}
}

func TestDirectWaitsEndWithTheirContext(t *testing.T) {
	platform, session := opened(t)
	tags := tagsOf(platform)
	sleep := python("sleep_until_cancelled", nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := session.Execute(ctx, sleep)
		ended <- err
	}()
	eventually(t, "it is under way", func() bool { return underWay(t, session) == 1 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || !errors.Is(err, StatusCancelled) {
		t.Error(err)
	}
	if _, err := session.Execute(ctx, sleep); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	late, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	_, err := session.Execute(late, sleep)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, StatusDeadline) {
		t.Error(err)
	}
	limited := sleep
	limited.Timeout = 20 * time.Millisecond
	if _, err := session.Execute(context.Background(), limited); !errors.Is(err, StatusDeadline) {
		t.Error(err)
	}
	if byPump := tagsOf(platform) - tags; byPump != 0 {
		t.Errorf("%d calls waited for the pump", byPump)
	}
	if result, err := Run[int](t.Context(), session, echo(7)); err != nil || result != 7 {
		t.Error(result, err)
	}
}

func TestClosingEndsDirectWaits(t *testing.T) {
	platform, session := opened(t)
	ended := make(chan error, 1)
	go func() {
		_, err := session.Execute(context.Background(), python("sleep_until_cancelled", nil))
		ended <- err
	}()
	eventually(t, "it is under way", func() bool { return underWay(t, session) == 1 })
	if taken := platform.places.taken.Load(); taken != 1 {
		t.Errorf("%d places are taken", taken)
	}
	must(t, platform.Shutdown(t.Context(), time.Millisecond))
	if err := <-ended; !errors.Is(err, StatusCancelled) && !errors.Is(err, StatusClosed) {
		t.Error(err)
	}
	var group sync.WaitGroup
	for range 2 * placesMax {
		group.Go(func() {
			if _, err := session.Execute(t.Context(), echo(1)); !errors.Is(err, StatusClosed) {
				t.Error(err)
			}
			_, err := RunTool[int](t.Context(), session, ToolCall{Name: "x"})
			if !errors.Is(err, StatusClosed) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if taken := platform.places.taken.Load(); taken != 0 {
		t.Errorf("%d places are taken", taken)
	}
}

// tagsOf counts who ever waited for events of the pump.
func tagsOf(platform *Platform) uint64 {
	platform.pump.mutex.Lock()
	defer platform.pump.mutex.Unlock()
	return platform.pump.next
}

// underWay counts the operations of a session.
func underWay(t testing.TB, session *Session) int {
	t.Helper()
	info, err := session.Info()
	must(t, err)
	counts, err := As[struct {
		Running int `json:"operations_running"`
	}](info)
	must(t, err)
	return counts.Running
}

func threads(t testing.TB) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	must(t, err)
	return len(tasks)
}
