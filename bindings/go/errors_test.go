// What errors are to errors.Is and errors.As, for every status.

package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
)

var (
	_ io.Closer = (*Platform)(nil)
	_ io.Closer = (*Session)(nil)
	_ io.Closer = (*Watch)(nil)
	_ io.Closer = (*Value)(nil)
)

func TestErrorsTellTheirStatus(t *testing.T) {
	contexts := map[Status]error{
		StatusCancelled: context.Canceled, StatusDeadline: context.DeadlineExceeded,
	}
	for status := StatusOK + 1; status <= StatusLeaseLost; status++ {
		if status.String() == "UNKNOWN" || status.String() == "" {
			t.Errorf("status %d has no name", int32(status))
		}
		err := fmt.Errorf("asking: %w", &Error{Status: status, Message: "why"})
		for other := StatusOK + 1; other <= StatusLeaseLost; other++ {
			if errors.Is(err, other) != (other == status) {
				t.Errorf("%v is %v: %v", status, other, errors.Is(err, other))
			}
		}
		var own *Error
		if !errors.As(err, &own) || own.Error() != status.String()+": why" {
			t.Error(own)
		}
		var found Status
		if !errors.As(err, &found) || found != status {
			t.Error(found)
		}
		for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
			if errors.Is(err, end) != (contexts[status] == end) {
				t.Errorf("%v is %v: %v", status, end, errors.Is(err, end))
			}
		}
	}
	if Status(StatusLeaseLost+1).String() != "UNKNOWN" {
		t.Error("the table ends before the statuses do")
	}
	if (&Error{Status: StatusBusy}).Error() != "BUSY" {
		t.Error("an error without a message")
	}
}
