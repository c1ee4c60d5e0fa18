// Statuses: how a call can end. Errors with their circumstances are in errors.go.

package bridge

/*
#cgo pkg-config: snakepit_bridge
#include <snakepit_bridge.h>
*/
import "C"

// Status says how a call ended. A Status is an error itself, so that errors.Is(err,
// bridge.StatusNotFound) tells what kind of failure an error is.
type Status int32

// The statuses of the C ABI; docs/c-abi.md says what each means. Numbers never change.
const (
	StatusOK                       Status = C.SPB_OK
	StatusAgain                    Status = C.SPB_E_AGAIN
	StatusInvalidArgument          Status = C.SPB_E_INVALID_ARGUMENT
	StatusNullArgument             Status = C.SPB_E_NULL_ARGUMENT
	StatusHandle                   Status = C.SPB_E_HANDLE
	StatusUTF8                     Status = C.SPB_E_UTF8
	StatusState                    Status = C.SPB_E_STATE
	StatusBusy                     Status = C.SPB_E_BUSY
	StatusClosed                   Status = C.SPB_E_CLOSED
	StatusCancelled                Status = C.SPB_E_CANCELLED
	StatusDeadline                 Status = C.SPB_E_DEADLINE
	StatusNotFound                 Status = C.SPB_E_NOT_FOUND
	StatusAlreadyExists            Status = C.SPB_E_ALREADY_EXISTS
	StatusAlreadyCompleted         Status = C.SPB_E_ALREADY_COMPLETED
	StatusVersionConflict          Status = C.SPB_E_VERSION_CONFLICT
	StatusTypeMismatch             Status = C.SPB_E_TYPE_MISMATCH
	StatusConstraint               Status = C.SPB_E_CONSTRAINT
	StatusResourceExhausted        Status = C.SPB_E_RESOURCE_EXHAUSTED
	StatusUnavailable              Status = C.SPB_E_UNAVAILABLE
	StatusWorkerLost               Status = C.SPB_E_WORKER_LOST
	StatusPythonException          Status = C.SPB_E_PYTHON_EXCEPTION
	StatusToolFailed               Status = C.SPB_E_TOOL_FAILED
	StatusProtocol                 Status = C.SPB_E_PROTOCOL
	StatusUnsupported              Status = C.SPB_E_UNSUPPORTED
	StatusABIMismatch              Status = C.SPB_E_ABI_MISMATCH
	StatusForked                   Status = C.SPB_E_FORKED
	StatusWouldDeadlock            Status = C.SPB_E_WOULD_DEADLOCK
	StatusPanic                    Status = C.SPB_E_PANIC
	StatusInternal                 Status = C.SPB_E_INTERNAL
	StatusWorkerHung               Status = C.SPB_E_WORKER_HUNG
	StatusSessionWorkerUnavailable Status = C.SPB_E_SESSION_WORKER_UNAVAILABLE
	StatusStore                    Status = C.SPB_E_STORE
	StatusLeaseLost                Status = C.SPB_E_LEASE_LOST
)

// String is the name without a prefix, such as "NOT_FOUND".
func (s Status) String() string { return C.GoString(C.spb_status_name(C.spb_status(s))) }

// Error makes a Status an error, for errors.Is.
func (s Status) Error() string { return s.String() }
