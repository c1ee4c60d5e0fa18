// What a decoder has to know of a type.

package bridge

import (
	"encoding/json"
	"reflect"
	"testing"
)

type chain struct {
	Name string
	Next *chain
	Also map[string][]chain
}

type looseChain struct {
	Next  *looseChain
	Parts [2]map[string][]struct{ Any any }
}

func TestNumbersInAnAnyKeepEachDigit(t *testing.T) {
	for _, each := range []struct {
		target any
		holds  bool
	}{
		{new(int), false}, {new(string), false}, {new(chain), false}, {new([]map[string]chain), false},
		{new(json.RawMessage), false}, {new(looseChain), true}, {new(any), true},
		{new(map[string]any), true}, {new(error), true},
	} {
		if holdsAny(reflect.TypeOf(each.target)) != each.holds {
			t.Errorf("%T: %v expected", each.target, each.holds)
		}
	}
	document := []byte(`{"next": {"parts": [{"a": [{"any": 9007199254740993}]}, {}]}}`)
	var read looseChain
	must(t, decode(document, &read))
	if found := read.Next.Parts[0]["a"][0].Any; found != json.Number("9007199254740993") {
		t.Errorf("%T %v", found, found)
	}
	var plain chain
	must(t, decode([]byte(`{"also": {"a": [{"name": "b"}]}}`), &plain))
	if plain.Also["a"][0].Name != "b" {
		t.Error(plain)
	}
	if decode([]byte(`{"name": 1}`), &plain) == nil {
		t.Error("a number was read as a text")
	}
}
