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

// Register registers a variable with its first value, as version 1.
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

// Get reads a variable.
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

// Set writes a variable and gives its new version.
func (s *Session) Set(name string, content any, write Write) (version uint64, err error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	options := write.options(&hold)
	return written(content, func(value cValue, out *C.uint64_t, fault *cFault) cStatus {
		return C.spb_variable_set_with(s.raw, hold.text(name), value, &options, out, fault)
	})
}

// Update reads, reckons and writes in one step; update is a document such as {"add": 1}. It gives
// the value as it is then.
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
	defer runtime.KeepAlive(document)
	options := write.options(&hold)
	var at C.uint64_t
	value, err = give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_variable_update(s.raw, hold.text(name), document.raw, &options, out, &at, fault)
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

// Variables lists those whose names match pattern ('*' stands for any text; empty: all).
func (s *Session) Variables(pattern string) (*Value, error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_variable_list(s.raw, hold.text(pattern), out, fault)
	})
}

// Delete deletes a variable.
func (s *Session) Delete(name string, write Write) error {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	options := write.options(&hold)
	var fault *C.spb_error
	return failure(C.spb_variable_delete_with(s.raw, hold.text(name), &options, &fault), fault)
}

// Lock keeps everybody but owner from writing a variable for that time.
func (s *Session) Lock(name, owner string, ttl time.Duration) error {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	var fault *C.spb_error
	time := C.uint64_t(max(0, ttl.Milliseconds()))
	return failure(C.spb_variable_lock(s.raw, hold.text(name), hold.text(owner), time, &fault), fault)
}

// Unlock gives a locked variable back.
func (s *Session) Unlock(name, owner string) error {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	var fault *C.spb_error
	return failure(C.spb_variable_unlock(s.raw, hold.text(name), hold.text(owner), &fault), fault)
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
	defer runtime.KeepAlive(value)
	var version C.uint64_t
	var fault *C.spb_error
	status := write(value.raw, &version, &fault)
	return uint64(version), failure(status, fault)
}
