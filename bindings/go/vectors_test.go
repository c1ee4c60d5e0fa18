// The shared examples of tests/vectors/values.json: documents keep their bytes, attachments come back
// as they were, by each way out and in again, and what is refused names its place.

package bridge

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// vector is one example, as the file has it.
type vector struct {
	Name    string
	JSON    string `json:"json"`
	JSONHex string `json:"json_hex"`
	Repeat  *struct {
		Open, Middle, Close string
		Times               int
	}
	Attachments []struct {
		BlobHex string `json:"blob_hex"`
		Tensor  *tensorVector
	}
	Canonical string
	Fault     string
	Path      *string
	Python    string
}

type tensorVector struct {
	Name    string
	DType   string `json:"dtype"`
	Shape   []int64
	DataHex string `json:"data_hex"`
}

func (v *vector) document(t *testing.T) string {
	switch {
	case v.JSONHex != "":
		return string(unhex(t, v.JSONHex))
	case v.Repeat != nil:
		r := v.Repeat
		return strings.Repeat(r.Open, r.Times) + r.Middle + strings.Repeat(r.Close, r.Times)
	}
	return v.JSON
}

func (v *vector) value(t *testing.T) (*Value, error) {
	var parts []*Value
	for _, each := range v.Attachments {
		part, err := Bytes(unhex(t, each.BlobHex))
		if each.Tensor != nil {
			part, err = each.Tensor.value(t)
		}
		must(t, err)
		parts = append(parts, part)
	}
	return Compose(v.document(t), parts...)
}

func (v *tensorVector) value(t *testing.T) (*Value, error) {
	dtype, err := ParseDType(v.DType)
	if err != nil {
		return nil, err
	}
	return RawTensor(dtype, unhex(t, v.DataHex), v.Shape...)
}

func (v *tensorVector) is(t *testing.T, value *Value, index int) {
	t.Helper()
	dtype, shape, err := value.Layout(index)
	must(t, err)
	data, err := value.Bytes(index)
	must(t, err)
	if dtype.String() != v.DType || len(shape) != len(v.Shape) ||
		len(shape) > 0 && !reflect.DeepEqual(shape, v.Shape) || hex.EncodeToString(data) != v.DataHex {
		t.Errorf("%v %v %x, expected %+v", dtype, shape, data, v)
	}
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("../../tests/vectors/values.json")
	must(t, err)
	var file struct {
		Accepted, Refused, Floats []vector
		RefusedTensors            []tensorVector `json:"refused_tensors"`
	}
	must(t, json.Unmarshal(text, &file))
	if len(file.Accepted) < 100 || len(file.Refused) < 30 || len(file.Floats) < 6 ||
		len(file.RefusedTensors) < 10 {
		t.Fatal("the file has fewer examples than it had")
	}
	for _, each := range file.Accepted {
		t.Run("accepted/"+each.Name, func(t *testing.T) { accepts(t, &each) })
	}
	for _, each := range file.Refused {
		t.Run("refused/"+each.Name, func(t *testing.T) { refuses(t, &each) })
	}
	for _, each := range file.RefusedTensors {
		t.Run("refused tensor/"+each.Name, func(t *testing.T) {
			if _, err := each.value(t); !errors.Is(err, StatusInvalidArgument) {
				t.Error(err)
			}
		})
	}
	for _, each := range file.Floats {
		t.Run("float/"+each.Name, func(t *testing.T) { isFloat(t, &each) })
	}
}

func accepts(t *testing.T, given *vector) {
	value, err := given.value(t)
	must(t, err)
	if document := given.document(t); value.String() != document {
		t.Fatalf("%s became %s", document, value)
	}
	if value.Attachments() != len(given.Attachments) {
		t.Fatal(value.Attachments())
	}
	for index, each := range given.Attachments {
		if each.Tensor == nil {
			blob, err := value.Bytes(index)
			if err != nil || !bytes.Equal(blob, unhex(t, each.BlobHex)) {
				t.Error(blob, err)
			}
			continue
		}
		each.Tensor.is(t, value, index)
		each.Tensor.goesRound(t, value, index)
	}
}

// goesRound: out by each way of exchange, in again, and still the same.
func (v *tensorVector) goesRound(t *testing.T, value *Value, index int) {
	lent, err := value.ToDLPack(index)
	must(t, err)
	back, err := FromDLPack(lent)
	must(t, err)
	v.is(t, back, 0)
	var schema, array [10]uint64
	err = value.ToArrow(index, unsafe.Pointer(&schema), unsafe.Pointer(&array))
	if v.DType == "bool" || v.DType == "bfloat16" || len(v.Shape) == 0 {
		if !errors.Is(err, StatusUnsupported) {
			t.Error(err)
		}
	} else {
		must(t, err)
		back, err = FromArrow(unsafe.Pointer(&schema), unsafe.Pointer(&array))
		must(t, err)
		v.is(t, back, 0)
	}
	alone, err := v.value(t)
	must(t, err)
	file, err := valueOf(t, map[string]any{"it": alone}).Safetensors()
	must(t, err)
	back, err = FromSafetensors(file)
	must(t, err)
	v.is(t, back, 0)
}

func refuses(t *testing.T, given *vector) {
	wanted := StatusInvalidArgument
	if given.Fault == "utf8" {
		wanted = StatusUTF8
	}
	_, err := given.value(t)
	var own *Error
	if !errors.As(err, &own) || own.Status != wanted {
		t.Fatal(err)
	}
	var details struct{ Path string }
	if given.Path != nil {
		must(t, json.Unmarshal(own.Details, &details))
		if details.Path != *given.Path {
			t.Errorf("at %s, expected %s", details.Path, *given.Path)
		}
	}
}

// isFloat: Go reads what Python would show.
func isFloat(t *testing.T, given *vector) {
	value, err := given.value(t)
	must(t, err)
	numbers := map[string]float64{"nan": math.NaN(), "inf": math.Inf(1), "-inf": math.Inf(-1)}
	wanted, isAlone := numbers[given.Python]
	number, err := As[float64](value)
	switch {
	case !isAlone && !errors.Is(err, StatusTypeMismatch):
		t.Error(number, err)
	case isAlone && (err != nil || number != wanted && !(math.IsNaN(number) && math.IsNaN(wanted))):
		t.Error(number, err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	must(t, err)
	return data
}
