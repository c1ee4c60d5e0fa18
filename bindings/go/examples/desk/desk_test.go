// The desk writes what it writes in every host.

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDesk(t *testing.T) {
	t.Setenv("SPB_DEMO_LM", "")
	wanted, err := os.ReadFile("../../../../tests/conformance/desk.txt")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := run(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != string(wanted) {
		t.Errorf("wrote\n%s\nexpected\n%s", written, wanted)
	}
}
