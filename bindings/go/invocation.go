// One call of a tool, as the tool sees it. How calls run is in serve.go.

package bridge

/*
#include "crossing.h"
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Invocation is one call of a tool, good until the tool's function returns.
type Invocation struct {
	raw C.spb_invocation
	// Arguments, which the tool's input schema accepts.
	Arguments *Value
}

// Info tells of a call beside its arguments.
type Info struct {
	Tool        string `json:"tool"`
	Session     string `json:"session"`
	Operation   uint64 `json:"operation"`
	Traceparent string `json:"traceparent"`
	// DeadlineRemainingMS: milliseconds that the caller still waits; nil: for ever.
	DeadlineRemainingMS *int64 `json:"deadline_remaining_ms"`
	// Stream: the caller takes chunks.
	Stream bool `json:"stream"`
	// Depth: how deep calls are nested.
	Depth int `json:"depth"`
}

// Info tells of the call.
func (i *Invocation) Info() (Info, error) {
	value, err := give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_invocation_info(i.raw, out, fault)
	})
	if err != nil {
		return Info{}, err
	}
	return consume[Info](value)
}

// Emit sends a chunk ahead of the answer. It waits, until ctx ends, while Python is a whole window
// behind. Errors: StatusState when the caller takes no chunks (see Info.Stream),
// StatusInvalidArgument for one that breaks the tool's chunk schema, StatusCancelled when nobody
// waits any more.
func (i *Invocation) Emit(ctx context.Context, chunk any) error {
	return lending(chunk, func(raw cValue) error { return i.emit(ctx, raw) })
}

func (i *Invocation) emit(ctx context.Context, raw cValue) error {
	// C says when there is no room, not when there is again: the pauses grow to a hundredth second.
	for pause := pauseMin; ; pause = min(2*pause, pauseMax) {
		err := check(func(fault *cFault) cStatus { return C.spb_invocation_emit(i.raw, raw, fault) })
		if !errors.Is(err, StatusAgain) {
			return err
		}
		select {
		case <-ctx.Done():
			return contextError(ctx.Err())
		case <-time.After(pause):
		}
	}
}

const (
	pauseMin = 100 * time.Microsecond
	pauseMax = 10 * time.Millisecond
)

// invocationKey finds the running tool call in a context.
type invocationKey struct{}

// toolContext is a tool call's context. What only some tools ask for is made when they do: the
// channel of its end, and its deadline, which is a question to the library. That the deadline has
// passed the library tells by ending the call.
type toolContext struct {
	call  Invocation
	mutex sync.Mutex
	over  bool
	// What tells of the end, once it was asked for.
	told   context.Context
	cancel context.CancelFunc

	asked    sync.Once
	deadline time.Time
}

// end is that of the context: nobody waits for the answer any more, or it was given.
func (c *toolContext) end() {
	c.mutex.Lock()
	c.over = true
	cancel := c.cancel
	c.mutex.Unlock()
	if cancel != nil {
		cancel()
	}
}

func (c *toolContext) Done() <-chan struct{} { return c.teller().Done() }

// Value finds the call itself, and for the contexts made from this one what tells of the end.
func (c *toolContext) Value(key any) any {
	if key == (invocationKey{}) {
		return c.call.raw
	}
	return c.teller().Value(key)
}

func (c *toolContext) Deadline() (time.Time, bool) {
	c.asked.Do(func() {
		info, err := c.call.Info()
		if err == nil && info.DeadlineRemainingMS != nil {
			left := time.Duration(*info.DeadlineRemainingMS) * time.Millisecond
			c.deadline = time.Now().Add(left)
		}
	})
	return c.deadline, !c.deadline.IsZero()
}

func (c *toolContext) Err() error {
	c.mutex.Lock()
	isOver := c.over
	c.mutex.Unlock()
	if !isOver {
		return nil
	}
	if deadline, has := c.Deadline(); has && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// teller is a context of the standard library that ends with this one.
func (c *toolContext) teller() context.Context {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.told == nil {
		c.told, c.cancel = context.WithCancel(context.Background())
		if c.over {
			c.cancel()
		}
	}
	return c.told
}

// complete answers. A result that breaks the tool's schema is refused.
func (i *Invocation) complete(result any) error {
	if result == nil {
		result = null
	}
	return giving(result, func(given cContent) error {
		outcome := C.spb_go_answer(i.raw, given)
		return failure(outcome.status, outcome.fault)
	})
}

// null is the document of no content.
var null = json.RawMessage("null")

// fail tells Python why there is no result. What C does not take of it is left out.
func (i *Invocation) fail(cause *Error) {
	var hold lent
	defer hold.Unpin()
	options := C.spb_failure_options{struct_size: C.sizeof_spb_failure_options}
	options.status = C.spb_status(cause.Status)
	options.message = hold.text(strings.ToValidUTF8(cause.Message, "\ufffd"))
	var object map[string]json.RawMessage
	if json.Unmarshal(cause.Details, &object) == nil && utf8.Valid(cause.Details) {
		options.details_json = hold.bytes(cause.Details)
	}
	if cause.Retryable {
		options.flags = C.SPB_FAILURE_RETRYABLE
	}
	if C.spb_invocation_fail(i.raw, &options, nil) == C.SPB_E_INVALID_ARGUMENT {
		// A status that is none, or details that are nested too deep.
		options.status, options.details_json = C.SPB_E_TOOL_FAILED, C.spb_str{}
		C.spb_invocation_fail(i.raw, &options, nil)
	}
}
