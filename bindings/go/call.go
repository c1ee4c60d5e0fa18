// Calls of framework operations in a session. How their ends come is in operation.go, how their
// chunks do in stream.go.

package bridge

/*
#include "crossing.h"
*/
import "C"

import (
	"context"
	"iter"
	"runtime"
	"time"
)

// Call says what to execute in a session.
type Call struct {
	// Framework and Operation, such as "dspy" and "predict"; see [Platform.Schema].
	Framework string
	Operation string
	// Parameters: anything that NewValue takes and that is an object; nil: {}.
	Parameters any
	// Pool: empty for "default".
	Pool string
	// Timeout is used beside the context's deadline, whichever is sooner. 0: as configured.
	Timeout time.Duration
	// StreamWindow: chunks that Python may send ahead of you. 0: as configured.
	StreamWindow int
	// Traceparent is the caller's W3C trace context; empty: the running tool call's, or a new one.
	Traceparent string
	// Affinity of this call; AffinityDefault: the session's.
	Affinity Affinity
}

// Execute runs a call to its end. It waits; the end of ctx cancels the call. In the context of a
// tool's call it is nested in that. Errors are those of spb_execute: StatusNotFound,
// StatusInvalidArgument and others at once; StatusPythonException, StatusWorkerLost,
// StatusDeadline, StatusToolFailed and others at the end.
func (s *Session) Execute(ctx context.Context, call Call) (*Value, error) {
	value, err := s.platform.call(ctx, s.execute(ctx, call, false))
	return value.keep(), err
}

// Start starts a call and returns at once. The end of ctx cancels the call, as [Operation.Cancel]
// does.
func (s *Session) Start(ctx context.Context, call Call) (*Operation, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	return s.platform.start(ctx, s.execute(ctx, call, false))
}

// Run executes a call and reads its result as Out: see [Session.Execute] and [As].
func Run[Out any](ctx context.Context, session *Session, call Call) (Out, error) {
	value, err := session.platform.call(ctx, session.execute(ctx, call, false))
	if err != nil {
		var none Out
		return none, err
	}
	return consume[Out](value)
}

// Stream executes a call and gives its chunks as they come, each with a nil error; a failure comes
// last, with a nil chunk. Taking chunks is what lets Python send more: it is at most a window
// ahead. Leaving the loop cancels the call and waits for its end. The result of the call, if it is
// wanted, goes to what result points to (see [Value.Into]) before the loop ends.
//
// Each stream that runs has a queue of its own, which is two file descriptors.
func (s *Session) Stream(ctx context.Context, call Call, result any) iter.Seq2[*Value, error] {
	return s.platform.stream(ctx, result, s.execute(ctx, call, true))
}

// StreamAs is Stream with chunks read as Chunk.
func StreamAs[Chunk any](
	ctx context.Context, session *Session, call Call, result any,
) iter.Seq2[Chunk, error] {
	return chunksAs[Chunk](session.Stream(ctx, call, result))
}

// execute prepares spb_execute.
func (s *Session) execute(ctx context.Context, call Call, streams bool) submission {
	return func(sink *cSink, out *cOperation) (operation cOperation, err error) {
		defer runtime.KeepAlive(s)
		what := C.spb_execute_options{struct_size: C.sizeof_spb_execute_options}
		what.framework = view(call.Framework)
		what.operation = view(call.Operation)
		what.pool = view(call.Pool)
		what.timeout_ms = millis(timeLeft(ctx, call.Timeout))
		what.traceparent = view(call.Traceparent)
		what.affinity = C.uint32_t(call.Affinity)
		what.parent = parentOf(ctx)
		if streams {
			what.flags = C.SPB_EXECUTE_STREAM
			what.stream_window = C.uint32_t(call.StreamWindow)
		}
		err = giving(call.Parameters, func(parameters cContent) error {
			made := C.spb_go_execute(s.raw, what, parameters, sink, out)
			operation = made.operation
			return failure(made.outcome.status, made.outcome.fault)
		})
		return operation, err
	}
}

// parentOf is the tool call that a context belongs to, or 0.
func parentOf(ctx context.Context) C.spb_invocation {
	parent, _ := ctx.Value(invocationKey{}).(C.spb_invocation)
	return parent
}
