// The verbs of the shared scenarios, each one use of the package, and what their tools do.

package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"time"
)

type verb func(*runner, context.Context, *step) (result any, err error)

// errLeft: the consumer left a stream.
var errLeft = errors.New("left")

var verbs map[string]verb

func init() {
	verbs = map[string]verb{
		"open": open, "close": shut, "register_tool": registerTool, "unregister_tool": unregisterTool,
		"execute": execute, "call_tool": callTool, "submit": submit, "cancel": cancel, "await": await,
		"held": held, "release": release, "cancelled": cancelled,
		"watch": watch, "changes": changes, "stop_watch": stopWatch, "watch_end": watchEnd,
		"shutdown": shutdown,
	}
	maps.Copy(verbs, variableVerbs)
}

func open(r *runner, _ context.Context, given *step) (any, error) {
	options := SessionOptions{ID: given.ID, Metadata: meantOrNil(given.Metadata)}
	session, err := r.platform.OpenSession(options)
	if err == nil {
		r.sessions[given.Session] = session
	}
	return nil, err
}

func shut(r *runner, _ context.Context, given *step) (any, error) {
	return nil, r.session(given).Close()
}

func (r *runner) session(given *step) *Session {
	session := r.sessions[given.Session]
	if session == nil {
		r.t.Fatalf("%s: no session %q", given.Do, given.Session)
	}
	return session
}

func registerTool(r *runner, _ context.Context, given *step) (any, error) {
	tool := Tool{
		Name: given.Name, Description: given.Description, Session: r.sessions[given.Session],
		InputSchema: given.InputSchema, OutputSchema: given.OutputSchema,
		ChunkSchema: given.ChunkSchema, Timeout: time.Duration(given.TimeoutMS) * time.Millisecond,
		MaxInFlight: given.MaxInFlight, Idempotent: given.Idempotent,
	}
	does := given.Does
	if does.Hold {
		r.held[given.Name] = newHolding()
	}
	registered, err := RegisterStream(r.platform, tool,
		func(ctx context.Context, arguments *Value, call *Invocation) (any, error) {
			return does.run(ctx, r, given.Name, arguments, call)
		})
	if err == nil {
		r.tools[given.Name] = registered
	}
	return nil, err
}

func unregisterTool(r *runner, ctx context.Context, given *step) (any, error) {
	return nil, r.tools[given.Name].Unregister(ctx)
}

func (s *step) call() Call {
	framework := s.Framework
	if framework == "" {
		framework = "python"
	}
	return Call{
		Framework: framework, Operation: s.Operation, Parameters: meant(s.Parameters), Pool: s.Pool,
		Timeout: time.Duration(s.TimeoutMS) * time.Millisecond,
	}
}

func execute(r *runner, ctx context.Context, given *step) (any, error) {
	session := r.session(given)
	if !given.Stream {
		return shownEnd(session.Execute(ctx, given.call()))
	}
	var result *Value
	chunks := session.Stream(ctx, given.call(), &result)
	return r.chunks(given, chunks, &result)
}

func callTool(r *runner, ctx context.Context, given *step) (any, error) {
	session := r.session(given)
	call := ToolCall{
		Name: given.Name, Arguments: meant(given.Arguments), Pool: given.Pool,
		Timeout: time.Duration(given.TimeoutMS) * time.Millisecond,
	}
	if !given.Stream {
		return shownEnd(session.CallTool(ctx, call))
	}
	var result *Value
	return r.chunks(given, session.StreamTool(ctx, call, &result), &result)
}

func (r *runner) chunks(
	given *step, chunks iter.Seq2[*Value, error], result **Value,
) (any, error) {
	number := 0
	for chunk, err := range chunks {
		if err != nil {
			return nil, err
		}
		content, err := shown(chunk)
		if err != nil {
			return nil, err
		}
		r.write("chunk", number, content)
		if number++; number == given.Take {
			return nil, errLeft
		}
	}
	return shownEnd(*result, nil)
}

func shownEnd(value *Value, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	content, err := shown(value)
	if content == nil && err == nil {
		return json.RawMessage("null"), nil
	}
	return content, err
}

func submit(r *runner, _ context.Context, given *step) (any, error) {
	operation, err := r.session(given).Start(r.t.Context(), given.call())
	if err == nil {
		r.operations[given.As] = operation
	}
	return nil, err
}

func cancel(r *runner, _ context.Context, given *step) (any, error) {
	r.operations[given.Operation].Cancel()
	return nil, nil
}

func await(r *runner, ctx context.Context, given *step) (any, error) {
	return shownEnd(r.operations[given.Operation].Wait(ctx))
}

func held(r *runner, ctx context.Context, given *step) (any, error) {
	select {
	case arguments := <-r.held[given.Name].called:
		return shownEnd(arguments, nil)
	case <-ctx.Done():
		return nil, contextError(ctx.Err())
	}
}

func release(r *runner, ctx context.Context, given *step) (any, error) {
	select {
	case r.held[given.Name].released <- meant(given.Value):
		return nil, nil
	case <-ctx.Done():
		return nil, contextError(ctx.Err())
	}
}

func cancelled(r *runner, ctx context.Context, given *step) (any, error) {
	select {
	case <-r.held[given.Name].cancelled:
		return nil, nil
	case <-ctx.Done():
		return nil, contextError(ctx.Err())
	}
}

func watch(r *runner, _ context.Context, given *step) (any, error) {
	initial := false
	if given.Initial != nil {
		if err := json.Unmarshal(given.Initial, &initial); err != nil {
			return nil, err
		}
	}
	options := WatchOptions{Patterns: given.Patterns, Initial: initial}
	started, err := r.session(given).StartWatch(options)
	if err != nil {
		return nil, err
	}
	made := &watching{watch: started}
	made.next, made.stop = iter.Pull2(started.Changes(r.t.Context()))
	r.watches[given.As] = made
	return nil, nil
}

func changes(r *runner, _ context.Context, given *step) (any, error) {
	for range given.Count {
		change, err, more := r.watches[given.Watch].next()
		if err != nil || !more {
			return nil, errors.Join(err, fmt.Errorf("more changes: %v", more))
		}
		entry := map[string]any{
			"kind": change.Kind, "name": change.Name, "version": change.Version,
		}
		content, err := shown(change.Document)
		if err != nil {
			return nil, err
		}
		for _, key := range []string{"value", "owner"} {
			if part, has := content.(map[string]any)[key]; has {
				entry[key] = part
			}
		}
		r.write("change", entry)
	}
	return nil, nil
}

func stopWatch(r *runner, _ context.Context, given *step) (any, error) {
	stopped := r.watches[given.Watch]
	stopped.watch.Stop()
	for {
		if _, err, more := stopped.next(); !more || err != nil {
			return nil, err
		}
	}
}

func watchEnd(r *runner, _ context.Context, given *step) (any, error) {
	for {
		_, err, more := r.watches[given.Watch].next()
		var own *Error
		if errors.As(err, &own) {
			given.Brief = true
			return nil, own
		}
		if !more {
			return nil, errors.New("the watch ended without a word")
		}
	}
}

func shutdown(r *runner, ctx context.Context, given *step) (any, error) {
	return nil, r.platform.Shutdown(ctx, time.Duration(given.GraceMS)*time.Millisecond)
}

// behaviour is what a tool does.
type behaviour struct {
	Return json.RawMessage
	Echo   bool
	Chunks []json.RawMessage
	Fail   *struct {
		Status, Message string
		Details         json.RawMessage
		Retryable       bool
	}
	Raise   *string
	Execute *step
	Hold    bool
}

// holding is a tool that holds.
type holding struct {
	called    chan *Value
	released  chan any
	cancelled chan struct{}
}

func newHolding() *holding {
	return &holding{make(chan *Value, 16), make(chan any), make(chan struct{}, 16)}
}

func (b *behaviour) run(
	ctx context.Context, r *runner, name string, arguments *Value, call *Invocation,
) (any, error) {
	if b.Hold {
		return r.hold(ctx, name, arguments)
	}
	content, err := shown(arguments)
	if err != nil {
		return nil, err
	}
	r.write("tool", name, content)
	switch {
	case b.Echo:
		return arguments, nil
	case b.Raise != nil:
		panic(*b.Raise)
	case b.Fail != nil:
		return nil, &Error{
			Status: statusNamed(r.t, b.Fail.Status), Message: b.Fail.Message,
			Details: b.Fail.Details, Retryable: b.Fail.Retryable,
		}
	case b.Execute != nil:
		return b.nested(ctx, r, call)
	}
	info, err := call.Info()
	for _, chunk := range b.Chunks {
		if err == nil && info.Stream {
			err = call.Emit(ctx, meant(chunk))
		}
	}
	return meant(b.Return), err
}

// nested runs an operation in the session of the call.
func (b *behaviour) nested(ctx context.Context, r *runner, call *Invocation) (any, error) {
	info, err := call.Info()
	if err != nil {
		return nil, err
	}
	session, err := r.platform.JoinSession(info.Session)
	if err != nil {
		return nil, err
	}
	defer session.Release()
	return session.Execute(ctx, b.Execute.call())
}

func (r *runner) hold(ctx context.Context, name string, arguments *Value) (any, error) {
	holding := r.held[name]
	holding.called <- arguments
	select {
	case answer := <-holding.released:
		return answer, nil
	case <-ctx.Done():
		holding.cancelled <- struct{}{}
		return nil, ctx.Err()
	}
}

func statusNamed(t *testing.T, name string) Status {
	if name == "" {
		return StatusToolFailed
	}
	for status := StatusOK; status <= StatusLeaseLost; status++ {
		if status.String() == name {
			return status
		}
	}
	t.Errorf("no status %q", name)
	return StatusInternal
}

func meantOrNil(text json.RawMessage) any {
	if text == nil {
		return nil
	}
	return text
}

// only keeps some keys of objects, in any list of them.
func only(content any, keys ...string) any {
	switch content := content.(type) {
	case []any:
		for index := range content {
			content[index] = only(content[index], keys...)
		}
	case map[string]any:
		maps.DeleteFunc(content, func(key string, _ any) bool { return !slices.Contains(keys, key) })
	}
	return content
}
