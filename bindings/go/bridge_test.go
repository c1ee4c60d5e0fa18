// What all tests share: platforms whose workers are ready, and waits with an end.

package bridge

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"testing"
	"time"
)

// configOf is a platform with one pool that serves modules of tests/python.
func configOf(t testing.TB, workers int, pool map[string]any) string {
	t.Helper()
	settings := map[string]any{
		"workers": workers, "calls_per_worker": 256,
		"python":      environment(t, "SPB_PYTHON"),
		"python_path": []string{environment(t, "SPB_TEST_MODULES")},
		"frameworks": map[string]any{
			"python": map[string]any{"modules": []string{"spb_testmod"}},
			"tools":  map[string]any{"modules": []string{"spb_toolmod"}},
		},
	}
	maps.Copy(settings, pool)
	config := map[string]any{"pools": map[string]any{"default": settings}}
	if guard := os.Getenv("SPB_GUARD"); guard != "" {
		config["guard_path"] = guard
	}
	document, err := json.Marshal(config)
	must(t, err)
	return string(document)
}

func environment(t testing.TB, name string) string {
	t.Helper()
	found := os.Getenv(name)
	if found == "" {
		t.Fatalf("%s is not set: run these tests by `make test-hosts`", name)
	}
	return found
}

// opened is a platform whose worker is ready, and a session of it.
func opened(t testing.TB) (*Platform, *Session) {
	t.Helper()
	return openedAs(t, 1, nil)
}

func openedAs(t testing.TB, workers int, pool map[string]any) (*Platform, *Session) {
	t.Helper()
	platform, err := Open(configOf(t, workers, pool))
	must(t, err)
	t.Cleanup(func() { must(t, platform.Close()) })
	found, err := platform.Pool("")
	must(t, err)
	must(t, found.AwaitReady(t.Context(), 0))
	session, err := platform.OpenSession(SessionOptions{})
	must(t, err)
	return platform, session
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition, with a deadline; before each look it has garbage collected.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	late := time.After(60 * time.Second)
	looks := time.NewTicker(2 * time.Millisecond)
	defer looks.Stop()
	for runtime.GC(); !condition(); runtime.GC() {
		select {
		case <-looks.C:
		case <-late:
			t.Fatalf("never came true: %s", what)
		}
	}
}

// quietly keeps what is logged out of the test's output.
func quietly(t testing.TB) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(before) })
}
