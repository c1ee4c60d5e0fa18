package bridge

/*
#include <stdlib.h>
#include <snakepit_bridge.h>
*/
import "C"

import (
	"bytes"
	"encoding/json"
	"runtime"
	"unsafe"
)

// Value is a JSON document and the bytes and tensors that it refers to. It is immutable, may be
// used by any goroutine, and is freed when nothing refers to it any more.
type Value struct{ raw *C.spb_value }

// NewValue makes a Value of anything that encoding/json can write. A *Value is taken as it is; for
// bytes, tensors and documents that hold them see [Bytes], [NewTensor] and [Compose].
func NewValue(content any) (*Value, error) {
	switch content := content.(type) {
	case *Value:
		return content, nil
	case json.RawMessage:
		return JSON(content)
	}
	document, err := json.Marshal(content)
	if err != nil {
		return nil, &Error{Status: StatusInvalidArgument, Message: err.Error()}
	}
	return JSON(document)
}

// JSON makes a Value of a document, which is checked at once.
func JSON[Text ~string | ~[]byte](document Text) (*Value, error) {
	var hold lent
	defer hold.Unpin()
	view := hold.bytes([]byte(document))
	var raw *C.spb_value
	var fault *C.spb_error
	if status := C.spb_value_from_json(view, &raw, &fault); status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	return owned(raw), nil
}

// Compose makes a Value of a document and the attachments of values, one after the other, without
// a copy of them. `{"$spb": {"attachment": 0}}` in the document stands for the first.
func Compose(document string, values ...*Value) (*Value, error) {
	var hold lent
	defer hold.Unpin()
	raws := make([]*C.spb_value, len(values))
	for index, value := range values {
		raws[index] = value.raw
	}
	var first **C.spb_value
	if len(raws) > 0 {
		first = (**C.spb_value)(C.malloc(C.size_t(len(raws)) * C.size_t(unsafe.Sizeof(raws[0]))))
		defer C.free(unsafe.Pointer(first))
		copy(unsafe.Slice(first, len(raws)), raws)
	}
	var raw *C.spb_value
	var fault *C.spb_error
	status := C.spb_value_compose(hold.text(document), first, C.size_t(len(raws)), &raw, &fault)
	runtime.KeepAlive(values)
	if status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	return owned(raw), nil
}

// JSON is the document.
func (v *Value) JSON() json.RawMessage {
	defer runtime.KeepAlive(v)
	view := C.spb_value_json(v.raw)
	return C.GoBytes(unsafe.Pointer(view.ptr), C.int(view.len))
}

// String is the document.
func (v *Value) String() string { return string(v.JSON()) }

// MarshalJSON writes the document, so that a Value may stand inside others. Attachments do not
// travel this way: see [Compose].
func (v *Value) MarshalJSON() ([]byte, error) { return v.JSON(), nil }

// Into reads the document into what target points to, as encoding/json does. Numbers that land in
// an any become json.Number, which keeps each digit; a **Value gets the value itself.
func (v *Value) Into(target any) error {
	switch target := target.(type) {
	case nil:
		return nil
	case **Value:
		*target = v
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(v.JSON()))
	decoder.UseNumber()
	if err := decoder.Decode(target); err != nil {
		return &Error{Status: StatusTypeMismatch, Message: err.Error()}
	}
	return nil
}

// As reads a Value as T.
func As[T any](value *Value) (T, error) {
	var content T
	err := value.Into(&content)
	return content, err
}

func owned(raw *C.spb_value) *Value {
	value := &Value{raw}
	runtime.AddCleanup(value, func(raw *C.spb_value) { C.spb_value_free(raw) }, raw)
	return value
}
