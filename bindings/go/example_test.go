// Examples of the documentation. They compile with the tests; those without Python also run.

package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	bridge "snakepit.dev/bridge"
)

// A program answers with DSPy, which asks a function of the program.
func Example() {
	platform, err := bridge.Open(`{"pools": {"default": {"frameworks": {"dspy": {}}}}}`)
	if err != nil {
		panic(err)
	}
	defer platform.Close()
	session, err := platform.OpenSession(bridge.SessionOptions{})
	if err != nil {
		panic(err)
	}
	type asked struct {
		Country string `json:"country" jsonschema:"the country's name"`
	}
	capital := func(ctx context.Context, in asked) (string, error) { return "Lima", nil }
	tool := bridge.Tool{Name: "capital", Description: "The capital of a country."}
	if _, err := bridge.RegisterTool(platform, tool, capital); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	result, err := bridge.Run[map[string]any](ctx, session, bridge.Call{
		Framework: "dspy", Operation: "react", Parameters: map[string]any{
			"signature": "question -> answer",
			"inputs":    map[string]any{"question": "What is the capital of Peru?"},
			"tools":     []string{"capital"},
			"lm":        map[string]any{"kind": "litellm", "model": "openai/gpt-4o-mini"},
		},
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("it took too long")
	case err != nil:
		panic(err)
	}
	fmt.Println(result["outputs"])
}

// Tokens are written as they come; the result lands where the last argument points to.
func ExampleStreamAs() {
	var session *bridge.Session
	var call bridge.Call
	var result map[string]any
	type token struct{ Field, Text string }
	for token, err := range bridge.StreamAs[token](context.Background(), session, call, &result) {
		if err != nil {
			panic(err)
		}
		fmt.Print(token.Text)
	}
}

// A Python tool is called by its name.
func ExampleRunTool() {
	var session *bridge.Session
	sum, err := bridge.RunTool[int](context.Background(), session, bridge.ToolCall{
		Name: "add", Arguments: map[string]any{"a": 1, "b": 2},
	})
	fmt.Println(sum, err)
}

// An error's circumstances.
func ExampleError() {
	_, err := bridge.JSON(`{"scores": [1, NaN]}`)
	var own *bridge.Error
	if errors.As(err, &own) {
		fmt.Println(own.Status, string(own.Details))
	}
	fmt.Println(errors.Is(err, bridge.StatusInvalidArgument))
	// Output:
	// INVALID_ARGUMENT {"path":"$.scores[1]"}
	// true
}

// Variables are shared by the program and what runs in Python.
func ExampleSession_Update() {
	platform, err := bridge.Open(`{"pools": {}}`)
	if err != nil {
		panic(err)
	}
	defer platform.Close()
	session, err := platform.OpenSession(bridge.SessionOptions{})
	if err != nil {
		panic(err)
	}
	defer session.Close()
	if _, err = session.Register(bridge.Variable{Name: "answered", Type: "integer"}, 0); err != nil {
		panic(err)
	}
	value, version, err := session.Update("answered", map[string]any{"add": 1}, bridge.Write{})
	fmt.Println(value, version, err)
	answered, _, err := bridge.Get[int](session, "answered")
	fmt.Println(answered, err)
	// Output:
	// 1 2 <nil>
	// 1 <nil>
}

// A tensor beside other content.
func ExampleNewTensor() {
	grid, err := bridge.NewTensor([]float32{1, 2, 3, 4}, 2, 2)
	if err != nil {
		panic(err)
	}
	both, err := bridge.NewValue(map[string]any{"grid": grid, "name": "weights"})
	if err != nil {
		panic(err)
	}
	data, shape, err := bridge.Tensor[float32](both, 0)
	fmt.Println(both, data, shape, err)
	// Output:
	// {"grid":{"$spb":{"attachment":0}},"name":"weights"} [1 2 3 4] [2 2] <nil>
}

// Records of library and workers go where the program's own go.
func ExamplePlatform_LogTo() {
	var platform *bridge.Platform
	stop, err := platform.LogTo(slog.Default().Handler(), bridge.LogOptions{Level: slog.LevelWarn})
	if err != nil {
		panic(err)
	}
	defer stop()
}
