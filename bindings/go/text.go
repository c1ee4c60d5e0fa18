// Text and times on their way into C and back. Go memory is lent for one C call and no longer.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"runtime"
	"time"
	"unsafe"
)

// goString copies a view.
func goString(view C.spb_str) string {
	if view.len == 0 {
		return ""
	}
	return C.GoStringN(view.ptr, C.int(view.len))
}

// view is Go text as an argument of C, or as part of a struct that is one: it is lent for the call.
// What C gets the address of holds no views but those of lent.
func view(text string) C.spb_str {
	return C.spb_str{ptr: (*C.char)(unsafe.Pointer(unsafe.StringData(text))), len: C.size_t(len(text))}
}

// lent holds Go memory still while C reads it. Undo it with its Unpin.
type lent struct{ runtime.Pinner }

// text is a view of Go text, good until Unpin. C copies what it needs before it returns.
func (l *lent) text(text string) C.spb_str {
	if text == "" {
		return C.spb_str{}
	}
	start := unsafe.StringData(text)
	l.Pin(start)
	return C.spb_str{ptr: (*C.char)(unsafe.Pointer(start)), len: C.size_t(len(text))}
}

// bytes is text over bytes.
func (l *lent) bytes(bytes []byte) C.spb_str {
	return l.text(unsafe.String(unsafe.SliceData(bytes), len(bytes)))
}

// NoTimeout stands for no limit at all; a duration of 0 for the configured one.
const NoTimeout time.Duration = -1

// millis is a duration as options of the C ABI count it.
func millis(duration time.Duration) C.int64_t {
	switch {
	case duration == 0:
		return 0
	case duration < 0:
		return C.SPB_NO_TIMEOUT
	case duration < time.Millisecond:
		return 1
	}
	return C.int64_t(duration.Milliseconds())
}
