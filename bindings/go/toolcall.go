// Calls of tools by name, the program's own or Python's. Registering tools is in tool.go.

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

// ToolCall says which tool to call in a session.
type ToolCall struct {
	// Name of the tool; see [Platform.Tools].
	Name string
	// Arguments: anything that NewValue takes and that is an object; nil: {}.
	Arguments any
	// Pool whose tool is meant. Empty: the program's own tool of that name; if it has none, that of
	// the pool "default", then of the other pools in the order of their names.
	Pool string
	// Timeout is used beside the context's deadline, whichever is sooner. 0: as configured. A tool's
	// own time may be less.
	Timeout time.Duration
	// StreamWindow: chunks that Python may send ahead of you. 0: as configured.
	StreamWindow int
	// Traceparent is the caller's W3C trace context; empty: the running tool call's, or a new one.
	Traceparent string
}

// CallTool calls a tool and gives its result. It waits; the end of ctx cancels the call. In the
// context of a tool's call it is nested in that. Errors are those of spb_tool_call: StatusNotFound,
// StatusUnavailable while no worker has told its tools yet, StatusInvalidArgument and others at
// once; what the tool failed with, StatusPythonException, StatusDeadline and others at the end.
func (s *Session) CallTool(ctx context.Context, call ToolCall) (*Value, error) {
	value, err := s.platform.call(ctx, s.toolCall(ctx, call, false))
	return value.keep(), err
}

// StartTool starts a tool's call and returns at once; see [Session.Start].
func (s *Session) StartTool(ctx context.Context, call ToolCall) (*Operation, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	return s.platform.start(ctx, s.toolCall(ctx, call, false))
}

// RunTool calls a tool and reads its result as Out: see [Session.CallTool] and [As].
func RunTool[Out any](ctx context.Context, session *Session, call ToolCall) (Out, error) {
	value, err := session.platform.call(ctx, session.toolCall(ctx, call, false))
	if err != nil {
		var none Out
		return none, err
	}
	return consume[Out](value)
}

// StreamTool calls a tool and gives its chunks as they come: see [Session.Stream].
func (s *Session) StreamTool(
	ctx context.Context, call ToolCall, result any,
) iter.Seq2[*Value, error] {
	return s.platform.stream(ctx, result, s.toolCall(ctx, call, true))
}

// StreamToolAs is StreamTool with chunks read as Chunk.
func StreamToolAs[Chunk any](
	ctx context.Context, session *Session, call ToolCall, result any,
) iter.Seq2[Chunk, error] {
	return chunksAs[Chunk](session.StreamTool(ctx, call, result))
}

// toolCall prepares spb_tool_call.
func (s *Session) toolCall(ctx context.Context, call ToolCall, streams bool) submission {
	return func(sink *cSink, out *cOperation) (operation cOperation, err error) {
		defer runtime.KeepAlive(s)
		what := C.spb_tool_call_options{struct_size: C.sizeof_spb_tool_call_options}
		what.name = view(call.Name)
		what.pool = view(call.Pool)
		what.timeout_ms = millis(timeLeft(ctx, call.Timeout))
		what.traceparent = view(call.Traceparent)
		what.parent = parentOf(ctx)
		if streams {
			what.flags = C.SPB_TOOL_CALL_STREAM
			what.stream_window = C.uint32_t(call.StreamWindow)
		}
		err = giving(call.Arguments, func(arguments cContent) error {
			made := C.spb_go_tool_call(s.raw, what, arguments, sink, out)
			operation = made.operation
			return failure(made.outcome.status, made.outcome.fault)
		})
		return operation, err
	}
}
