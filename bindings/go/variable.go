// Variables of a session, one at a time. Several at once are in variables.go, changes in watch.go.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"encoding/json"
	"runtime"
	"time"
)

// Variable describes a variable to register.
type Variable struct {
	Name string
	// Type: "string", "integer", "float", "boolean", "choice", "json", "bytes", "program",
	// "embedding" or "tensor".
	Type string
	// Constraints and Metadata: anything that encoding/json writes as an object; nil: none.
	Constraints any
	Metadata    any
}

// Write says on what condition a variable is written. Zero means no condition.
type Write struct {
	// ExpectedVersion: only over exactly this version.
	ExpectedVersion uint64
	// Owner gets past a lock of their own.
	Owner string
}

// Register registers a variable with its first value, as version 1. Errors: StatusAlreadyExists,
// StatusTypeMismatch, StatusConstraint, StatusInvalidArgument and others.
func (s *Session) Register(variable Variable, initial any) (version uint64, err error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	options := C.spb_variable_options{struct_size: C.sizeof_spb_variable_options}
	options.name = hold.text(variable.Name)
	options._type = hold.text(variable.Type)
	for _, each := range []struct {
		content any
		view    *C.spb_str
	}{{variable.Constraints, &options.constraints_json}, {variable.Metadata, &options.metadata_json}} {
		if each.content == nil {
			continue
		}
		document, err := json.Marshal(each.content)
		if err != nil {
			return 0, &Error{Status: StatusInvalidArgument, Message: err.Error()}
		}
		*each.view = hold.bytes(document)
	}
	return written(initial, func(value cValue, out *C.uint64_t, fault *cFault) cStatus {
		return C.spb_variable_register(s.raw, &options, value, out, fault)
	})
}

// Get reads a variable as T, and the version that this value is.
func Get[T any](session *Session, name string) (content T, version uint64, err error) {
	value, version, err := session.Get(name)
	if err != nil {
		return content, 0, err
	}
	content, err = As[T](value)
	return content, version, err
}

// Get reads a variable, and the version that this value is. Errors: StatusNotFound, StatusClosed and
// others.
func (s *Session) Get(name string) (value *Value, version uint64, err error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	var at C.uint64_t
	value, err = give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_variable_get(s.raw, hold.text(name), out, &at, fault)
	})
	return value, uint64(at), err
}

// Set writes a variable and gives its new version. Errors: StatusNotFound, StatusVersionConflict,
// StatusTypeMismatch, StatusConstraint, StatusBusy where another owner has a lock, and others.
func (s *Session) Set(name string, content any, write Write) (version uint64, err error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	options := write.options(&hold)
	return written(content, func(value cValue, out *C.uint64_t, fault *cFault) cStatus {
		return C.spb_variable_set_with(s.raw, hold.text(name), value, &options, out, fault)
	})
}

// Update reads, reckons and writes in one step that no other writer comes into; update is a document
// such as {"add": 1} or {"append": [4]} (docs/state.md). It gives the value as it is then.
func (s *Session) Update(
	name string, update any, write Write,
) (value *Value, version uint64, err error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	document, err := NewValue(update)
	if err != nil {
		return nil, 0, err
	}
	raw, err := document.lend()
	if err != nil {
		return nil, 0, err
	}
	defer document.giveBack()
	options := write.options(&hold)
	var at C.uint64_t
	value, err = give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_variable_update(s.raw, hold.text(name), raw, &options, out, &at, fault)
	})
	return value, uint64(at), err
}

// Rollback writes the value that a version had, as a new version.
func (s *Session) Rollback(name string, version uint64, write Write) (uint64, error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	options := write.options(&hold)
	var at C.uint64_t
	var fault *C.spb_error
	earlier := C.uint64_t(version)
	status := C.spb_variable_rollback(s.raw, hold.text(name), earlier, &options, &at, &fault)
	return uint64(at), failure(status, fault)
}

// History reads the earlier values that are kept and the current one, oldest first.
func (s *Session) History(name string) (*Value, error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_variable_history(s.raw, hold.text(name), out, fault)
	})
}

// Variables lists those whose names match pattern ('*' stands for any text; empty: all), in the
// order of their names: at most limit (0: 10000, which is the most) behind the name after (empty:
// from the first). A page that is not full is the last. It is an array of {"name", "type", "id",
// "version", "value", "constraints", "metadata"}, with "lock" where there is one.
func (s *Session) Variables(pattern, after string, limit int) (*Value, error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	return give(func(out *cValue, fault *cFault) cStatus {
		names, behind := hold.text(pattern), hold.text(after)
		return C.spb_variable_list_page(s.raw, names, behind, C.size_t(limit), out, fault)
	})
}

// Delete deletes a variable.
func (s *Session) Delete(name string, write Write) error {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	options := write.options(&hold)
	return check(func(fault *cFault) cStatus {
		return C.spb_variable_delete_with(s.raw, hold.text(name), &options, fault)
	})
}

// Lock keeps everybody but owner (1 to 128 bytes) from writing a variable for that time; everybody
// may read. The same owner's time starts again. Errors: StatusBusy, whose details name the owner.
func (s *Session) Lock(name, owner string, ttl time.Duration) error {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	time := C.uint64_t(max(0, ttl.Milliseconds()))
	return check(func(fault *cFault) cStatus {
		return C.spb_variable_lock(s.raw, hold.text(name), hold.text(owner), time, fault)
	})
}

// Unlock gives a locked variable back; one that nobody has is left as it is.
func (s *Session) Unlock(name, owner string) error {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	return check(func(fault *cFault) cStatus {
		return C.spb_variable_unlock(s.raw, hold.text(name), hold.text(owner), fault)
	})
}

func (w *Write) options(hold *lent) C.spb_write_options {
	options := C.spb_write_options{struct_size: C.sizeof_spb_write_options}
	options.expected_version = C.uint64_t(w.ExpectedVersion)
	options.owner = hold.text(w.Owner)
	return options
}

// written makes a value of content and calls a C function that writes it.
func written(content any, write func(cValue, *C.uint64_t, *cFault) cStatus) (uint64, error) {
	value, err := NewValue(content)
	if err != nil {
		return 0, err
	}
	raw, err := value.lend()
	if err != nil {
		return 0, err
	}
	defer value.giveBack()
	var version C.uint64_t
	err = check(func(fault *cFault) cStatus { return write(raw, &version, fault) })
	return uint64(version), err
}
