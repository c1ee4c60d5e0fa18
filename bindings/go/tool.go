package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
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
	// `json` and `jsonschema` tags of struct fields say their names and descriptions.
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage
}

// Registered is a tool that was registered.
type Registered struct {
	platform *Platform
	raw      C.spb_tool
	tag      uint64
	calls    *calls
}

// RegisterTool offers a function to Python. Each call runs in a goroutine of its own; its context
// ends when nobody waits for the answer any more, has the caller's deadline, and makes calls of the
// platform nested ones. In is read from the arguments as encoding/json does, or is *Value; Out is
// written so, or is *Value. An error fails the call: an *Error with its status, message and
// details, another as StatusToolFailed. So does a panic.
func RegisterTool[In, Out any](
	platform *Platform, tool Tool, function func(context.Context, In) (Out, error),
) (*Registered, error) {
	if err := fillSchemas[In, Out](&tool); err != nil {
		return nil, err
	}
	return register(platform, tool, func(ctx context.Context, invocation *Invocation) (*Value, error) {
		in, err := As[In](invocation.Arguments)
		if err != nil {
			return nil, err
		}
		out, err := function(ctx, in)
		if err != nil {
			return nil, err
		}
		return NewValue(out)
	})
}

// RegisterStream is RegisterTool for a function that may emit chunks before it answers.
func RegisterStream[In, Out any](
	platform *Platform, tool Tool, function func(context.Context, In, *Invocation) (Out, error),
) (*Registered, error) {
	if err := fillSchemas[In, Out](&tool); err != nil {
		return nil, err
	}
	return register(platform, tool, func(ctx context.Context, invocation *Invocation) (*Value, error) {
		in, err := As[In](invocation.Arguments)
		if err != nil {
			return nil, err
		}
		out, err := function(ctx, in, invocation)
		if err != nil {
			return nil, err
		}
		return NewValue(out)
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
	_, err := r.platform.await(ctx, false, func(sink *cSink, out *cOperation, fault *cFault) cStatus {
		return C.spb_tool_unregister(r.raw, sink, out, fault)
	})
	if err != nil {
		return err
	}
	r.platform.pump.forget(r.tag)
	return r.calls.wait(ctx)
}

// calls are those of one tool that run, by their invocation.
type calls struct {
	run     func(context.Context, *Invocation) (*Value, error)
	mutex   sync.Mutex
	cancels map[C.spb_invocation]context.CancelFunc
	group   sync.WaitGroup
}

func register(
	platform *Platform, tool Tool, run func(context.Context, *Invocation) (*Value, error),
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
	options.max_in_flight = C.uint32_t(tool.MaxInFlight)
	options.timeout_ms = millis(tool.Timeout)
	var scope C.spb_session
	if tool.Session != nil {
		scope = tool.Session.raw
	}
	made := &calls{run: run, cancels: map[C.spb_invocation]context.CancelFunc{}}
	sink, tag := platform.pump.sink(made.take)
	registered := &Registered{platform: platform, tag: tag, calls: made}
	var fault *C.spb_error
	status := C.spb_tool_register(platform.raw, scope, &options, &sink, &registered.raw, &fault)
	if status != C.SPB_OK {
		platform.pump.forget(tag)
		return nil, failure(status, fault)
	}
	runtime.AddCleanup(registered, func(raw C.spb_tool) { C.spb_tool_free(raw) }, registered.raw)
	return registered, nil
}

func (c *calls) take(event event) {
	switch event.kind {
	case C.SPB_EVENT_TOOL_CALL:
		named := context.WithValue(context.Background(), invocationKey{}, event.invocation)
		ctx, cancel := context.WithCancel(named)
		c.mutex.Lock()
		c.cancels[event.invocation] = cancel
		c.group.Add(1)
		c.mutex.Unlock()
		go c.answer(ctx, &Invocation{raw: event.invocation, Arguments: event.value})
	case C.SPB_EVENT_TOOL_CANCEL:
		c.mutex.Lock()
		defer c.mutex.Unlock()
		if cancel := c.cancels[event.invocation]; cancel != nil {
			cancel()
		}
	}
}

func (c *calls) answer(ctx context.Context, invocation *Invocation) {
	defer c.group.Done()
	defer func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.cancels[invocation.raw]()
		delete(c.cancels, invocation.raw)
	}()
	ctx, cancel := invocation.withDeadline(ctx)
	defer cancel()
	result, err := c.guarded(ctx, invocation)
	if err == nil {
		// A result that breaks the tool's schema is refused, and Python is told so.
		err = invocation.complete(result)
	}
	if err != nil {
		invocation.fail(err)
	}
	C.spb_invocation_free(invocation.raw)
}

// guarded runs the function; a panic is its failure.
func (c *calls) guarded(ctx context.Context, invocation *Invocation) (result *Value, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &Error{Status: StatusToolFailed, Message: fmt.Sprintf("the tool panicked: %v", panicked)}
		}
	}()
	return c.run(ctx, invocation)
}

func (c *calls) wait(ctx context.Context) error {
	over := make(chan struct{})
	go func() {
		c.group.Wait()
		close(over)
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return contextError(ctx.Err())
	}
}

// fillSchemas takes the schemas that are not given from the types.
func fillSchemas[In, Out any](tool *Tool) error {
	for _, each := range []struct {
		schema *json.RawMessage
		of     func() (*jsonschema.Schema, error)
		open   bool
	}{
		{&tool.InputSchema, schemaOf[In], isOpen[In]()},
		{&tool.OutputSchema, schemaOf[Out], isOpen[Out]()},
	} {
		if *each.schema != nil || each.open {
			continue
		}
		schema, err := each.of()
		if err != nil {
			message := fmt.Sprintf("tool %q: %v", tool.Name, err)
			return &Error{Status: StatusInvalidArgument, Message: message}
		}
		if *each.schema, err = json.Marshal(schema); err != nil {
			return errors.Join(StatusInvalidArgument, err)
		}
	}
	return nil
}

func schemaOf[T any]() (*jsonschema.Schema, error) { return jsonschema.For[T](nil) }

// isOpen: the type says nothing about the document.
func isOpen[T any]() bool {
	var content *T
	switch any(content).(type) {
	case **Value, *any, *json.RawMessage, *map[string]any:
		return true
	}
	return false
}
