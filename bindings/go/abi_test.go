// What the package covers of the C ABI: every function of the header, but for those argued here.

package bridge

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// notCalled are functions of the header that this package does without, and why.
var notCalled = map[string]string{
	"spb_abi_version":     "spb_abi_check reads it",
	"spb_error_status":    "the status is returned beside the error",
	"spb_value_clone":     "a Value may be shared by any number of goroutines",
	"spb_value_from_i64":  "NewValue writes integers with each digit",
	"spb_value_from_bool": "NewValue",
	"spb_value_as_text":   "As[string]",
	"spb_value_as_i64":    "As[int64]",
	"spb_value_as_bool":   "As[bool]",
	"spb_platform_close":  "it would hold a thread: Shutdown waits in Go",

	"spb_queue_notify":         "each queue's descriptor wakes its goroutines",
	"spb_operation_next_chunk": "it would hold a thread: chunks come through a queue",

	"spb_invocation_args": "arguments come with the events",
	"spb_variable_set":    "spb_variable_set_with has more",
	"spb_variable_delete": "spb_variable_delete_with has more",
	"spb_variable_list":   "spb_variable_list_page has more",
	"spb_sized":           "C++ only",
	"spb_sink_callback":   "no Go function is called from C",
	"spb_str_n":           "views are made in text.go",
	"spb_str_z":           "views are made in text.go",
}

func TestTheWholeABIIsCovered(t *testing.T) {
	header, err := os.ReadFile("../../include/snakepit_bridge.h")
	must(t, err)
	var sources strings.Builder
	files, err := filepath.Glob("*.go")
	must(t, err)
	files = append(files, "crossing.h")
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		must(t, err)
		sources.Write(text)
	}
	declared := regexp.MustCompile(`(?m)^(?:static inline )?[a-z][\w ]*[ *](spb_\w+)\(`)
	found := declared.FindAllStringSubmatch(string(header), -1)
	if len(found) < 90 {
		t.Fatalf("only %d functions found in the header", len(found))
	}
	called := map[string]bool{}
	calls := regexp.MustCompile(`[ (.{](spb_\w+)\(`)
	for _, each := range calls.FindAllStringSubmatch(sources.String(), -1) {
		called[each[1]] = true
	}
	for _, each := range found {
		name := each[1]
		isCalled := called[name]
		if _, isArgued := notCalled[name]; isArgued == isCalled {
			t.Errorf("%s: called %v, listed as not called %v", name, isCalled, isArgued)
		}
	}
	for _, each := range regexp.MustCompile(`#define (SPB_E_\w+|SPB_DTYPE_\w+) `).
		FindAllStringSubmatch(string(header), -1) {
		if !strings.Contains(sources.String(), "C."+each[1]+"\n") {
			t.Errorf("%s has no name in Go", each[1])
		}
	}
}
