// Calls and their ends.

package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func echo(value any) Call {
	return Call{Framework: "python", Operation: "echo", Parameters: map[string]any{"value": value}}
}

func TestCalls(t *testing.T) {
	platform, session := opened(t)
	t.Run("come back exact", func(t *testing.T) {
		value, err := session.Execute(t.Context(), echo([]any{json.Number("9007199254740993"), "ż"}))
		must(t, err)
		if value.String() != `[9007199254740993,"ż"]` {
			t.Error(value)
		}
		number, err := Run[int64](t.Context(), session, echo(7))
		must(t, err)
		if number != 7 {
			t.Error(number)
		}
	})
	t.Run("fail typed", func(t *testing.T) {
		message := map[string]string{"message": "no"}
		fail := Call{Framework: "python", Operation: "fail", Parameters: message}
		_, err := session.Execute(t.Context(), fail)
		var own *Error
		if !errors.As(err, &own) || !errors.Is(err, StatusPythonException) {
			t.Fatal(err)
		}
		if own.PythonType != "builtins.ValueError" ||
			!strings.HasPrefix(own.PythonTraceback, "Traceback") {
			t.Errorf("%+v", own)
		}
		_, err = session.Execute(t.Context(), Call{Framework: "python", Operation: "ecko"})
		if !errors.Is(err, StatusNotFound) || !strings.Contains(err.Error(), "echo") {
			t.Error(err)
		}
	})
	t.Run("end with their context", func(t *testing.T) {
		sleep := Call{Framework: "python", Operation: "sleep_until_cancelled"}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := session.Execute(ctx, sleep); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if _, err := session.Execute(ctx, sleep); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := session.Execute(ctx, sleep); !errors.Is(err, StatusCancelled) {
			t.Error(err)
		}
	})
	t.Run("stream", func(t *testing.T) {
		count := func(to int) Call {
			return Call{Framework: "python", Operation: "count", Parameters: map[string]int{"to": to}}
		}
		next := 0
		for chunk, err := range StreamAs[int](t.Context(), session, count(500), nil) {
			must(t, err)
			if chunk != next {
				t.Fatal(chunk, next)
			}
			next++
		}
		if next != 500 {
			t.Error(next)
		}
		for chunk, err := range StreamAs[int](t.Context(), session, count(1_000_000), nil) {
			must(t, err)
			if chunk == 10 {
				break
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for chunk, err := range StreamAs[int](ctx, session, count(1_000_000), nil) {
			if last = err; err == nil && chunk == 10 {
				cancel()
			}
		}
		if !errors.Is(last, context.Canceled) {
			t.Error(last)
		}
	})
	t.Run("tell of themselves", func(t *testing.T) {
		schema, err := platform.Schema("python")
		must(t, err)
		metrics, err := platform.Metrics()
		must(t, err)
		if !strings.Contains(schema.String(), `"echo"`) || !strings.Contains(metrics, "# HELP") {
			t.Error(schema, metrics)
		}
	})
}

func TestManyCallsAtOnce(t *testing.T) {
	const calls = 1000
	_, session := opened(t)
	var group sync.WaitGroup
	results := make([]int, calls)
	for index := range calls {
		group.Go(func() {
			result, err := Run[int](t.Context(), session, echo(index))
			if err != nil {
				t.Error(err)
			}
			results[index] = result
		})
	}
	group.Wait()
	for index, result := range results {
		if result != index {
			t.Fatalf("call %d gave %d", index, result)
		}
	}
}
