// Package bridge runs Python machine-learning frameworks in supervised worker processes, and lets
// that Python call functions of the Go program: as tools, as language models, as metrics.
//
//	platform, err := bridge.Open(`{"pools": {"default": {"frameworks": {"dspy": {}}}}}`)
//	session, err := platform.OpenSession(bridge.SessionOptions{})
//	err = bridge.RegisterTool(platform, bridge.Tool{Name: "lookup"},
//		func(ctx context.Context, in struct{ Country string }) (Facts, error) { … })
//	answer, err := bridge.Run[Answer](ctx, session, bridge.Call{
//		Framework: "dspy", Operation: "predict", Parameters: map[string]any{…},
//	})
//
// It is a thin layer over the C ABI (include/snakepit_bridge.h), which it links through pkg-config.
//
// Contexts: every function that waits takes one. Its deadline becomes the call's own, which Python
// and every nested tool call see; its end cancels the call, and the function returns once that is
// over.
//
// Goroutines: one per platform takes the events of the library's completion queue, parked in the
// runtime's poller while there are none; no Go function is ever called from C. Tools run each call
// in a goroutine of its own. All functions and methods may be called from any goroutine.
//
// Closing: [Platform.Close] ends everything. Handles that are dropped are freed; what they stand
// for goes on, as the C ABI has it.
package bridge
