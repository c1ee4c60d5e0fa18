// Go content as values and back: exact, or refused by name.

package bridge

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

func TestNumbersKeepEachDigit(t *testing.T) {
	for content, document := range map[any]string{
		int64(math.MinInt64):            "-9223372036854775808",
		int64(math.MaxInt64):            "9223372036854775807",
		uint64(math.MaxUint64):          "18446744073709551615",
		json.Number("5.0"):              "5.0",
		5:                               "5",
		true:                            "true",
		0.1:                             "0.1",
		math.Inf(-1):                    `{"$spb":{"float":"-inf"}}`,
		json.Number("9007199254740993"): "9007199254740993",
	} {
		value, err := NewValue(content)
		must(t, err)
		if value.String() != document {
			t.Errorf("%v became %v, expected %s", content, value, document)
		}
	}
	value, err := JSON(`{"n": [18446744073709551615, -9223372036854775808, 5.0, 1e2]}`)
	must(t, err)
	loose, err := As[map[string]any](value)
	must(t, err)
	digits := []any{json.Number("18446744073709551615"), json.Number("-9223372036854775808"),
		json.Number("5.0"), json.Number("1e2")}
	if !reflect.DeepEqual(loose["n"], digits) {
		t.Error(loose)
	}
	number, err := As[uint64](valueOf(t, uint64(math.MaxUint64)))
	if err != nil || number != math.MaxUint64 {
		t.Error(number, err)
	}
	nan, err := As[float64](valueOf(t, math.NaN()))
	if err != nil || !math.IsNaN(nan) {
		t.Error(nan, err)
	}
	for _, wrong := range []func() error{
		func() error { _, err := As[int64](valueOf(t, uint64(math.MaxUint64))); return err },
		func() error { _, err := As[int](valueOf(t, json.Number("5.0"))); return err },
		func() error { _, err := As[float64](valueOf(t, "5")); return err },
		func() error { _, err := As[string](valueOf(t, 5)); return err },
		func() error { _, err := As[bool](valueOf(t, 1)); return err },
		func() error { _, err := As[[]float32](valueOf(t, "x")); return err },
	} {
		if err := wrong(); !errors.Is(err, StatusTypeMismatch) {
			t.Error(err)
		}
	}
}

func TestContentIsRefusedByName(t *testing.T) {
	type text struct{ Name string }
	wrong := "caf\xe9"
	for _, content := range []any{
		wrong, map[string]any{"a": []any{wrong}}, text{wrong}, []text{{wrong}},
		map[string]string{wrong: "x"}, &text{wrong},
	} {
		if _, err := NewValue(content); !errors.Is(err, StatusUTF8) {
			t.Errorf("%q: %v", content, err)
		}
	}
	fine := "\ufffd \\ufffd"
	if again, err := As[text](valueOf(t, text{fine})); err != nil || again.Name != fine {
		t.Error(again, err)
	}
	kept := valueOf(t, map[string]any{"raw": json.RawMessage(`"\ufffd"`)})
	if !strings.Contains(kept.String(), "fffd") {
		t.Error(kept)
	}
	cycle := map[string]any{}
	cycle["self"] = make(chan int)
	for _, content := range []any{math.Inf, map[string]any{"x": math.NaN()}, cycle} {
		if _, err := NewValue(content); !errors.Is(err, StatusInvalidArgument) {
			t.Errorf("%T: %v", content, err)
		}
	}
}

func TestBytesAndTensorsStandInContent(t *testing.T) {
	tensor, err := NewTensor([]float32{1, 2, 3}, 3)
	must(t, err)
	whole := valueOf(t, map[string]any{
		"a": tensor, "b": []any{[]byte("raw"), tensor}, "c": map[string]any{"d": valueOf(t, 7)},
	})
	if whole.Attachments() != 3 {
		t.Fatal(whole)
	}
	var tags struct {
		A json.RawMessage
		B []struct {
			Tag struct{ Attachment int } `json:"$spb"`
		}
		C struct{ D int }
	}
	must(t, whole.Into(&tags))
	raw, err := whole.Bytes(tags.B[0].Tag.Attachment)
	if err != nil || string(raw) != "raw" || tags.C.D != 7 {
		t.Error(string(raw), err, tags)
	}
	data, shape, err := Tensor[float32](whole, tags.B[1].Tag.Attachment)
	if err != nil || !reflect.DeepEqual(data, []float32{1, 2, 3}) || len(shape) != 1 {
		t.Error(data, shape, err)
	}
	if flat, err := As[[]float32](tensor); err != nil || !reflect.DeepEqual(flat, data) {
		t.Error(flat, err)
	}
	if text, err := As[[]byte](valueOf(t, []byte{0, 255})); err != nil || text[1] != 255 {
		t.Error(text, err)
	}
	square, err := NewTensor(make([]int16, 4), 2, 2)
	must(t, err)
	if _, err := As[[]int16](square); !errors.Is(err, StatusTypeMismatch) {
		t.Error(err)
	}
	if _, err := As[[]int32](square); !errors.Is(err, StatusTypeMismatch) {
		t.Error(err)
	}
	if _, _, err := TensorOf[int16](whole); !errors.Is(err, StatusTypeMismatch) {
		t.Error(err)
	}
	if _, err := NewValue(struct{ T *Value }{tensor}); !errors.Is(err, StatusInvalidArgument) {
		t.Error(err)
	}
	if _, err := NewValue([]any{whole}); !errors.Is(err, StatusInvalidArgument) {
		t.Error(err)
	}
	if _, err := NewTensor([]float32{1}, 2); !errors.Is(err, StatusInvalidArgument) {
		t.Error(err)
	}
}

func TestTensorsAreExchanged(t *testing.T) {
	tensor, err := NewTensor([]int32{1, 2, 3, 4}, 2, 2)
	must(t, err)
	same := func(value *Value, err error) {
		t.Helper()
		must(t, err)
		data, shape, err := TensorOf[int32](value)
		if err != nil || !reflect.DeepEqual(data, []int32{1, 2, 3, 4}) || len(shape) != 2 {
			t.Error(data, shape, err)
		}
	}
	lent, err := tensor.ToDLPack(0)
	must(t, err)
	same(FromDLPack(lent))
	// Rooms for an ArrowSchema and an ArrowArray: the C ABI only reads and writes through them.
	var schema, array [10]uint64
	must(t, tensor.ToArrow(0, unsafe.Pointer(&schema), unsafe.Pointer(&array)))
	same(FromArrow(unsafe.Pointer(&schema), unsafe.Pointer(&array)))
	file, err := valueOf(t, map[string]any{"w": tensor}).Safetensors()
	must(t, err)
	back, err := FromSafetensors(file)
	must(t, err)
	if dtype, shape, err := back.Layout(0); err != nil || dtype != Int32 || len(shape) != 2 {
		t.Error(dtype, shape, err)
	}
	if _, err := FromSafetensors([]byte("none")); !errors.Is(err, StatusInvalidArgument) {
		t.Error(err)
	}
	for dtype := Bool; dtype <= Float64; dtype++ {
		if found, err := ParseDType(dtype.String()); err != nil || found != dtype {
			t.Error(dtype, found, err)
		}
	}
}

func TestValuesMayBeClosed(t *testing.T) {
	value := valueOf(t, []byte("much"))
	must(t, value.Close())
	must(t, value.Close())
	if value.JSON() != nil || value.Attachments() != 0 {
		t.Error(value)
	}
	var nothing *Value
	_, none := Compose("[]", nothing)
	for _, use := range []func() error{
		func() error { _, err := value.Bytes(0); return err },
		func() error { _, err := As[int](value); return err },
		func() error { _, err := Compose("[]", value); return err },
		func() error { _, err := NewValue([]any{value}); return err },
	} {
		if err := use(); !errors.Is(err, StatusClosed) {
			t.Error(err)
		}
	}
	if !errors.Is(none, StatusNullArgument) {
		t.Error(none)
	}
}

func valueOf(t testing.TB, content any) *Value {
	t.Helper()
	value, err := NewValue(content)
	must(t, err)
	return value
}
