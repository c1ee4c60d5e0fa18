// How calls of tools run: each answers once, whatever the function does. Knows nothing of schemas,
// and not how calls come (see servers.go).

package bridge

/*
#include "crossing.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// calls are those of one tool that run, by their invocation.
type calls struct {
	run      func(context.Context, *Invocation) (any, error)
	mutex    sync.Mutex
	contexts map[C.spb_invocation]*toolContext
	// over: the tool was unregistered, no more begin.
	over  bool
	group sync.WaitGroup
}

// turn is a call that is to be run.
type turn struct {
	calls *calls
	ctx   *toolContext
}

// begin prepares a call that came; false when it is not to be run.
func (c *calls) begin(event event) (turn, bool) {
	ctx := &toolContext{call: Invocation{raw: event.invocation, Arguments: event.value}}
	if !c.note(ctx) {
		event.value.Close()
		C.spb_invocation_free(event.invocation)
		return turn{}, false
	}
	if bool(C.spb_go_is_cancelled(event.invocation)) {
		// Another goroutine may have brought the cancel before there was something to cancel.
		ctx.end()
	}
	return turn{calls: c, ctx: ctx}, true
}

func (c *calls) note(ctx *toolContext) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.over {
		return false
	}
	c.contexts[ctx.call.raw] = ctx
	c.group.Add(1)
	return true
}

// cancel tells a call that nobody waits for it any more.
func (c *calls) cancel(invocation C.spb_invocation) {
	c.mutex.Lock()
	ctx := c.contexts[invocation]
	c.mutex.Unlock()
	if ctx != nil {
		ctx.end()
	}
}

// forget is the end of a call.
func (c *calls) forget(ctx *toolContext) {
	c.mutex.Lock()
	delete(c.contexts, ctx.call.raw)
	c.mutex.Unlock()
	ctx.end()
	c.group.Done()
}

// run runs one call. What it defers happens after a panic and after runtime.Goexit, too.
func (t turn) run() {
	defer t.calls.forget(t.ctx)
	failed := &Error{Status: StatusToolFailed, Message: "the tool ended its goroutine"}
	defer func() {
		if failed == nil {
			// The handle went with the answer.
			return
		}
		t.ctx.call.Arguments.keep()
		t.ctx.call.fail(failed)
		C.spb_invocation_free(t.ctx.call.raw)
	}()
	failed = t.calls.guarded(t.ctx)
}

// guarded runs the function and answers; a panic is its failure.
func (c *calls) guarded(ctx *toolContext) (failed *Error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			message := fmt.Sprintf("the tool panicked: %v", panicked)
			failed = &Error{Status: StatusToolFailed, Message: message}
			slog.Error("snakepit_bridge: "+message, slog.String("stack", string(debug.Stack())))
		}
	}()
	out, err := c.run(ctx, &ctx.call)
	if err == nil {
		err = ctx.call.complete(out)
	}
	return asFailure(err)
}

// asFailure is what Python is told of an error.
func asFailure(err error) *Error {
	if err == nil {
		return nil
	}
	if own, isOwn := err.(*Error); isOwn && own != nil {
		return own
	}
	made := &Error{Status: StatusToolFailed, Message: err.Error()}
	var own *Error
	switch {
	case errors.As(err, &own) && own != nil:
		made.Status, made.Details, made.Retryable = own.Status, own.Details, own.Retryable
	case errors.As(err, &made.Status):
	case errors.Is(err, context.DeadlineExceeded):
		made.Status = StatusDeadline
	case errors.Is(err, context.Canceled):
		made.Status = StatusCancelled
	}
	return made
}

// end lets no more calls begin, and waits until none runs any more, which it tells after: until
// then running calls want to hear of their cancel.
func (c *calls) end(ctx context.Context, after func()) error {
	c.mutex.Lock()
	c.over = true
	c.mutex.Unlock()
	over := make(chan struct{})
	go func() {
		c.group.Wait()
		after()
		close(over)
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return contextError(ctx.Err())
	}
}
