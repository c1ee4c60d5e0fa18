// Variables, watches, tensors.

package bridge

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestVariables(t *testing.T) {
	platform, err := Open(`{"pools": {}}`)
	must(t, err)
	defer platform.Close()
	session, err := platform.OpenSession(SessionOptions{ID: "go", Metadata: map[string]int{"a": 1}})
	must(t, err)
	limits := map[string]int{"max": 50}
	_, err = session.Register(Variable{Name: "n", Type: "integer", Constraints: limits}, 1)
	must(t, err)
	if version, err := session.Set("n", 41, Write{}); err != nil || version != 2 {
		t.Error(version, err)
	}
	value, _, err := session.Update("n", map[string]int{"add": 1}, Write{})
	if err != nil || value.String() != "42" {
		t.Error(value, err)
	}
	if number, version, err := Get[int](session, "n"); err != nil || number != 42 || version != 3 {
		t.Error(number, version, err)
	}
	for wanted, write := range map[Status]func() error{
		StatusConstraint:   func() error { _, err := session.Set("n", 51, Write{}); return err },
		StatusTypeMismatch: func() error { _, err := session.Set("n", "x", Write{}); return err },
		StatusVersionConflict: func() error {
			_, err := session.Set("n", 1, Write{ExpectedVersion: 1})
			return err
		},
		StatusNotFound: func() error { _, _, err := session.Get("m"); return err },
	} {
		if err := write(); !errors.Is(err, wanted) {
			t.Errorf("%v, expected %v", err, wanted)
		}
	}
	must(t, session.Lock("n", "me", time.Minute))
	if _, err := session.Set("n", 5, Write{}); !errors.Is(err, StatusBusy) {
		t.Error(err)
	}
	_, err = session.Set("n", 5, Write{Owner: "me"})
	must(t, err)
	must(t, session.Unlock("n", "me"))
	if _, err := session.Rollback("n", 1, Write{}); err != nil {
		t.Error(err)
	}
	copied, err := session.Clone(SessionOptions{})
	must(t, err)
	if number, _, err := Get[int](copied, "n"); err != nil || number != 1 {
		t.Error(number, err)
	}
	must(t, session.Delete("n", Write{}))
	must(t, session.Close())
	if _, err := platform.JoinSession("go"); !errors.Is(err, StatusNotFound) {
		t.Error(err)
	}
}

func TestWatch(t *testing.T) {
	platform, err := Open(`{"pools": {}}`)
	must(t, err)
	defer platform.Close()
	session, err := platform.OpenSession(SessionOptions{})
	must(t, err)
	_, err = session.Register(Variable{Name: "n", Type: "integer"}, 0)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var versions []uint64
	for change, err := range session.Watch(ctx, WatchOptions{Patterns: "n", Initial: true}) {
		must(t, err)
		versions = append(versions, change.Version)
		if len(versions) == 1 {
			for number := range 3 {
				_, err := session.Set("n", number, Write{})
				must(t, err)
			}
		}
		if len(versions) == 4 {
			cancel()
		}
	}
	if len(versions) != 4 || versions[3] != 4 {
		t.Error(versions)
	}
}

func TestTensors(t *testing.T) {
	made, err := NewTensor([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	must(t, err)
	data, shape, err := Tensor[float32](made, 0)
	must(t, err)
	if len(data) != 6 || data[5] != 6 || shape[1] != 3 {
		t.Error(data, shape)
	}
	if _, _, err := Tensor[float64](made, 0); !errors.Is(err, StatusTypeMismatch) {
		t.Error(err)
	}
	blob, err := Bytes([]byte{0, 255})
	must(t, err)
	both, err := Compose(`[{"$spb":{"attachment":0}},{"$spb":{"attachment":1}}]`, blob, made)
	must(t, err)
	if bytes, err := both.Bytes(0); err != nil || bytes[1] != 255 || both.Attachments() != 2 {
		t.Error(bytes, err)
	}
	if _, err := JSON(`{"a": }`); !errors.Is(err, StatusInvalidArgument) {
		t.Error(err)
	}
}
