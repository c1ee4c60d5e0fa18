// Text that is not UTF-8, which encoding/json would repair without a word. Knows nothing of Values
// but that they are checked elsewhere.

package bridge

import (
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// repaired is how encoding/json writes what it has repaired; a U+FFFD of the program's own it writes
// as it is.
var repaired = []byte(`\ufffd`)

// checkText looks for the text that is not UTF-8. It is called where encoding/json seems to have
// found some, and costs as much as the content is large.
func checkText(content any) error {
	return checkTextAt(reflect.ValueOf(content), "$", 0)
}

func checkTextAt(content reflect.Value, path string, depth int) error {
	// encoding/json has been through it, so only a cycle through a marshaler goes deeper.
	if depth > textDepthMax {
		return nil
	}
	switch content.Kind() {
	case reflect.String:
		if !utf8.ValidString(content.String()) {
			return &Error{Status: StatusUTF8, Message: "text at " + path + " is not UTF-8"}
		}
	case reflect.Pointer, reflect.Interface:
		if !content.IsNil() {
			return checkTextAt(content.Elem(), path, depth+1)
		}
	case reflect.Slice, reflect.Array:
		for index := range content.Len() {
			at := fmt.Sprintf("%s[%d]", path, index)
			if err := checkTextAt(content.Index(index), at, depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		for key, each := range content.Seq2() {
			at := fmt.Sprintf("%s.%v", path, key)
			if err := errors.Join(checkTextAt(key, at, depth+1), checkTextAt(each, at, depth+1)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for index := range content.NumField() {
			at := path + "." + content.Type().Field(index).Name
			if err := checkTextAt(content.Field(index), at, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// refusedContent is encoding/json's error as this package's.
func refusedContent(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	return &Error{Status: StatusInvalidArgument, Message: err.Error()}
}

const textDepthMax = 1000
