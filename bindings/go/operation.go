// Operations: what is under way and ends exactly once. Their ends come through the platform's pump.
// Knows nothing of what was submitted.

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
)

// Operation is a call under way, made by [Session.Start]. It ends exactly once. Dropping it does
// neither cancel it nor leak: its handle is freed when it ends.
type Operation struct {
	platform  *Platform
	raw       C.spb_operation
	submitted atomic.Bool
	ended     chan struct{}
	// Ends the watch over a context.
	stop func() bool
	// Written before ended is closed.
	value *Value
	err   error
}

// State says where an operation is.
type State uint32

// The states of an operation, in their order.
const (
	StateQueued  State = C.SPB_OPERATION_QUEUED
	StateRunning State = C.SPB_OPERATION_RUNNING
	StateDone    State = C.SPB_OPERATION_DONE
)

// Done is closed when the operation has ended.
func (o *Operation) Done() <-chan struct{} { return o.ended }

// Wait waits for the end and gives it, any number of times and in any number of goroutines. The end
// of ctx ends the waiting, not the operation: see [Operation.Cancel].
func (o *Operation) Wait(ctx context.Context) (*Value, error) {
	select {
	case <-o.ended:
		return o.value, o.err
	default:
	}
	select {
	case <-o.ended:
	case <-ctx.Done():
		return nil, contextError(ctx.Err())
	case <-o.platform.pump.done:
		return o.last()
	}
	return o.value, o.err
}

// Cancel asks the operation to end with StatusCancelled, at any moment and any number of times. Its
// end comes as always; it is the real result if that was first.
func (o *Operation) Cancel() {
	if o.submitted.Load() {
		C.spb_operation_cancel(o.raw, nil)
	}
}

// State says where the operation is.
func (o *Operation) State() State {
	var state C.uint32_t
	if C.spb_operation_state(o.raw, &state, nil) != C.SPB_OK {
		// Its handle was freed, which is done at its end.
		return StateDone
	}
	return State(state)
}

// last is the end of an operation whose platform is closed: ends come before that.
func (o *Operation) last() (*Value, error) {
	select {
	case <-o.ended:
		return o.value, o.err
	default:
		return nil, errClosed
	}
}

// submission starts an operation. Where its events go to a sink, its handle is in out before any of
// them comes; without a sink out is nil. An error other than that of C has no status.
type submission func(sink *cSink, out *cOperation) (cOperation, error)

// plain is a submission that needs nothing but C, and a sink.
func plain(call func(sink *cSink, out *cOperation, fault *cFault) cStatus) submission {
	return func(sink *cSink, out *cOperation) (cOperation, error) {
		err := check(func(fault *cFault) cStatus { return call(sink, out, fault) })
		return *out, err
	}
}

// start submits an operation whose end the pump brings; the end of within, if there is one,
// cancels it.
func (p *Platform) start(within context.Context, submit submission) (*Operation, error) {
	defer runtime.KeepAlive(p)
	made := &Operation{platform: p, ended: make(chan struct{})}
	if within != nil {
		made.stop = context.AfterFunc(within, made.Cancel)
	}
	// The end never comes before the submitting call has returned, so raw is written by then.
	sink, tag := p.pump.sink(made.end)
	if _, err := submit(&sink, &made.raw); err != nil {
		p.pump.forget(tag)
		if within != nil {
			made.stop()
		}
		return nil, p.refusal(err)
	}
	made.submitted.Store(true)
	if within != nil && within.Err() != nil {
		// The context ended too early to cancel what was not there.
		made.Cancel()
	}
	return made, nil
}

func (o *Operation) end(event event) {
	o.value, o.err = event.value, event.err
	if o.stop != nil {
		o.stop()
	}
	C.spb_operation_free(o.raw)
	close(o.ended)
}

// await submits an operation and waits for its end. When ctx ends first the operation is
// cancelled, if cancels, and its end is still waited for; otherwise only the waiting ends.
func (p *Platform) await(ctx context.Context, cancels bool, submit submission) (*Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	operation, err := p.start(nil, submit)
	if err != nil {
		return nil, err
	}
	select {
	case <-operation.ended:
		return operation.value, operation.err
	case <-p.pump.done:
		return operation.last()
	case <-ctx.Done():
	}
	if !cancels {
		return nil, contextError(ctx.Err())
	}
	operation.Cancel()
	value, err := operation.Wait(context.Background())
	return value, endOf(ctx, err)
}

// refusal is why a submission failed. A queue that is gone is that of a platform that was closed.
func (p *Platform) refusal(err error) error {
	if errors.Is(err, StatusHandle) && p.pump.isOver() {
		return errClosed
	}
	return err
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

var errClosed = &Error{Status: StatusClosed, Message: "the platform was closed"}
