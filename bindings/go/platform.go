package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// Platform is one embedded platform: its pools of Python workers, sessions and tools. Close it.
type Platform struct {
	raw    C.spb_platform
	pump   *pump
	closed atomic.Bool
}

// Open opens a platform as a document says (docs/configuration.md). It returns at once; workers
// start behind it, see [Pool.AwaitReady].
func Open(configJSON string) (*Platform, error) {
	if !bool(C.spb_abi_check()) {
		message := "the loaded library is older than this package, or of another major version"
		return nil, &Error{Status: StatusABIMismatch, Message: message}
	}
	var hold lent
	defer hold.Unpin()
	platform := &Platform{}
	var fault *C.spb_error
	status := C.spb_platform_open(hold.text(configJSON), &platform.raw, &fault)
	if status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	pump, err := newPump(platform.raw)
	if err != nil {
		C.spb_platform_free(platform.raw)
		return nil, err
	}
	platform.pump = pump
	runtime.AddCleanup(platform, func(raw C.spb_platform) { C.spb_platform_free(raw) }, platform.raw)
	return platform, nil
}

// Close closes the platform as configured and waits for it: see [Platform.Shutdown]. It is an
// io.Closer; later calls do nothing.
func (p *Platform) Close() error { return p.Shutdown(context.Background(), 0) }

// Shutdown ends the platform: calls under way may end within grace (0: as configured, NoTimeout:
// all the time they need), then every worker is gone. The end of ctx only ends the waiting.
func (p *Platform) Shutdown(ctx context.Context, grace time.Duration) error {
	if !p.closed.CompareAndSwap(false, true) {
		return nil
	}
	_, err := p.await(ctx, false, func(sink *cSink, out *cOperation, fault *cFault) cStatus {
		return C.spb_platform_shutdown(p.raw, millis(grace), sink, out, fault)
	})
	if err != nil {
		p.closed.Store(false)
		return err
	}
	<-p.pump.done
	p.pump.queue.close()
	return nil
}

// Health reports how the platform is: {"live", "ready", ...} with one entry per pool.
func (p *Platform) Health() (*Value, error) {
	defer runtime.KeepAlive(p)
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_platform_health(p.raw, out, fault)
	})
}

// Schema describes what a framework's operations take and give, as JSON Schema; all frameworks for
// an empty name.
func (p *Platform) Schema(framework string) (*Value, error) {
	defer runtime.KeepAlive(p)
	var hold lent
	defer hold.Unpin()
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_platform_schema(p.raw, hold.text(framework), out, fault)
	})
}

// Metrics are all metrics in Prometheus's text format.
func (p *Platform) Metrics() (string, error) {
	defer runtime.KeepAlive(p)
	var raw *C.spb_text
	var fault *C.spb_error
	if status := C.spb_platform_metrics(p.raw, &raw, &fault); status != C.SPB_OK {
		return "", failure(status, fault)
	}
	defer C.spb_text_free(raw)
	return goString(C.spb_text_view(raw)), nil
}

// submission is a C function that starts an operation.
type submission func(sink *cSink, out *cOperation, fault *cFault) cStatus

// await submits an operation and waits for its end. When ctx ends first the operation is
// cancelled, if cancels, and its end is still waited for; otherwise only the waiting ends.
func (p *Platform) await(ctx context.Context, cancels bool, submit submission) (*Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	ends := make(chan event, 1)
	sink, tag := p.pump.sink(func(event event) { ends <- event })
	var operation C.spb_operation
	var fault *C.spb_error
	if status := submit(&sink, &operation, &fault); status != C.SPB_OK {
		p.pump.forget(tag)
		return nil, failure(status, fault)
	}
	defer C.spb_operation_free(operation)
	select {
	case end := <-ends:
		return end.value, end.err
	case <-ctx.Done():
	}
	if !cancels {
		return nil, contextError(ctx.Err())
	}
	C.spb_operation_cancel(operation, nil)
	end := <-ends
	return end.value, endOf(ctx, end.err)
}

// endOf is an operation's error, where a cancel that came of a passed deadline says so.
func endOf(ctx context.Context, err error) error {
	if errors.Is(err, StatusCancelled) && ctx.Err() == context.DeadlineExceeded {
		return contextError(ctx.Err())
	}
	return err
}

// contextError is the end of a context as this package's error.
func contextError(err error) error {
	if err == context.DeadlineExceeded {
		return &Error{Status: StatusDeadline, Message: "the context's deadline passed"}
	}
	return &Error{Status: StatusCancelled, Message: "the context was cancelled"}
}

// give calls a C function that makes a value.
func give(call func(out *cValue, fault *cFault) cStatus) (*Value, error) {
	var raw *C.spb_value
	var fault *C.spb_error
	if status := call(&raw, &fault); status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	return owned(raw), nil
}
