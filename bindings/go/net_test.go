// What closing does, and what happens to what nobody closed.

package bridge

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestClosing(t *testing.T) {
	platform, session := opened(t)
	running, err := session.Start(t.Context(), python("sleep_until_cancelled", nil))
	must(t, err)
	eventually(t, "it runs", func() bool { return running.State() == StateRunning })
	watch, err := session.StartWatch(WatchOptions{})
	must(t, err)
	streamed := make(chan error, 1)
	go func() {
		var last error
		for _, err := range session.Stream(context.Background(), counting(1_000_000_000), nil) {
			last = err
			runtime.Gosched()
		}
		streamed <- last
	}()
	other, err := platform.OpenSession(SessionOptions{})
	must(t, err)
	must(t, other.Close())
	must(t, other.Close())
	if _, err := other.Execute(t.Context(), echo(1)); !errors.Is(err, StatusClosed) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := platform.Shutdown(ctx, time.Millisecond); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { must(t, platform.Close()) })
	}
	group.Wait()
	if _, err := running.Wait(t.Context()); !errors.Is(err, StatusCancelled) {
		t.Error(err)
	}
	if running.State() != StateDone {
		t.Error(running.State())
	}
	running.Cancel()
	if err := <-streamed; !errors.Is(err, StatusCancelled) && !errors.Is(err, StatusClosed) {
		t.Error(err)
	}
	for _, err := range watch.Changes(t.Context()) {
		if !errors.Is(err, StatusClosed) {
			t.Error(err)
		}
	}
	must(t, watch.Close())
	must(t, watch.Close())
	must(t, session.Close())
	if _, err := platform.Health(); err != nil {
		t.Error(err)
	}
	usesAfterClose(t, platform, session)
}

func usesAfterClose(t *testing.T, platform *Platform, session *Session) {
	for name, use := range map[string]func() error{
		"Execute": func() error { _, err := session.Execute(t.Context(), echo(1)); return err },
		"Start":   func() error { _, err := session.Start(t.Context(), echo(1)); return err },
		"CallTool": func() error {
			_, err := session.CallTool(t.Context(), ToolCall{Name: "x"})
			return err
		},
		"Get":         func() error { _, _, err := session.Get("x"); return err },
		"OpenSession": func() error { _, err := platform.OpenSession(SessionOptions{}); return err },
		"StartWatch":  func() error { _, err := session.StartWatch(WatchOptions{}); return err },
		"Pool":        func() error { _, err := platform.Pool(""); return err },
		"LogTo":       func() error { _, err := platform.LogTo(slog.Default().Handler(), LogOptions{}); return err },
		"RegisterTool": func() error {
			nothing := func(context.Context, *Value) (int, error) { return 0, nil }
			_, err := RegisterTool(platform, Tool{Name: "late"}, nothing)
			return err
		},
		"Stream": func() (last error) {
			for _, err := range session.Stream(t.Context(), echo(1), nil) {
				last = err
			}
			return last
		},
	} {
		if err := use(); !errors.Is(err, StatusClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// What is dropped is freed, and told once per kind.
func TestNets(t *testing.T) {
	var written lockedBuffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&written, nil)))
	defer slog.SetDefault(before)
	told.Clear()
	descriptors, goroutines := openDescriptors(t), runtime.NumGoroutine()
	for range 3 {
		forget(t)
	}
	eventually(t, "what was dropped is told", func() bool {
		return strings.Contains(written.String(), "a Platform was dropped without Close") &&
			strings.Contains(written.String(), "a Session was dropped without Close or Release") &&
			strings.Contains(written.String(), "a Watch was dropped without Close")
	})
	eventually(t, "what was dropped is freed", func() bool {
		return openDescriptors(t) <= descriptors && runtime.NumGoroutine() <= goroutines
	})
	if count := strings.Count(written.String(), "was dropped"); count != 3 {
		t.Errorf("told %d times: %s", count, written.String())
	}
}

// forget drops one of each.
func forget(t *testing.T) {
	platform, err := Open(`{"pools": {}}`)
	must(t, err)
	session, err := platform.OpenSession(SessionOptions{})
	must(t, err)
	_, err = session.StartWatch(WatchOptions{})
	must(t, err)
	kept, err := platform.OpenSession(SessionOptions{ID: "kept"})
	must(t, err)
	kept.Release()
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mutex sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.Buffer.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.Buffer.String()
}

// openDescriptors counts those of this process.
func openDescriptors(t testing.TB) (count int) {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	for descriptor := range int(min(limit.Cur, 4096)) {
		var stat syscall.Stat_t
		if syscall.Fstat(descriptor, &stat) == nil {
			count++
		}
	}
	return count
}

func python(operation string, parameters map[string]any) Call {
	if parameters == nil {
		parameters = map[string]any{}
	}
	return Call{Framework: "python", Operation: operation, Parameters: parameters}
}

func counting(to int) Call { return python("count", map[string]any{"to": to}) }
