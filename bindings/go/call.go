package bridge

/*
#include <snakepit_bridge.h>
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
	// Parameters: anything that encoding/json writes as an object, or a *Value; nil: {}.
	Parameters any
	// Pool: empty for "default".
	Pool string
	// Timeout is used beside the context's deadline, whichever is sooner. 0: as configured.
	Timeout time.Duration
	// StreamWindow: chunks that Python may send ahead of you. 0: as configured.
	StreamWindow int
	// Traceparent is the caller's W3C trace context.
	Traceparent string
	Affinity    Affinity
}

// Execute runs a call to its end.
func (s *Session) Execute(ctx context.Context, call Call) (*Value, error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	options, parameters, err := call.options(ctx, &hold)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(parameters)
	return s.platform.await(ctx, true, func(sink *cSink, out *cOperation, fault *cFault) cStatus {
		return C.spb_execute(s.raw, &options, sink, out, fault)
	})
}

// Run executes a call and reads its result as Out.
func Run[Out any](ctx context.Context, session *Session, call Call) (Out, error) {
	value, err := session.Execute(ctx, call)
	if err != nil {
		var none Out
		return none, err
	}
	return As[Out](value)
}

// Stream executes a call and gives its chunks as they come, each with a nil error; a failure comes
// last, with a nil chunk. Taking chunks is what lets Python send more. Leaving the loop cancels the
// call. The result of the call, if it is wanted, goes to what result points to.
func (s *Session) Stream(ctx context.Context, call Call, result any) iter.Seq2[*Value, error] {
	return func(yield func(*Value, error) bool) {
		take := func(chunk *Value) bool { return yield(chunk, nil) }
		if err := s.stream(ctx, call, result, take); err != nil {
			yield(nil, err)
		}
	}
}

// StreamAs is Stream with chunks read as Chunk.
func StreamAs[Chunk any](
	ctx context.Context, session *Session, call Call, result any,
) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		var none Chunk
		for value, err := range session.Stream(ctx, call, result) {
			if err != nil {
				yield(none, err)
				return
			}
			chunk, err := As[Chunk](value)
			if !yield(chunk, err) || err != nil {
				return
			}
		}
	}
}

// stream runs a call whose events have a queue of their own: what is not taken from it is not sent
// by Python, so that a slow consumer needs no memory. Nil after take has refused a chunk.
func (s *Session) stream(ctx context.Context, call Call, result any, take func(*Value) bool) error {
	defer runtime.KeepAlive(s)
	if err := ctx.Err(); err != nil {
		return contextError(err)
	}
	queue, err := newQueue(s.platform.raw)
	if err != nil {
		return err
	}
	defer queue.close()
	operation, err := s.submitStream(ctx, call, queue)
	if err != nil {
		return err
	}
	defer C.spb_operation_free(operation)
	stop := context.AfterFunc(ctx, func() { C.spb_operation_cancel(operation, nil) })
	defer stop()
	wanted, over := true, false
	var outcome event
	batch := make([]C.spb_event, 1)
	for !over && queue.take(batch, func(_ uint64, event event) {
		switch event.kind {
		case C.SPB_EVENT_OP_CHUNK:
			if wanted && !take(event.value) {
				wanted = false
				C.spb_operation_cancel(operation, nil)
			}
		case C.SPB_EVENT_OP_DONE:
			outcome, over = event, true
		}
	}) {
	}
	switch {
	case !wanted:
		return nil
	case !over:
		return &Error{Status: StatusClosed, Message: "the platform was closed"}
	case outcome.err != nil:
		return endOf(ctx, outcome.err)
	case result == nil:
		return nil
	}
	return outcome.value.Into(result)
}

func (s *Session) submitStream(
	ctx context.Context, call Call, queue *queue,
) (C.spb_operation, error) {
	var hold lent
	defer hold.Unpin()
	var operation C.spb_operation
	options, parameters, err := call.options(ctx, &hold)
	if err != nil {
		return operation, err
	}
	defer runtime.KeepAlive(parameters)
	options.flags = C.SPB_EXECUTE_STREAM
	options.stream_window = C.uint32_t(call.StreamWindow)
	sink := C.spb_sink_queue(queue.raw, 1)
	var fault *C.spb_error
	status := C.spb_execute(s.raw, &options, &sink, &operation, &fault)
	return operation, failure(status, fault)
}

// options are those of C. The Value has to live until they were used.
func (c *Call) options(ctx context.Context, hold *lent) (C.spb_execute_options, *Value, error) {
	raw := C.spb_execute_options{struct_size: C.sizeof_spb_execute_options}
	raw.framework = hold.text(c.Framework)
	raw.operation = hold.text(c.Operation)
	raw.pool = hold.text(c.Pool)
	raw.timeout_ms = millis(timeLeft(ctx, c.Timeout))
	raw.traceparent = hold.text(c.Traceparent)
	raw.affinity = C.uint32_t(c.Affinity)
	if invocation, is := ctx.Value(invocationKey{}).(C.spb_invocation); is {
		raw.parent = invocation
	}
	if c.Parameters == nil {
		return raw, nil, nil
	}
	parameters, err := NewValue(c.Parameters)
	if err != nil {
		return raw, nil, err
	}
	raw.parameters = parameters.raw
	return raw, parameters, nil
}
