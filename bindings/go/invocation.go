package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"time"
)

// Invocation is one call of a tool by Python.
type Invocation struct {
	raw       C.spb_invocation
	Arguments *Value
}

// Info tells of a call beside its arguments.
type Info struct {
	Tool                string `json:"tool"`
	Session             string `json:"session"`
	Operation           uint64 `json:"operation"`
	Traceparent         string `json:"traceparent"`
	DeadlineRemainingMS *int64 `json:"deadline_remaining_ms"`
	// Stream: the caller takes chunks.
	Stream bool `json:"stream"`
	Depth  int  `json:"depth"`
}

// Info tells of the call.
func (i *Invocation) Info() (Info, error) {
	value, err := give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_invocation_info(i.raw, out, fault)
	})
	if err != nil {
		return Info{}, err
	}
	return As[Info](value)
}

// Emit sends a chunk ahead of the answer. It waits, until ctx ends, while Python is a whole window
// behind; StatusState: the caller takes no chunks.
func (i *Invocation) Emit(ctx context.Context, chunk any) error {
	value, err := NewValue(chunk)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(value)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		var fault *C.spb_error
		err := failure(C.spb_invocation_emit(i.raw, value.raw, &fault), fault)
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

// invocationKey finds the running tool call in a context.
type invocationKey struct{}

func (i *Invocation) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	info, err := i.Info()
	if err != nil || info.DeadlineRemainingMS == nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(*info.DeadlineRemainingMS)*time.Millisecond)
}

func (i *Invocation) complete(result *Value) error {
	defer runtime.KeepAlive(result)
	var fault *C.spb_error
	return failure(C.spb_invocation_complete(i.raw, result.raw, &fault), fault)
}

func (i *Invocation) fail(cause error) {
	var hold lent
	defer hold.Unpin()
	options := C.spb_failure_options{struct_size: C.sizeof_spb_failure_options}
	options.message = hold.text(cause.Error())
	var own *Error
	if errors.As(cause, &own) {
		options.status = C.spb_status(own.Status)
		options.message = hold.text(own.Message)
		var object map[string]json.RawMessage
		if json.Unmarshal(own.Details, &object) == nil {
			options.details_json = hold.bytes(own.Details)
		}
		if own.Retryable {
			options.flags = C.SPB_FAILURE_RETRYABLE
		}
	}
	C.spb_invocation_fail(i.raw, &options, nil)
}
