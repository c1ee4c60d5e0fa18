// Values: documents with what they refer to, owned by the library and lent to its calls. Knows
// nothing of what is done with them; how Go content becomes one is in content.go.

package bridge

/*
#include "crossing.h"
*/
import "C"

import (
	"bytes"
	"encoding/json"
	"runtime"
	"sync"
	"unsafe"
)

// Value is a JSON document and the bytes and tensors that it refers to, in memory of the library.
// It is immutable and may be used by any goroutine. It is freed when the collector finds it, or by
// Close, which is worth it for large ones: the collector does not see what they weigh.
type Value struct {
	mutex   sync.RWMutex
	raw     *C.spb_value
	cleanup runtime.Cleanup
	// kept: the collector frees it.
	kept bool
}

// JSON makes a Value of a document, which is checked at once: StatusInvalidArgument with the place
// of the fault, or StatusUTF8.
func JSON[Text ~string | ~[]byte](document Text) (*Value, error) {
	raw, err := parse([]byte(document))
	if err != nil {
		return nil, err
	}
	return owned(raw), nil
}

// parse makes a C value of a document.
func parse(document []byte) (raw cValue, err error) {
	text := view(unsafe.String(unsafe.SliceData(document), len(document)))
	err = check(func(fault *cFault) cStatus { return C.spb_value_from_json(text, &raw, fault) })
	return raw, err
}

// JSON is the document; nil of a closed Value.
func (v *Value) JSON() json.RawMessage {
	document, _ := v.look()
	return document
}

// look is the document, and how many attachments there are; nil of a closed Value.
func (v *Value) look() (document []byte, attachments int) {
	raw, err := v.lend()
	if err != nil {
		return nil, 0
	}
	defer v.giveBack()
	found := C.spb_go_look(raw)
	view := unsafe.Slice((*byte)(unsafe.Pointer(found.document.ptr)), int(found.document.len))
	return bytes.Clone(view), int(found.attachments)
}

// String is the document.
func (v *Value) String() string { return string(v.JSON()) }

// MarshalJSON writes the document, so that a Value may stand inside others. Attachments cannot
// travel this way, and are refused: see [NewValue] and [Compose].
func (v *Value) MarshalJSON() ([]byte, error) {
	if v.Attachments() > 0 {
		message := "a Value with attachments stands in a struct: use a map, or Compose"
		return nil, &Error{Status: StatusInvalidArgument, Message: message}
	}
	if document := v.JSON(); document != nil {
		return document, nil
	}
	return nil, errValueClosed
}

// Close frees the Value now rather than later. It is an io.Closer; closing again does no harm. What
// is asked of a closed Value is empty, or fails with StatusClosed.
func (v *Value) Close() error {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.raw != nil {
		v.cleanup.Stop()
		C.spb_value_free(v.raw)
		v.raw = nil
	}
	return nil
}

// lend is the C value, which lives until giveBack.
func (v *Value) lend() (*C.spb_value, error) {
	if v == nil {
		return nil, &Error{Status: StatusNullArgument, Message: "the *Value is nil"}
	}
	v.mutex.RLock()
	if v.raw == nil {
		v.mutex.RUnlock()
		return nil, errValueClosed
	}
	return v.raw, nil
}

func (v *Value) giveBack() { v.mutex.RUnlock() }

// owned makes a Value of a C value, which is its own from now on.
func owned(raw *C.spb_value) *Value { return loose(raw).keep() }

// loose is owned for a Value that is sure to be closed, which costs less, or to be kept.
func loose(raw *C.spb_value) *Value { return &Value{raw: raw} }

// keep lets the collector free a Value that is not closed.
func (v *Value) keep() *Value {
	if v == nil {
		return nil
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.raw != nil && !v.kept {
		v.kept = true
		v.cleanup = runtime.AddCleanup(v, freeValue, v.raw)
	}
	return v
}

func freeValue(raw *C.spb_value) { C.spb_value_free(raw) }

// give calls a C function that makes a value.
func give(call func(out *cValue, fault *cFault) cStatus) (*Value, error) {
	var raw *C.spb_value
	var fault *C.spb_error
	if status := call(&raw, &fault); status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	return owned(raw), nil
}

var errValueClosed = &Error{Status: StatusClosed, Message: "the Value was closed"}
