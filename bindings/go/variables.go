// Several variables at one moment. The rules of one are in variable.go.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import "runtime"

// GetMany reads variables (1000 at most) as they are at one moment: {"found": [{"name", "type",
// "id", "version", "value", "constraints", "metadata", and "lock" where there is one}], "missing":
// [names]}.
func (s *Session) GetMany(names ...string) (*Value, error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	views := make([]C.spb_str, len(names)+1)
	for index, name := range names {
		views[index] = hold.text(name)
	}
	hold.Pin(&views[0])
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_variable_get_many(s.raw, &views[0], C.size_t(len(names)), out, fault)
	})
}

// VariableWrite is one write of several.
type VariableWrite struct {
	Name string
	// Content is what NewValue takes.
	Content any
	// ExpectedVersion: only over exactly this version. 0: whatever is there.
	ExpectedVersion uint64
}

// SetMany writes variables (1000 at most), all or none; no name stands twice. Owner gets past its
// own locks; it may be empty. The result is an array of {"name", "id", "version"} in the order of
// the writes. Errors: those of the first faulty write, as [Session.Set] has them.
func (s *Session) SetMany(owner string, writes ...VariableWrite) (*Value, error) {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	raws := make([]C.spb_variable_write, len(writes)+1)
	hold.Pin(&raws[0])
	for index, write := range writes {
		value, err := NewValue(write.Content)
		if err != nil {
			return nil, err
		}
		raw, err := value.lend()
		if err != nil {
			return nil, err
		}
		defer value.giveBack()
		raws[index].name, raws[index].value = hold.text(write.Name), raw
		raws[index].expected_version = C.uint64_t(write.ExpectedVersion)
	}
	return give(func(out *cValue, fault *cFault) cStatus {
		count, who := C.size_t(len(writes)), hold.text(owner)
		return C.spb_variable_set_many(s.raw, &raws[0], count, who, out, fault)
	})
}
