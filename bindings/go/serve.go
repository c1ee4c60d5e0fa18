// How calls of tools run: each answers once, whatever the function does. Knows nothing of schemas,
// and not how calls come (see servers.go).

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
	// over: the tool was unregistered, no more begin.
	over  bool
	group sync.WaitGroup
}

// begin prepares a call that came, and gives what runs it.
func (c *calls) begin(event event) func() {
	invocation := &Invocation{raw: event.invocation, Arguments: event.value}
	ctx, cancel := context.WithCancel(context.Background())
	if !c.note(invocation.raw, cancel) {
		cancel()
		C.spb_invocation_free(invocation.raw)
		return nil
	}
	var isCancelled C.uint8_t
	C.spb_invocation_is_cancelled(invocation.raw, &isCancelled, nil)
	if isCancelled != 0 {
		// Another goroutine may have brought the cancel before there was something to cancel.
		cancel()
	}
	return func() { c.answer(ctx, invocation) }
}

func (c *calls) note(invocation C.spb_invocation, cancel context.CancelFunc) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.over {
		return false
	}
	c.cancels[invocation] = cancel
	c.group.Add(1)
	return true
}

// cancel tells a call that nobody waits for it any more.
func (c *calls) cancel(invocation C.spb_invocation) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if cancel := c.cancels[invocation]; cancel != nil {
		cancel()
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
	failed := &Error{Status: StatusToolFailed, Message: "the tool ended its goroutine"}
	defer func() {
		if failed != nil {
			invocation.fail(failed)
		}
	}()
	failed = c.guarded(ctx, invocation)
}

// guarded runs the function and answers; a panic is its failure.
func (c *calls) guarded(ctx context.Context, invocation *Invocation) (failed *Error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			message := fmt.Sprintf("the tool panicked: %v", panicked)
			failed = &Error{Status: StatusToolFailed, Message: message}
			slog.Error("snakepit_bridge: "+message, slog.String("stack", string(debug.Stack())))
		}
	}()
	out, err := c.run(ctx, invocation)
	if err == nil {
		err = invocation.complete(out)
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
