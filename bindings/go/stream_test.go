// Streams: who is slow holds Python back, who leaves cancels. Deadlines as Python sees them. Logs.

package bridge

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
)

// A consumer that takes nothing is not sent more than the window, however long it waits.
func TestASlowConsumerHoldsPythonBack(t *testing.T) {
	platform, session := opened(t)
	marks := make(chan struct{}, 1000)
	_, err := RegisterTool(platform, Tool{Name: "mark"}, func(context.Context, *Value) (any, error) {
		marks <- struct{}{}
		return nil, nil
	})
	must(t, err)
	const window = 8
	call := ToolCall{Name: "tick", Arguments: map[string]int{"to": 200}, StreamWindow: window}
	taken := 0
	for _, err := range session.StreamTool(t.Context(), call, nil) {
		must(t, err)
		if taken++; taken == 1 {
			// Calls of another session pass meanwhile, so it is the stream that waits.
			for range 50 {
				_, err := session.Execute(t.Context(), echo(1))
				must(t, err)
			}
			if ahead := len(marks); ahead > taken+window+2 {
				t.Errorf("Python is %d chunks ahead of a window of %d", ahead-taken, window)
			}
		}
	}
	if taken != 200 {
		t.Error(taken)
	}
}

func TestStreamsThatAreLeft(t *testing.T) {
	_, session := opened(t)
	left := func(leave func(int) bool) (taken int) {
		for chunk, err := range StreamAs[int](t.Context(), session, counting(math.MaxInt32), nil) {
			must(t, err)
			taken = chunk
			if leave(chunk) {
				return taken
			}
		}
		return taken
	}
	if taken := left(func(chunk int) bool { return chunk == 5 }); taken != 5 {
		t.Error(taken)
	}
	func() {
		defer func() {
			if recover() != "out" {
				t.Error("the loop's own panic was lost")
			}
		}()
		left(func(int) bool { panic("out") })
	}()
	info, err := session.Info()
	must(t, err)
	eventually(t, "every stream has ended", func() bool {
		info, err = session.Info()
		return err == nil && strings.Contains(info.String(), `"operations_running":0`)
	})
	var result map[string]int
	for _, err := range session.Stream(t.Context(), counting(3), &result) {
		must(t, err)
	}
	if result["counted"] != 3 {
		t.Error(result)
	}
	var last error
	for _, err := range StreamAs[string](t.Context(), session, counting(3), nil) {
		last = err
	}
	if !errors.Is(last, StatusTypeMismatch) {
		t.Error(last)
	}
	for _, err := range session.Stream(t.Context(), python("ecko", nil), nil) {
		last = err
	}
	if !errors.Is(last, StatusNotFound) {
		t.Error(last)
	}
}

func TestPythonSeesTheContextsDeadline(t *testing.T) {
	_, session := opened(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	left, err := Run[float64](ctx, session, python("remaining", nil))
	if err != nil || left <= 0 || left > 20 {
		t.Error(left, err)
	}
	call := python("remaining", nil)
	call.Timeout = 5 * time.Second
	if left, err = Run[float64](ctx, session, call); err != nil || left <= 0 || left > 5 {
		t.Error(left, err)
	}
	call.Timeout = NoTimeout
	if none, err := session.Execute(t.Context(), call); err != nil || none.String() != "null" {
		t.Error(none, err)
	}
}

func TestOperations(t *testing.T) {
	_, session := opened(t)
	ctx, cancel := context.WithCancel(t.Context())
	started, err := session.Start(ctx, python("sleep_until_cancelled", nil))
	must(t, err)
	waiting, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := started.Wait(waiting); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	cancel()
	<-started.Done()
	for range 2 {
		if _, err := started.Wait(t.Context()); !errors.Is(err, StatusCancelled) {
			t.Error(err)
		}
	}
	if _, err := session.Start(ctx, echo(1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := session.Start(t.Context(), python("ecko", nil)); !errors.Is(err, StatusNotFound) {
		t.Error(err)
	}
}

func TestLogsGoToSlog(t *testing.T) {
	platform, session := opened(t)
	var written lockedBuffer
	handler := slog.NewTextHandler(&written, &slog.HandlerOptions{Level: slog.LevelDebug})
	stop, err := platform.LogTo(handler, LogOptions{Level: slog.LevelWarn})
	must(t, err)
	_, err = session.Execute(t.Context(), python("speak", map[string]any{"text": "ahoy"}))
	must(t, err)
	eventually(t, "the record comes", func() bool {
		return strings.Contains(written.String(), `level=WARN msg="logged ahoy"`)
	})
	if strings.Contains(written.String(), "level=INFO") {
		t.Error(written.String())
	}
	stop()
	stop()
	for python, level := range map[int]slog.Level{10: slog.LevelDebug, 20: slog.LevelInfo,
		30: slog.LevelWarn, 40: slog.LevelError} {
		if int(pythonLevel(level)) != python {
			t.Error(python, level)
		}
	}
}
