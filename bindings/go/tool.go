// Tools: functions of the program that are offered to Python. How their calls run is in serve.go.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"time"
)

// Tool is a function of the program as Python sees it.
type Tool struct {
	// Name: letters, digits, '_', '-' and '.', at most 64 bytes.
	Name string
	// Description is for the agents and people that choose tools.
	Description string
	// MaxInFlight: calls that are not answered yet; more fail. 0: as configured.
	MaxInFlight int
	// Timeout is for each call. 0: as long as the caller has.
	Timeout time.Duration
	// Session: nil for the calls of all sessions.
	Session *Session
	// InputSchema and OutputSchema are taken from In and Out by RegisterTool where they are nil;
	// `json` and `jsonschema` tags of struct fields say their names and descriptions. ChunkSchema is
	// that of each chunk; nil: anything. Arguments, results and chunks are held against them.
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage
	ChunkSchema  json.RawMessage
	// Idempotent: it may be called again where nobody knows whether an earlier call was carried out.
	// Only then is an operation that called it, and lost its worker, sent to another one.
	Idempotent bool
}

// Registered is a tool that was registered. Dropping it leaves the tool registered.
type Registered struct {
	platform *Platform
	raw      C.spb_tool
	tag      uint64
	calls    *calls
}

// RegisterTool offers a function to Python. Calls run at once, each on a goroutine that may serve
// another one afterwards, as those of net/http do; its context ends when nobody waits for the
// answer any more, has the caller's deadline, and makes calls of the platform nested ones. In is
// read from the arguments as [As] does, or is *Value; Out becomes the result as [NewValue] does, or
// is *Value.
//
// An error fails the call: an *[Error] with its status, message and details, a [Status] or the end
// of a context with that status, another as StatusToolFailed. So does a panic, whose stack goes to
// slog, and so does runtime.Goexit: the program lives on.
//
// Errors: StatusAlreadyExists, StatusInvalidArgument for a name or a schema, StatusClosed.
func RegisterTool[In, Out any](
	platform *Platform, tool Tool, function func(context.Context, In) (Out, error),
) (*Registered, error) {
	return registerAs[In, Out](platform, tool, func(
		ctx context.Context, call *Invocation,
	) (any, error) {
		in, err := consume[In](call.Arguments)
		if err != nil {
			return nil, err
		}
		return function(ctx, in)
	})
}

// RegisterStream is RegisterTool for a function that may emit chunks before it answers.
func RegisterStream[In, Out any](
	platform *Platform, tool Tool, function func(context.Context, In, *Invocation) (Out, error),
) (*Registered, error) {
	return registerAs[In, Out](platform, tool, func(
		ctx context.Context, call *Invocation,
	) (any, error) {
		in, err := As[In](call.Arguments.keep())
		if err != nil {
			return nil, err
		}
		return function(ctx, in, call)
	})
}

// Tools lists the tools of all sessions, or of one session what its calls can use.
func (p *Platform) Tools(session *Session) (*Value, error) {
	defer runtime.KeepAlive(p)
	defer runtime.KeepAlive(session)
	var scope C.spb_session
	if session != nil {
		scope = session.raw
	}
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_tool_list(p.raw, scope, out, fault)
	})
}

// Unregister takes the tool away and waits until none of its calls runs any more.
func (r *Registered) Unregister(ctx context.Context) error {
	defer runtime.KeepAlive(r)
	_, err := r.platform.await(ctx, false, plain(func(
		sink *cSink, out *cOperation, fault *cFault,
	) cStatus {
		return C.spb_tool_unregister(r.raw, sink, out, fault)
	}))
	if err != nil {
		return err
	}
	return r.calls.end(ctx, func() { r.platform.servers.forget(r.tag) })
}

// registerAs registers what runs calls, with the schemas of In and Out.
func registerAs[In, Out any](
	platform *Platform, tool Tool, run func(context.Context, *Invocation) (any, error),
) (*Registered, error) {
	if err := fillSchemas[In, Out](&tool); err != nil {
		return nil, err
	}
	return register(platform, tool, run)
}

func register(
	platform *Platform, tool Tool, run func(context.Context, *Invocation) (any, error),
) (*Registered, error) {
	defer runtime.KeepAlive(platform)
	defer runtime.KeepAlive(tool.Session)
	var hold lent
	defer hold.Unpin()
	options := C.spb_tool_options{struct_size: C.sizeof_spb_tool_options}
	options.name = hold.text(tool.Name)
	options.description = hold.text(tool.Description)
	options.input_schema_json = hold.bytes(tool.InputSchema)
	options.output_schema_json = hold.bytes(tool.OutputSchema)
	options.chunk_schema_json = hold.bytes(tool.ChunkSchema)
	if tool.Idempotent {
		options.flags = C.SPB_TOOL_IDEMPOTENT
	}
	options.max_in_flight = C.uint32_t(tool.MaxInFlight)
	options.timeout_ms = millis(tool.Timeout)
	var scope C.spb_session
	if tool.Session != nil {
		scope = tool.Session.raw
	}
	made := &calls{run: run, contexts: map[C.spb_invocation]*toolContext{}}
	sink, tag := platform.servers.sink(made)
	registered := &Registered{platform: platform, tag: tag, calls: made}
	err := check(func(fault *cFault) cStatus {
		return C.spb_tool_register(platform.raw, scope, &options, &sink, &registered.raw, fault)
	})
	if err != nil {
		platform.servers.forget(tag)
		return nil, platform.refusal(err)
	}
	runtime.AddCleanup(registered, func(raw C.spb_tool) { C.spb_tool_free(raw) }, registered.raw)
	return registered, nil
}
