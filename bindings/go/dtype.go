// Element types of tensors, and tensors of those that Go has no type for.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import "fmt"

// DType is an element type of a tensor.
type DType uint32

// The element types of the C ABI. Numbers never change.
const (
	Bool     DType = C.SPB_DTYPE_BOOL
	Int8     DType = C.SPB_DTYPE_INT8
	Int16    DType = C.SPB_DTYPE_INT16
	Int32    DType = C.SPB_DTYPE_INT32
	Int64    DType = C.SPB_DTYPE_INT64
	Uint8    DType = C.SPB_DTYPE_UINT8
	Uint16   DType = C.SPB_DTYPE_UINT16
	Uint32   DType = C.SPB_DTYPE_UINT32
	Uint64   DType = C.SPB_DTYPE_UINT64
	Float16  DType = C.SPB_DTYPE_FLOAT16
	BFloat16 DType = C.SPB_DTYPE_BFLOAT16
	Float32  DType = C.SPB_DTYPE_FLOAT32
	Float64  DType = C.SPB_DTYPE_FLOAT64
)

// String is the name, such as "float32".
func (d DType) String() string {
	if int(d) < len(dtypeNames) && d > 0 {
		return dtypeNames[d]
	}
	return fmt.Sprintf("dtype %d", uint32(d))
}

// ParseDType finds an element type by its name, such as "float32".
func ParseDType(name string) (DType, error) {
	for index, each := range dtypeNames {
		if index > 0 && each == name {
			return DType(index), nil
		}
	}
	message := fmt.Sprintf("dtype %q is none of %v", name, dtypeNames[1:])
	return 0, &Error{Status: StatusInvalidArgument, Message: message}
}

var dtypeNames = []string{
	"", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
	"float16", "bfloat16", "float32", "float64",
}
