// Tensors as other libraries exchange them: DLPack, the Arrow C Data Interface, safetensors. Their
// structs are C memory that this package neither reads nor writes.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import "unsafe"

// FromDLPack makes a Value that is one tensor over the memory of a DLManagedTensorVersioned (DLPack
// 1.x), which must be memory of C. What is row-major is not copied: it must not change until its
// deleter runs, once, after the last use. After success the tensor belongs to the Value, otherwise
// it stays the caller's. Errors: StatusUnsupported, StatusInvalidArgument.
func FromDLPack(tensor unsafe.Pointer) (*Value, error) {
	return give(func(out *cValue, fault *cFault) cStatus {
		given := (*C.struct_DLManagedTensorVersioned)(tensor)
		return C.spb_value_from_dlpack(given, out, fault)
	})
}

// FromDLPackUnversioned is FromDLPack for a DLManagedTensor, of DLPack before version 1.
func FromDLPackUnversioned(tensor unsafe.Pointer) (*Value, error) {
	return give(func(out *cValue, fault *cFault) cStatus {
		given := (*C.struct_DLManagedTensor)(tensor)
		return C.spb_value_from_dlpack_unversioned(given, out, fault)
	})
}

// ToDLPack hands out attachment index as a DLManagedTensorVersioned, read-only and row-major. The
// caller ends it by its deleter; it lives on when the Value is freed.
func (v *Value) ToDLPack(index int) (unsafe.Pointer, error) {
	raw, err := v.lend()
	if err != nil {
		return nil, err
	}
	defer v.giveBack()
	var tensor *C.struct_DLManagedTensorVersioned
	err = check(func(fault *cFault) cStatus {
		return C.spb_value_to_dlpack(raw, C.size_t(index), &tensor, fault)
	})
	return unsafe.Pointer(tensor), err
}

// FromArrow makes a Value that is one tensor over the memory of an Arrow array. Schema and array
// point to an ArrowSchema and an ArrowArray in memory of C; after success they were moved (their
// release is NULL), otherwise they stay the caller's. Nothing is copied: the array is released
// once, after the last use. Errors: StatusUnsupported, StatusInvalidArgument.
func FromArrow(schema, array unsafe.Pointer) (*Value, error) {
	return give(func(out *cValue, fault *cFault) cStatus {
		shape, data := (*C.struct_ArrowSchema)(schema), (*C.struct_ArrowArray)(array)
		return C.spb_value_from_arrow(shape, data, out, fault)
	})
}

// ToArrow hands out attachment index as an Arrow array without nulls, into an ArrowSchema and an
// ArrowArray in memory of C. The caller ends each by its release; they live on when the Value is
// freed. Errors: StatusUnsupported for bool, bfloat16 and scalars.
func (v *Value) ToArrow(index int, schema, array unsafe.Pointer) error {
	raw, err := v.lend()
	if err != nil {
		return err
	}
	defer v.giveBack()
	return check(func(fault *cFault) cStatus {
		shape, data := (*C.struct_ArrowSchema)(schema), (*C.struct_ArrowArray)(array)
		return C.spb_value_to_arrow(raw, C.size_t(index), shape, data, fault)
	})
}

// FromSafetensors makes a Value of the bytes of a safetensors file, which are copied: {"name":
// tensor, ...}, and the file's metadata under "__metadata__" where there is some.
func FromSafetensors(file []byte) (*Value, error) {
	var hold lent
	defer hold.Unpin()
	var data *C.uint8_t
	if len(file) > 0 {
		hold.Pin(unsafe.SliceData(file))
		data = (*C.uint8_t)(unsafe.SliceData(file))
	}
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_value_from_safetensors(data, C.size_t(len(file)), out, fault)
	})
}

// Safetensors makes the bytes of a safetensors file of a Value with the form that FromSafetensors
// gives. Errors: StatusTypeMismatch for another form, with its place.
func (v *Value) Safetensors() ([]byte, error) {
	raw, err := v.lend()
	if err != nil {
		return nil, err
	}
	defer v.giveBack()
	file, err := give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_value_to_safetensors(raw, out, fault)
	})
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Bytes(0)
}
