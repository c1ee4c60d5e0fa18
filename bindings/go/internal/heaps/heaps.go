// Package heaps tells tests how much memory the process has in use, in Go and in C. It is exact
// where resident memory is not: what allocators and the race detector keep for later does not
// count.
package heaps

// #include <malloc.h>
import "C"

import "runtime"

// InUse returns the bytes that are in use in Go's heap, after a collection, and in all arenas of
// glibc's: what this process has allocated and not freed.
func InUse() (inGo, inC int) {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	native := C.mallinfo2()
	return int(stats.HeapAlloc), int(native.uordblks + native.hblkhd)
}
