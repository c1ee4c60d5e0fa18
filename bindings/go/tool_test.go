package bridge

import (
	"context"
	"errors"
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
