// Schemas of tools, from the types of their functions. Knows nothing of C.

package bridge

import (
	"encoding/json"
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"
)

// Anything is the schema that every document fits: for a tool whose In is a struct, which by itself
// takes that struct's fields and no others.
var Anything = json.RawMessage("{}")

// fillSchemas takes the schemas that are not given from the types.
func fillSchemas[In, Out any](tool *Tool) error {
	for _, each := range []struct {
		schema *json.RawMessage
		of     func() (*jsonschema.Schema, error)
		open   bool
	}{
		{&tool.InputSchema, schemaOf[In], isOpen[In]()},
		{&tool.OutputSchema, schemaOf[Out], isOpen[Out]()},
	} {
		if *each.schema != nil || each.open {
			continue
		}
		schema, err := each.of()
		if err != nil {
			message := fmt.Sprintf("tool %q: %v", tool.Name, err)
			return &Error{Status: StatusInvalidArgument, Message: message}
		}
		if *each.schema, err = json.Marshal(schema); err != nil {
			return refusedContent(err)
		}
	}
	return nil
}

func schemaOf[T any]() (*jsonschema.Schema, error) { return jsonschema.For[T](nil) }

// isOpen: the type says nothing about the document.
func isOpen[T any]() bool {
	var content *T
	switch any(content).(type) {
	case **Value, *any, *json.RawMessage, *map[string]any, *[]byte:
		return true
	}
	return false
}
