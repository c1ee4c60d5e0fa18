// Package bridge runs Python machine-learning frameworks in supervised worker processes, and lets
// that Python call functions of the Go program: as tools, as language models, as metrics.
//
//	platform, err := bridge.Open(`{"pools": {"default": {"frameworks": {"dspy": {}}}}}`)
//	session, err := platform.OpenSession(bridge.SessionOptions{})
//	_, err = bridge.RegisterTool(platform, bridge.Tool{Name: "lookup"},
//		func(ctx context.Context, in struct{ Country string }) (Facts, error) { … })
//	answer, err := bridge.Run[Answer](ctx, session, bridge.Call{
//		Framework: "dspy", Operation: "predict", Parameters: map[string]any{…},
//	})
//
// It is a thin layer over the C ABI (include/snakepit_bridge.h), which it links through pkg-config.
//
// # Contexts
//
// Every function that waits takes one. Its deadline becomes the call's own, which Python and every
// nested tool call see; its end cancels the call, and the function returns once that is over.
//
// # Goroutines
//
// One per platform takes the events of the library's completion queue, parked in the runtime's
// poller while there are none. Two more wait in C for calls of tools and run them; while one does,
// another waits, however many run. No Go function is ever called from C. All functions and methods
// may be called from any goroutine, but for loops over one watch or one stream.
//
// # Errors
//
// Each is an [*Error], which errors.As finds with message, details and Python traceback. errors.Is
// finds its [Status], and context.Canceled and context.DeadlineExceeded behind those that say the
// same.
//
// # Closing
//
// [Platform.Close] ends everything: calls, tools, watches, sessions, workers. A [Session] is
// closed, or released for others to go on with. What was forgotten is freed when the collector
// finds it, and told to slog once per kind.
package bridge
