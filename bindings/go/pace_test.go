// How many goroutines wait for calls of tools, and that calls find one whatever the others do.

package bridge

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

func TestShortCallsOneByOneNeedOneWaiting(t *testing.T) {
	var pace pace
	short := func() { pace.end(pace.begin(1), time.Microsecond) }
	if pace.wanted() != waitingMax {
		t.Error("one has to suffice before there was a call")
	}
	for range trustMax {
		short()
	}
	if pace.wanted() != 1 || !pace.isLone() {
		t.Error("two wait for calls that were all short")
	}
	pace.end(pace.begin(1), time.Second)
	if !pace.isLone() {
		t.Error("one long call among short ones counts")
	}
	for range trustMax / trustCost {
		pace.end(pace.begin(1), time.Second)
	}
	if pace.isLone() {
		t.Error("long calls do not count")
	}
	for range trustMax {
		short()
	}
	first := pace.begin(1)
	short()
	pace.end(first, time.Microsecond)
	if pace.isLone() {
		t.Error("calls at once do not count")
	}
	for range trustMax {
		short()
	}
	pace.begin(2)
	if pace.isLone() {
		t.Error("calls that come at once do not count")
	}
}

func TestTheClockLooksWhileCallsAreShort(t *testing.T) {
	var pace pace
	for range trustMax {
		pace.end(pace.begin(1), time.Microsecond)
	}
	pace.watch(func() {})
	defer pace.clock.Stop()
	if pace.look(true, false) {
		t.Error("a call that came since the last look is held to be long")
	}
	if !pace.look(true, false) || pace.isLone() {
		t.Error("a call that is found twice is held to be short")
	}
	if pace.look(false, false) || pace.isRunning {
		t.Error("it looks though enough wait")
	}
	for range trustMax {
		pace.end(pace.begin(1), time.Microsecond)
	}
	pace.watch(func() {})
	for looks := 0; pace.isRunning; looks++ {
		if pace.look(false, false) || looks > 2*quietMax {
			t.Fatalf("it looks for the %dth time though no call comes", looks)
		}
	}
	pace.watch(func() {})
	if pace.look(true, true) || pace.isRunning {
		t.Error("it looks though all is over")
	}
}

// One goroutine waits, and what it got is not short: others find another one.
func TestALongCallHoldsUpNoOther(t *testing.T) {
	platform, session := opened(t)
	open := make(chan struct{})
	waits := func(ctx context.Context, _ *Value) (string, error) {
		select {
		case <-open:
			return "opened", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	_, err := RegisterTool(platform, Tool{Name: "waits"}, waits)
	must(t, err)
	_, err = RegisterTool(platform, Tool{Name: "opens"}, func(context.Context, *Value) (any, error) {
		close(open)
		return nil, nil
	})
	must(t, err)
	_, err = RegisterTool(platform, Tool{Name: "same"}, unchanged)
	must(t, err)
	_, err = RegisterTool(platform, Tool{Name: "leaves"}, func(context.Context, *Value) (any, error) {
		runtime.Goexit()
		return nil, nil
	})
	must(t, err)
	call := func(ctx context.Context, name string) error {
		_, err := session.CallTool(ctx, ToolCall{Name: name})
		return err
	}

	shorten(t, platform, session)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- call(ctx, "waits") }()
	eventually(t, "a call runs", func() bool { return running(platform) > 0 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	eventually(t, "the tool has heard of its cancel", func() bool { return running(platform) == 0 })

	shorten(t, platform, session)
	go func() { ended <- call(t.Context(), "waits") }()
	must(t, call(t.Context(), "opens"))
	must(t, <-ended)

	quietly(t)
	shorten(t, platform, session)
	if err := call(t.Context(), "leaves"); !errors.Is(err, StatusToolFailed) {
		t.Error(err)
	}
	must(t, call(t.Context(), "same"))
}

// shorten makes short calls until only one goroutine waits for more.
func shorten(t *testing.T, platform *Platform, session *Session) {
	t.Helper()
	eventually(t, "one goroutine waits", func() bool {
		trust(platform)
		_, err := session.CallTool(t.Context(), ToolCall{Name: "same"})
		must(t, err)
		platform.servers.mutex.Lock()
		defer platform.servers.mutex.Unlock()
		return platform.servers.waiting == 1 && platform.servers.pace.isLone()
	})
	trust(platform)
}

// trust makes calls seem to be short, also where nothing is.
func trust(platform *Platform) {
	platform.servers.mutex.Lock()
	defer platform.servers.mutex.Unlock()
	platform.servers.pace.trust = trustMax
}

// running counts the calls of tools that run.
func running(platform *Platform) (count int) {
	platform.servers.mutex.Lock()
	defer platform.servers.mutex.Unlock()
	for _, each := range platform.servers.tools {
		each.mutex.Lock()
		count += len(each.contexts)
		each.mutex.Unlock()
	}
	return count
}
