// How a document is read into Go content. It must not know where documents come from.

package bridge

import (
	"bytes"
	"encoding/json"
	"reflect"
	"sync"
)

// decode reads a document into what target points to. Numbers that land in an any keep each digit.
func decode(document []byte, target any) error {
	if !holdsAny(reflect.TypeOf(target)) {
		return json.Unmarshal(document, target)
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	return decoder.Decode(target)
}

// holdsAny: a value of that type may hold an any. Only then does a number need a decoder that knows
// what to make of it, which costs more.
func holdsAny(kind reflect.Type) bool {
	if known, isKnown := anyHeld.Load(kind); isKnown {
		return known.(bool)
	}
	found := reachesAny(kind, map[reflect.Type]bool{})
	anyHeld.Store(kind, found)
	return found
}

// reachesAny looks through a type, but not again at those that were seen.
func reachesAny(kind reflect.Type, seen map[reflect.Type]bool) bool {
	if kind == nil || seen[kind] {
		return false
	}
	seen[kind] = true
	switch kind.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return reachesAny(kind.Elem(), seen)
	case reflect.Struct:
		for index := range kind.NumField() {
			if reachesAny(kind.Field(index).Type, seen) {
				return true
			}
		}
	}
	return false
}

// anyHeld is what is known of types: reflect.Type to bool.
var anyHeld sync.Map
