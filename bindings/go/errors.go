// Errors, and how what C returns becomes one. Knows nothing of what was called.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"context"
	"encoding/json"
)

// Error is a failure with its circumstances.
//
// errors.Is finds its Status, context.Canceled behind StatusCancelled and
// context.DeadlineExceeded behind StatusDeadline.
type Error struct {
	Status Status
	// Message is a lower-case fragment that names what is wrong.
	Message string
	// Details are the circumstances for programs, a JSON object; nil if there are none.
	Details json.RawMessage
	// Retryable: the same call may succeed later without a change.
	Retryable bool
	// PythonType and PythonTraceback tell of the Python exception behind it; empty if none.
	PythonType      string
	PythonTraceback string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Status.String()
	}
	return e.Status.String() + ": " + e.Message
}

// Unwrap is the Status, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Status }

// Is reports whether target is the context error that says what this error's Status does.
func (e *Error) Is(target error) bool {
	switch target {
	case context.Canceled:
		return e.Status == StatusCancelled
	case context.DeadlineExceeded:
		return e.Status == StatusDeadline
	}
	return false
}

// check calls a C function.
func check(call func(fault *cFault) cStatus) error {
	var fault cFault
	status := call(&fault)
	return failure(status, fault)
}

// failure makes an Error of what a C function returned, and frees it.
func failure(status C.spb_status, raw *C.spb_error) error {
	if status == C.SPB_OK {
		return nil
	}
	made := &Error{Status: Status(status)}
	if raw == nil {
		return made
	}
	defer C.spb_error_free(raw)
	made.Message = goString(C.spb_error_message(raw))
	made.Retryable = C.spb_error_retryable(raw) != 0
	made.PythonType = goString(C.spb_error_python_type(raw))
	made.PythonTraceback = goString(C.spb_error_python_traceback(raw))
	if details := goString(C.spb_error_details_json(raw)); details != "" && details != "{}" {
		made.Details = json.RawMessage(details)
	}
	return made
}
