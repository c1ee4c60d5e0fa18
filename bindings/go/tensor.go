package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Element is what tensors are made of in Go. float16 and bfloat16 have no type in Go: read them
// with [Value.Bytes].
type Element interface {
	bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// NewTensor makes a Value that is one tensor, row-major. The elements are copied.
func NewTensor[T Element](data []T, shape ...int64) (*Value, error) {
	var hold lent
	defer hold.Unpin()
	var kind T
	view := C.spb_tensor_view{struct_size: C.sizeof_spb_tensor_view, dtype: dtypeOf(kind)}
	view.len = C.size_t(len(data)) * C.size_t(unsafe.Sizeof(kind))
	view.ndim = C.size_t(len(shape))
	if len(data) > 0 {
		hold.Pin(unsafe.SliceData(data))
		view.data = unsafe.Pointer(unsafe.SliceData(data))
	}
	if len(shape) > 0 {
		hold.Pin(unsafe.SliceData(shape))
		view.shape = (*C.int64_t)(unsafe.SliceData(shape))
	}
	var raw *C.spb_value
	var fault *C.spb_error
	if status := C.spb_value_from_tensor(&view, &raw, &fault); status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	return owned(raw), nil
}

// Bytes makes a Value that is one attachment of bytes, which are copied.
func Bytes(data []byte) (*Value, error) {
	var hold lent
	defer hold.Unpin()
	blob := C.spb_attachment{kind: C.SPB_ATTACHMENT_BLOB, len: C.size_t(len(data))}
	if len(data) > 0 {
		hold.Pin(unsafe.SliceData(data))
		blob.data = (*C.uint8_t)(unsafe.SliceData(data))
	}
	var raw *C.spb_value
	var fault *C.spb_error
	document := hold.text(`{"$spb":{"attachment":0}}`)
	status := C.spb_value_from_parts(document, &blob, 1, &raw, &fault)
	if status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	return owned(raw), nil
}

// Attachments is how many there are.
func (v *Value) Attachments() int {
	defer runtime.KeepAlive(v)
	return int(C.spb_value_attachment_count(v.raw))
}

// Bytes copies attachment index, whatever it is made of.
func (v *Value) Bytes(index int) ([]byte, error) {
	defer runtime.KeepAlive(v)
	var found C.spb_attachment
	var fault *C.spb_error
	status := C.spb_value_attachment(v.raw, C.size_t(index), &found, &fault)
	if status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	return C.GoBytes(unsafe.Pointer(found.data), C.int(found.len)), nil
}

// Tensor copies attachment index, a tensor with elements of exactly this type, and its shape.
func Tensor[T Element](value *Value, index int) (data []T, shape []int64, err error) {
	defer runtime.KeepAlive(value)
	view := C.spb_tensor_view{struct_size: C.sizeof_spb_tensor_view}
	var fault *C.spb_error
	status := C.spb_value_tensor_view(value.raw, C.size_t(index), &view, &fault)
	if status != C.SPB_OK {
		return nil, nil, failure(status, fault)
	}
	var kind T
	if view.dtype != dtypeOf(kind) {
		message := fmt.Sprintf("attachment %d has elements of dtype %d, not %T", index, view.dtype, kind)
		return nil, nil, &Error{Status: StatusTypeMismatch, Message: message}
	}
	data = make([]T, int(view.len)/int(unsafe.Sizeof(kind)))
	if len(data) > 0 {
		to := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), int(view.len))
		copy(to, unsafe.Slice((*byte)(view.data), int(view.len)))
	}
	shape = make([]int64, int(view.ndim))
	copy(shape, unsafe.Slice((*int64)(view.shape), int(view.ndim)))
	return data, shape, nil
}

func dtypeOf(kind any) C.uint32_t {
	switch kind.(type) {
	case bool:
		return C.SPB_DTYPE_BOOL
	case int8:
		return C.SPB_DTYPE_INT8
	case int16:
		return C.SPB_DTYPE_INT16
	case int32:
		return C.SPB_DTYPE_INT32
	case int64:
		return C.SPB_DTYPE_INT64
	case uint8:
		return C.SPB_DTYPE_UINT8
	case uint16:
		return C.SPB_DTYPE_UINT16
	case uint32:
		return C.SPB_DTYPE_UINT32
	case uint64:
		return C.SPB_DTYPE_UINT64
	case float32:
		return C.SPB_DTYPE_FLOAT32
	}
	return C.SPB_DTYPE_FLOAT64
}
