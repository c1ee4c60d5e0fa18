// Bytes and tensors in a Value, as Go slices: they are copied in and out.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"fmt"
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
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_value_from_tensor(&view, out, fault)
	})
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
	document := hold.text(tagOf(0))
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_value_from_parts(document, &blob, 1, out, fault)
	})
}

// Attachments is how many there are.
func (v *Value) Attachments() int {
	raw, err := v.lend()
	if err != nil {
		return 0
	}
	defer v.giveBack()
	return int(C.spb_value_attachment_count(raw))
}

// Bytes copies attachment index, whatever it is made of. Errors: StatusNotFound.
func (v *Value) Bytes(index int) ([]byte, error) {
	raw, err := v.lend()
	if err != nil {
		return nil, err
	}
	defer v.giveBack()
	var found C.spb_attachment
	var fault *C.spb_error
	status := C.spb_value_attachment(raw, C.size_t(index), &found, &fault)
	if status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	copied := make([]byte, int(found.len))
	copy(copied, unsafe.Slice((*byte)(found.data), len(copied)))
	return copied, nil
}

// Tensor copies attachment index, a tensor with elements of exactly this type, row-major, and its
// shape, which is empty for a scalar. Errors: StatusTypeMismatch, StatusNotFound.
func Tensor[T Element](value *Value, index int) (data []T, shape []int64, err error) {
	raw, err := value.lend()
	if err != nil {
		return nil, nil, err
	}
	defer value.giveBack()
	view := C.spb_tensor_view{struct_size: C.sizeof_spb_tensor_view}
	var fault *C.spb_error
	status := C.spb_value_tensor_view(raw, C.size_t(index), &view, &fault)
	if status != C.SPB_OK {
		return nil, nil, failure(status, fault)
	}
	var kind T
	if view.dtype != dtypeOf(kind) {
		has := DType(view.dtype)
		message := fmt.Sprintf("attachment %d has elements of %v, not %T", index, has, kind)
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

// TensorOf is the whole of a Value that is one tensor; see [Tensor].
func TensorOf[T Element](value *Value) (data []T, shape []int64, err error) {
	if !value.isAttachment() {
		message := "the value is not one tensor alone"
		return nil, nil, &Error{Status: StatusTypeMismatch, Message: message}
	}
	return Tensor[T](value, 0)
}

// attachmentInto reads the one attachment into a slice that target points to; not taken: target is
// of another kind.
func (v *Value) attachmentInto(target any) (taken bool, err error) {
	switch target := target.(type) {
	case *[]byte:
		if dtype, _, _ := v.Layout(0); dtype != 0 {
			err = flat(v, target)
		} else {
			*target, err = v.Bytes(0)
		}
	case *[]bool:
		err = flat(v, target)
	case *[]int8:
		err = flat(v, target)
	case *[]int16:
		err = flat(v, target)
	case *[]int32:
		err = flat(v, target)
	case *[]int64:
		err = flat(v, target)
	case *[]uint16:
		err = flat(v, target)
	case *[]uint32:
		err = flat(v, target)
	case *[]uint64:
		err = flat(v, target)
	case *[]float32:
		err = flat(v, target)
	case *[]float64:
		err = flat(v, target)
	default:
		return false, nil
	}
	return true, err
}

func flat[T Element](value *Value, target *[]T) error {
	data, shape, err := Tensor[T](value, 0)
	if err == nil && len(shape) != 1 {
		message := fmt.Sprintf("the tensor has %d dimensions, not 1: see TensorOf", len(shape))
		err = &Error{Status: StatusTypeMismatch, Message: message}
	}
	if err == nil {
		*target = data
	}
	return err
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

// RawTensor makes a Value that is one tensor of any element type, of its little-endian row-major
// bytes, which are copied.
func RawTensor(dtype DType, data []byte, shape ...int64) (*Value, error) {
	var hold lent
	defer hold.Unpin()
	part := C.spb_attachment{kind: C.SPB_ATTACHMENT_TENSOR, dtype: C.uint32_t(dtype)}
	part.len, part.ndim = C.size_t(len(data)), C.size_t(len(shape))
	if len(data) > 0 {
		hold.Pin(unsafe.SliceData(data))
		part.data = (*C.uint8_t)(unsafe.SliceData(data))
	}
	if len(shape) > 0 {
		hold.Pin(unsafe.SliceData(shape))
		part.shape = (*C.int64_t)(unsafe.SliceData(shape))
	}
	document := hold.text(tagOf(0))
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_value_from_parts(document, &part, 1, out, fault)
	})
}

// Layout tells what attachment index is: the element type and the shape of a tensor; 0 and nil of
// bytes. Errors: StatusNotFound.
func (v *Value) Layout(index int) (dtype DType, shape []int64, err error) {
	raw, err := v.lend()
	if err != nil {
		return 0, nil, err
	}
	defer v.giveBack()
	var found C.spb_attachment
	var fault *C.spb_error
	status := C.spb_value_attachment(raw, C.size_t(index), &found, &fault)
	if status != C.SPB_OK || found.kind != C.SPB_ATTACHMENT_TENSOR {
		return 0, nil, failure(status, fault)
	}
	shape = make([]int64, int(found.ndim))
	copy(shape, unsafe.Slice((*int64)(found.shape), len(shape)))
	return DType(found.dtype), shape, nil
}
