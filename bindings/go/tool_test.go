// Tools, registered in Go and called by Python and by name.

package bridge

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

func ask[Out any](t *testing.T, session *Session, tool string, arguments any) (Out, error) {
	t.Helper()
	return Run[Out](t.Context(), session, Call{
		Framework: "python", Operation: "call_tool",
		Parameters: map[string]any{"name": tool, "arguments": arguments},
	})
}

type question struct {
	Country string `json:"country" jsonschema:"the country's name"`
	Times   int    `json:"times,omitempty"`
}

type facts struct {
	Capital string `json:"capital"`
	Depth   int    `json:"depth"`
}

func TestTools(t *testing.T) {
	t.Parallel()
	quietly(t)
	platform, session := opened(t)
	lookup := func(ctx context.Context, in question) (facts, error) {
		if in.Country == "" {
			return facts{}, &Error{Status: StatusNotFound, Message: "no country", Retryable: true}
		}
		return facts{Capital: "capital of " + in.Country, Depth: in.Times}, nil
	}
	tool := Tool{Name: "lookup", Description: "Looks it up."}
	registered, err := RegisterTool(platform, tool, lookup)
	must(t, err)

	t.Run("are functions with schemas", func(t *testing.T) {
		answer, err := ask[facts](t, session, "lookup", question{Country: "Peru", Times: 2})
		must(t, err)
		if answer != (facts{"capital of Peru", 2}) {
			t.Error(answer)
		}
		listed, err := platform.Tools(nil)
		must(t, err)
		for _, part := range []string{`"the country's name"`, `"lookup"`, `"capital"`} {
			if !strings.Contains(listed.String(), part) {
				t.Errorf("no %s in %s", part, listed)
			}
		}
		_, err = ask[facts](t, session, "lookup", map[string]any{"country": 7})
		if !errors.Is(err, StatusInvalidArgument) || !strings.Contains(err.Error(), "$.country") {
			t.Error(err)
		}
	})
	t.Run("fail as they say", func(t *testing.T) {
		_, err := ask[facts](t, session, "lookup", question{})
		var own *Error
		if !errors.As(err, &own) || own.Status != StatusNotFound || !own.Retryable {
			t.Errorf("%+v", err)
		}
		panics := func(context.Context, question) (facts, error) { panic("the atlas is closed") }
		_, err = RegisterTool(platform, Tool{Name: "panics"}, panics)
		must(t, err)
		_, err = ask[facts](t, session, "panics", question{Country: "x"})
		if !errors.Is(err, StatusToolFailed) || !strings.Contains(err.Error(), "the atlas is closed") {
			t.Error(err)
		}
	})
	t.Run("emit chunks", func(t *testing.T) {
		_, err := RegisterStream(platform, Tool{Name: "counts", Session: session},
			func(ctx context.Context, in *Value, call *Invocation) (string, error) {
				for number := range 1000 {
					if err := call.Emit(ctx, number); err != nil {
						return "", err
					}
				}
				return "done", nil
			})
		must(t, err)
		taken, err := session.Execute(t.Context(), Call{Framework: "python", Operation: "stream_tool",
			Parameters: map[string]any{"name": "counts", "arguments": map[string]any{}}})
		must(t, err)
		if !strings.Contains(taken.String(), "999") || !strings.Contains(taken.String(), `"done"`) {
			t.Error(taken)
		}
	})
	t.Run("call again, and are told of the end", func(t *testing.T) {
		nested := func(ctx context.Context, in *Value) (string, error) {
			return Run[string](ctx, session, echo("in"))
		}
		_, err := RegisterTool(platform, Tool{Name: "nested"}, nested)
		must(t, err)
		inner, err := ask[string](t, session, "nested", map[string]any{})
		must(t, err)
		if inner != "in" {
			t.Error(inner)
		}
		told := make(chan error, 1)
		waits := func(ctx context.Context, in *Value) (string, error) {
			<-ctx.Done()
			told <- ctx.Err()
			return "", ctx.Err()
		}
		_, err = RegisterTool(platform, Tool{Name: "waits"}, waits)
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err = session.Execute(ctx, Call{Framework: "python", Operation: "call_tool",
			Parameters: map[string]any{"name": "waits", "arguments": map[string]any{}}})
		if !errors.Is(err, StatusDeadline) {
			t.Error(err)
		}
		select {
		case <-told:
		case <-time.After(30 * time.Second):
			t.Error("the tool was not told")
		}
	})
	must(t, registered.Unregister(t.Context()))
	_, err = ask[facts](t, session, "lookup", question{Country: "x"})
	if !errors.Is(err, StatusNotFound) {
		t.Error(err)
	}
}

// However many calls wait for something, the next one is served at once.
func TestToolsThatWaitHoldNobodyUp(t *testing.T) {
	t.Parallel()
	platform, session := opened(t)
	const calls = 8
	running, release := make(chan bool, calls), make(chan bool)
	waits := func(context.Context, *Value) (bool, error) {
		running <- true
		return <-release, nil
	}
	_, err := RegisterTool(platform, Tool{Name: "waits"}, waits)
	must(t, err)
	_, err = RegisterTool(platform, Tool{Name: "same"}, unchanged)
	must(t, err)
	var started []*Operation
	for range calls {
		operation, err := session.StartTool(t.Context(), ToolCall{Name: "waits"})
		must(t, err)
		started = append(started, operation)
		select {
		case <-running:
		case <-time.After(30 * time.Second):
			t.Fatal("a call does not run beside those that wait")
		}
	}
	_, err = session.CallTool(t.Context(), ToolCall{Name: "same"})
	must(t, err)
	close(release)
	for _, operation := range started {
		_, err := operation.Wait(t.Context())
		must(t, err)
	}
}

// Whatever a tool does, Python has its answer and the program goes on.
func TestToolsFailTyped(t *testing.T) {
	t.Parallel()
	quietly(t)
	platform, session := opened(t)
	var none *Error
	fails := func(err error) func() error { return func() error { return err } }
	atlas := &Error{Status: StatusNotFound, Message: "gone"}
	var table map[int]int
	for name, each := range map[string]struct {
		does   func() error
		status Status
		says   string
	}{
		"panics":   {func() error { panic("closed") }, StatusToolFailed, "panicked: closed"},
		"nothing":  {func() error { panic(nil) }, StatusToolFailed, "panicked"},
		"crashes":  {func() error { table[1] = 1; return nil }, StatusToolFailed, "nil map"},
		"exits":    {func() error { runtime.Goexit(); return nil }, StatusToolFailed, "goroutine"},
		"plain":    {fails(errors.New("no luck")), StatusToolFailed, "no luck"},
		"status":   {fails(StatusBusy), StatusBusy, "BUSY"},
		"wrapped":  {fails(fmt.Errorf("atlas: %w", atlas)), StatusNotFound, "atlas: NOT_FOUND: gone"},
		"deadline": {fails(context.DeadlineExceeded), StatusDeadline, "deadline"},
		"typednil": {fails(none), StatusToolFailed, "panicked"},
		"badutf8":  {fails(errors.New("caf\xe9")), StatusToolFailed, "caf\ufffd"},
		"nostatus": {fails(&Error{Status: 4711, Message: "odd"}), StatusToolFailed, "odd"},
	} {
		does := func(context.Context, *Value) (int, error) { return 0, each.does() }
		_, err := RegisterTool(platform, Tool{Name: name}, does)
		must(t, err)
		_, err = session.CallTool(t.Context(), ToolCall{Name: name})
		if !errors.Is(err, each.status) || !strings.Contains(err.Error(), each.says) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err = ask[int](t, session, name, map[string]any{}); err == nil ||
			!strings.Contains(err.Error(), each.says) {
			t.Errorf("%s, called by Python: %v", name, err)
		}
	}
	wrong := Tool{Name: "wrong", OutputSchema: []byte(`{"type": "string"}`)}
	seven := func(context.Context, *Value) (any, error) { return 7, nil }
	_, err := RegisterTool(platform, wrong, seven)
	must(t, err)
	if _, err = session.CallTool(t.Context(), ToolCall{Name: "wrong"}); err == nil ||
		!strings.Contains(err.Error(), "string") {
		t.Error(err)
	}
	detailed := func(context.Context, *Value) (int, error) {
		details := []byte(`{"free": 0}`)
		return 0, &Error{Status: StatusBusy, Message: "full", Details: details, Retryable: true}
	}
	_, err = RegisterTool(platform, Tool{Name: "detailed"}, detailed)
	must(t, err)
	_, err = session.CallTool(t.Context(), ToolCall{Name: "detailed"})
	var own *Error
	if !errors.As(err, &own) || own.Message != "full" || !own.Retryable ||
		!strings.Contains(string(own.Details), `"free"`) {
		t.Errorf("%+v", err)
	}
}

func TestToolsByName(t *testing.T) {
	t.Parallel()
	platform, session := opened(t)
	add := ToolCall{Name: "add", Arguments: map[string]int{"a": 41}}
	sum, err := RunTool[int](t.Context(), session, add)
	if err != nil || sum != 42 {
		t.Error(sum, err)
	}
	grid, err := NewTensor([]float32{1, 2}, 2)
	must(t, err)
	changed, err := session.CallTool(t.Context(), ToolCall{
		Name: "blob", Arguments: map[string]any{"data": []byte("abc"), "grid": grid},
	})
	must(t, err)
	if data, _, err := Tensor[float32](changed, 1); err != nil || data[1] != 4 {
		t.Error(changed, data, err)
	}
	var far int
	var seen []int
	counts := ToolCall{Name: "count", Arguments: map[string]int{"to": 300}, StreamWindow: 4}
	for chunk, err := range StreamToolAs[int](t.Context(), session, counts, &far) {
		must(t, err)
		seen = append(seen, chunk)
	}
	if len(seen) != 300 || seen[299] != 299 || far != 300 {
		t.Error(len(seen), far)
	}
	_, err = session.CallTool(t.Context(), ToolCall{Name: "ad", Arguments: map[string]int{}})
	if !errors.Is(err, StatusNotFound) {
		t.Error(err)
	}
	started, err := session.StartTool(t.Context(), add)
	must(t, err)
	if value, err := started.Wait(t.Context()); err != nil || value.String() != "42" {
		t.Error(value, err)
	}
	held := Tool{
		Name: "held", ChunkSchema: []byte(`{"type": "integer"}`), Idempotent: true, Session: session,
		MaxInFlight: 3, Timeout: time.Minute,
	}
	emits := func(ctx context.Context, _ *Value, call *Invocation) (Info, error) {
		if err := call.Emit(ctx, "x"); !errors.Is(err, StatusInvalidArgument) {
			t.Error(err)
		}
		must(t, call.Emit(ctx, 5))
		return call.Info()
	}
	_, err = RegisterStream(platform, held, emits)
	must(t, err)
	var info Info
	for chunk, err := range StreamToolAs[int](t.Context(), session, ToolCall{Name: "held"}, &info) {
		must(t, err)
		if chunk != 5 {
			t.Error(chunk)
		}
	}
	if info.Tool != "held" || !info.Stream || info.Depth != 0 || info.DeadlineRemainingMS == nil {
		t.Errorf("%+v", info)
	}
	listed, err := platform.Tools(session)
	must(t, err)
	if !strings.Contains(listed.String(), `"idempotent":true`) {
		t.Error(listed)
	}
}
