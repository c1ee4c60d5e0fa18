// How calls of tools run: each in a goroutine, which answers once whatever the function does. Knows
// nothing of schemas.

package bridge

/*
#include <snakepit_bridge.h>
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
	run     func(context.Context, *Invocation) (any, error)
	mutex   sync.Mutex
	cancels map[C.spb_invocation]context.CancelFunc
	group   sync.WaitGroup
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

// answer runs one call. What it defers happens after a panic and after runtime.Goexit, too.
func (c *calls) answer(ctx context.Context, invocation *Invocation) {
	defer c.group.Done()
	defer func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.cancels[invocation.raw]()
		delete(c.cancels, invocation.raw)
	}()
	// Frees an answered call's handle; of one that was not answered it tells Python so.
	defer C.spb_invocation_free(invocation.raw)
	ctx = &toolContext{Context: ctx, invocation: invocation}
	var result *Value
	failed := &Error{Status: StatusToolFailed, Message: "the tool ended its goroutine"}
	defer func() {
		if failed == nil {
			// A result that breaks the tool's schema is refused, and Python is told so.
			failed = asFailure(invocation.complete(result))
		}
		if failed != nil {
			invocation.fail(failed)
		}
	}()
	result, failed = c.guarded(ctx, invocation)
}

// guarded runs the function; a panic is its failure.
func (c *calls) guarded(
	ctx context.Context, invocation *Invocation,
) (result *Value, failed *Error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			message := fmt.Sprintf("the tool panicked: %v", panicked)
			failed = &Error{Status: StatusToolFailed, Message: message}
			slog.Error("snakepit_bridge: "+message, slog.String("stack", string(debug.Stack())))
		}
	}()
	out, err := c.run(ctx, invocation)
	if err != nil {
		return nil, asFailure(err)
	}
	result, err = NewValue(out)
	return result, asFailure(err)
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

// wait waits until none runs any more.
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
