// Large contents: they arrive whole, and C keeps nothing of Go's memory when a call has returned.

package bridge

import (
	"bytes"
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

func TestLargePayloadsAreCopied(t *testing.T) {
	platform, session := opened(t)
	var seed [32]byte
	source := rand.NewChaCha8(seed)
	data := make([]byte, 24<<20)
	source.Read(data)
	kept := bytes.Clone(data)
	started, err := session.Start(t.Context(), echo(data))
	must(t, err)
	// From here on the memory is the program's again.
	clear(data)
	data = nil
	runtime.GC()
	value, err := started.Wait(t.Context())
	must(t, err)
	back, err := As[[]byte](value)
	if err != nil || !bytes.Equal(back, kept) {
		t.Fatal("the bytes changed on their way", len(back), err)
	}
	must(t, value.Close())

	numbers := make([]float64, 1<<20)
	for index := range numbers {
		numbers[index] = rand.Float64()
	}
	same := slices.Clone(numbers)
	tensor, err := NewTensor(numbers, 1<<10, 1<<10)
	must(t, err)
	clear(numbers)
	_, err = RegisterTool(platform, Tool{Name: "mirror"}, func(_ context.Context, in *Value) (*Value, error) {
		return in, nil
	})
	must(t, err)
	through, err := ask[*Value](t, session, "mirror", map[string]any{"grid": tensor})
	must(t, err)
	again, shape, err := Tensor[float64](through, 0)
	if err != nil || !slices.Equal(again, same) || !slices.Equal(shape, []int64{1 << 10, 1 << 10}) {
		t.Error("the tensor changed on its way", shape, err)
	}
	_, err = session.Register(Variable{Name: "grid", Type: "tensor"}, tensor)
	must(t, err)
	must(t, tensor.Close())
	stored, _, err := session.Get("grid")
	must(t, err)
	if again, _, err := TensorOf[float64](stored); err != nil || !slices.Equal(again, same) {
		t.Error("the tensor changed in its variable", err)
	}
}
