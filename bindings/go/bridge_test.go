package bridge

import (
	"os"
	"testing"
)

// testConfig is a platform with one pool that serves tests/python/spb_testmod.py.
func testConfig(t testing.TB, workers string) string {
	t.Helper()
	python, guard := environment(t, "SPB_PYTHON"), environment(t, "SPB_GUARD")
	modules := environment(t, "SPB_TEST_MODULES")
	return `{"guard_path": "` + guard + `", "pools": {"default": {
		"workers": ` + workers + `, "calls_per_worker": 256,
		"python": "` + python + `", "python_path": ["` + modules + `"],
		"frameworks": {"python": {"modules": ["spb_testmod"]}}}}}`
}

func environment(t testing.TB, name string) string {
	t.Helper()
	found := os.Getenv(name)
	if found == "" {
		t.Fatalf("%s is not set: run these tests by `make test-hosts`", name)
	}
	return found
}

// opened is a platform whose workers are ready, and a session of it.
func opened(t testing.TB) (*Platform, *Session) {
	t.Helper()
	platform, err := Open(testConfig(t, "1"))
	must(t, err)
	t.Cleanup(func() { must(t, platform.Close()) })
	pool, err := platform.Pool("")
	must(t, err)
	must(t, pool.AwaitReady(t.Context(), 0))
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
