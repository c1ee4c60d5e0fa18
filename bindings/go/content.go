// How Go content becomes a Value, and a Value Go content. The rules of documents and of attachments
// are docs/values.md; how bytes and tensors are read is in tensor.go.

package bridge

/*
#include <stdlib.h>
#include "crossing.h"
*/
import "C"

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unsafe"
)

// NewValue makes a Value of anything that encoding/json can write, and of what it cannot:
//
//   - a *Value is taken as it is, []byte is an attachment of bytes, a float64 that is not finite
//     has the form of docs/values.md;
//   - in a map[string]any and a []any, to any depth, a [Bytes] or [NewTensor] stands for itself,
//     and so does []byte. In structs and other maps []byte is base64 text, as encoding/json has it.
//
// Integers keep each digit. Text that is not UTF-8 is refused, not repaired.
func NewValue(content any) (*Value, error) {
	value, document, err := encode(content)
	if value != nil || err != nil {
		return value, err
	}
	return JSON(document)
}

// lending calls use with content as a C value, which lives until use returns. What is no Value
// becomes none of Go's, which would cost more than to make it.
func lending(content any, use func(raw cValue) error) error {
	value, document, err := encode(content)
	if err != nil {
		return err
	}
	if value == nil {
		raw, err := parse(document)
		if err != nil {
			return err
		}
		defer C.spb_value_free(raw)
		return use(raw)
	}
	return using(value, content, use)
}

// giving calls use with content as crossing.h takes it, which lives until use returns; nil is none.
func giving(content any, use func(given cContent) error) error {
	if content == nil {
		return use(cContent{})
	}
	value, document, err := encode(content)
	if err != nil {
		return err
	}
	if value == nil {
		text := unsafe.String(unsafe.SliceData(document), len(document))
		return use(cContent{document: view(text), is_document: true})
	}
	return using(value, content, func(raw cValue) error { return use(cContent{value: raw}) })
}

// using calls use with what content has become; what was made for it ends with it.
func using(value *Value, content any, use func(raw cValue) error) error {
	if _, isTheirs := content.(*Value); !isTheirs {
		defer value.Close()
	}
	raw, err := value.lend()
	if err != nil {
		return err
	}
	defer value.giveBack()
	return use(raw)
}

// encode gives content as a Value, or as the document that is all of it.
func encode(content any) (*Value, []byte, error) {
	switch content := content.(type) {
	case *Value:
		if content == nil {
			return nil, []byte("null"), nil
		}
		return content, nil, nil
	case json.RawMessage:
		return nil, content, nil
	case []byte:
		return alone(Bytes(content))
	case string:
		var hold lent
		defer hold.Unpin()
		return alone(give(func(out *cValue, fault *cFault) cStatus {
			return C.spb_value_from_text(hold.text(content), out, fault)
		}))
	case float64:
		return alone(give(func(out *cValue, fault *cFault) cStatus {
			return C.spb_value_from_f64(C.double(content), out, fault)
		}))
	}
	parts := &parts{}
	content, err := parts.of(content)
	if err != nil {
		return nil, nil, err
	}
	document, err := json.Marshal(content)
	if err == nil && bytes.Contains(document, repaired) {
		err = checkText(content)
	}
	if err != nil {
		return nil, nil, refusedContent(err)
	}
	if len(parts.values) == 0 {
		return nil, document, nil
	}
	return alone(Compose(string(document), parts.values...))
}

func alone(value *Value, err error) (*Value, []byte, error) { return value, nil, err }

// Compose makes a Value of a document and the attachments of values, one after the other, without
// a copy of them. `{"$spb": {"attachment": 0}}` in the document stands for the first.
func Compose(document string, values ...*Value) (*Value, error) {
	var hold lent
	defer hold.Unpin()
	// C gets an array of C pointers in C's memory.
	room := C.calloc(C.size_t(len(values)+1), C.size_t(unsafe.Sizeof(uintptr(0))))
	defer C.free(room)
	first := (**C.spb_value)(room)
	raws := unsafe.Slice(first, len(values))
	for index, value := range values {
		raw, err := value.lend()
		if err != nil {
			return nil, err
		}
		defer value.giveBack()
		raws[index] = raw
	}
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_value_compose(hold.text(document), first, C.size_t(len(raws)), out, fault)
	})
}

// Into reads the document into what target points to, as encoding/json does. Numbers that land in
// an any become json.Number, which keeps each digit. Beyond encoding/json, a **Value gets the value
// itself; a *[]byte also bytes; a pointer to a slice of an [Element] also a tensor of one
// dimension; a *float64 also a float that is not finite. Errors: StatusTypeMismatch, StatusClosed.
func (v *Value) Into(target any) error {
	switch target := target.(type) {
	case nil:
		return nil
	case **Value:
		*target = v
		return nil
	case *float64:
		return v.float(target)
	}
	document, attachments := v.look()
	if attachments == 1 && v.isAttachment() {
		if taken, err := v.attachmentInto(target); taken {
			return err
		}
	}
	if document == nil {
		return errValueClosed
	}
	if err := decode(document, target); err != nil {
		return &Error{Status: StatusTypeMismatch, Message: err.Error()}
	}
	return nil
}

// As reads a Value as T: see [Value.Into].
func As[T any](value *Value) (T, error) {
	var content T
	err := value.Into(&content)
	return content, err
}

// consume is As for a Value that nobody else has: it is freed unless T is *Value.
func consume[T any](value *Value) (T, error) {
	if _, isKept := any((*T)(nil)).(**Value); isKept {
		return As[T](value.keep())
	}
	defer value.Close()
	return As[T](value)
}

func (v *Value) float(target *float64) error {
	raw, err := v.lend()
	if err != nil {
		return err
	}
	defer v.giveBack()
	return check(func(fault *cFault) cStatus {
		return C.spb_value_as_f64(raw, (*C.double)(target), fault)
	})
}

// isAttachment: the whole document stands for one attachment.
func (v *Value) isAttachment() bool {
	return v.Attachments() == 1 && bytes.Equal(compact(v.JSON()), []byte(tagOf(0)))
}

func compact(document []byte) []byte {
	var made bytes.Buffer
	if json.Compact(&made, document) != nil {
		return nil
	}
	return made.Bytes()
}

// parts collects the attachments in Go content.
type parts struct{ values []*Value }

// of is content with each Value that has an attachment, and each []byte, replaced by its tag.
func (p *parts) of(content any) (any, error) {
	switch content := content.(type) {
	case *Value:
		if content.Attachments() == 0 {
			return content, nil
		}
		if !content.isAttachment() {
			message := "a Value beyond its one attachment stands inside another: use Compose"
			return nil, &Error{Status: StatusInvalidArgument, Message: message}
		}
		return p.add(content), nil
	case []byte:
		value, err := Bytes(content)
		return p.add(value), err
	case map[string]any:
		made := make(map[string]any, len(content))
		for key, each := range content {
			part, err := p.of(each)
			if err != nil {
				return nil, err
			}
			made[key] = part
		}
		return made, nil
	case []any:
		made := make([]any, len(content))
		for index, each := range content {
			part, err := p.of(each)
			if err != nil {
				return nil, err
			}
			made[index] = part
		}
		if content == nil {
			return content, nil
		}
		return made, nil
	}
	return content, nil
}

func (p *parts) add(value *Value) json.RawMessage {
	p.values = append(p.values, value)
	return json.RawMessage(tagOf(len(p.values) - 1))
}

func tagOf(index int) string { return fmt.Sprintf(`{"$spb":{"attachment":%d}}`, index) }
