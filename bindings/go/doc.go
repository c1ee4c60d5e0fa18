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
// A call that waits for one result, [Session.Execute] and its like, waits in C for exactly that
// while no more than two such calls are under way, so that nobody has to be woken to hand it over.
// The ends of all others, and all other events, are taken by one goroutine per platform, parked in
// the runtime's poller while there are none: ten thousand calls at once need no thread of their
// own.
//
// Calls of tools are waited for in C, too, by a goroutine that runs the call it gets. A second one
// waits meanwhile, unless calls are short and come one by one; where one of those takes long after
// all, another goroutine waits within a few milliseconds. No Go function is ever called from C. All
// functions and methods may be called from any goroutine, but for loops over one watch or one
// stream.
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
