// The shared scenarios of tests/conformance: what each host does, and the trace that comes of it. The
// verbs are in conformance_verbs_test.go; tests/conformance/README.md has the format.

package bridge

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestConformance(t *testing.T) {
	quietly(t)
	files, err := filepath.Glob("../../tests/conformance/*.json")
	must(t, err)
	if len(files) < 5 {
		t.Fatal(files)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			must(t, err)
			var given scenario
			strictly(t, text, &given)
			trace := given.run(t)
			writeTrace(t, name, trace)
			compareTraces(t, trace, given.Trace)
		})
	}
}

type scenario struct {
	About  string
	Config map[string]any
	Steps  []step
	Trace  []any
}

// step has the keys of all verbs; those that it does not have stay as they are.
type step struct {
	Do, Session, ID, Name, Description, Framework, Operation, Pool, As, Owner, Type, Pattern string
	Watch, Patterns                                                                          string
	Metadata, Constraints, Parameters, Arguments, Value, Initial, Update                     json.RawMessage
	InputSchema                                                                              json.RawMessage `json:"input_schema"`
	OutputSchema                                                                             json.RawMessage `json:"output_schema"`
	ChunkSchema                                                                              json.RawMessage `json:"chunk_schema"`
	Does                                                                                     behaviour
	TimeoutMS                                                                                int64  `json:"timeout_ms"`
	TTLMS                                                                                    int64  `json:"ttl_ms"`
	GraceMS                                                                                  int64  `json:"grace_ms"`
	MaxInFlight                                                                              int    `json:"max_in_flight"`
	ExpectedVersion                                                                          uint64 `json:"expected_version"`
	Version                                                                                  uint64
	Idempotent, Stream, Brief                                                                bool
	Take, Count                                                                              int
	Names                                                                                    []string
	Writes                                                                                   []struct {
		Name            string
		Value           json.RawMessage
		ExpectedVersion uint64 `json:"expected_version"`
	}
}

// runner is one scenario that runs.
type runner struct {
	t          *testing.T
	platform   *Platform
	sessions   map[string]*Session
	tools      map[string]*Registered
	operations map[string]*Operation
	watches    map[string]*watching
	held       map[string]*holding

	mutex sync.Mutex
	trace []any
}

type watching struct {
	watch *Watch
	next  func() (Change, error, bool)
	stop  func()
}

func (s *scenario) run(t *testing.T) []any {
	r := &runner{
		t: t, sessions: map[string]*Session{}, tools: map[string]*Registered{},
		operations: map[string]*Operation{}, watches: map[string]*watching{},
		held: map[string]*holding{},
	}
	document, err := json.Marshal(withMachine(t, s.Config))
	must(t, err)
	r.platform, err = Open(string(document))
	must(t, err)
	defer func() { must(t, r.platform.Close()) }()
	if pool, err := r.platform.Pool(""); err == nil {
		must(t, pool.AwaitReady(t.Context(), 0))
	}
	for _, each := range s.Steps {
		r.take(&each)
	}
	for _, each := range r.watches {
		each.stop()
		must(t, each.watch.Close())
	}
	return r.trace
}

// withMachine adds to a configuration what depends on the machine.
func withMachine(t *testing.T, config map[string]any) map[string]any {
	made := maps.Clone(config)
	if guard := os.Getenv("SPB_GUARD"); guard != "" {
		made["guard_path"] = guard
	}
	pools, _ := made["pools"].(map[string]any)
	for _, pool := range pools {
		maps.Copy(pool.(map[string]any), map[string]any{
			"python":      environment(t, "SPB_PYTHON"),
			"python_path": []string{environment(t, "SPB_TEST_MODULES")},
		})
	}
	return made
}

// take takes one step and writes its entry.
func (r *runner) take(given *step) {
	verb, isKnown := verbs[given.Do]
	if !isKnown {
		r.t.Fatalf("unknown verb %q", given.Do)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	result, err := verb(r, ctx, given)
	entry := []any{given.Do, "OK"}
	var own *Error
	switch {
	case err == errLeft:
		entry[1] = "LEFT"
	case errors.As(err, &own):
		entry[1] = own.Status.String()
		if !given.Brief {
			entry = append(entry, errorEntry(own))
		}
	case err != nil:
		r.t.Fatalf("%s: %v", given.Do, err)
	case result != nil && !given.Brief:
		entry = append(entry, result)
	}
	r.write(entry...)
}

func errorEntry(own *Error) map[string]any {
	details := own.Details
	if details == nil {
		details = json.RawMessage("{}")
	}
	return map[string]any{
		"message": own.Message, "details": details, "retryable": own.Retryable,
		"python_type": own.PythonType,
	}
}

func (r *runner) write(entry ...any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.trace = append(r.trace, entry)
}

// shown is a value as traces have it: its bytes and tensors in their places.
func shown(value *Value) (any, error) {
	var content any
	if err := value.Into(&content); err != nil {
		return nil, err
	}
	return showIn(value, content)
}

func showIn(value *Value, content any) (any, error) {
	switch content := content.(type) {
	case map[string]any:
		if tag, isTag := content["$spb"].(map[string]any); isTag {
			if index, is := tag["attachment"].(json.Number); is {
				at, _ := index.Int64()
				return showAttachment(value, int(at))
			}
		}
		for key, each := range content {
			part, err := showIn(value, each)
			if err != nil {
				return nil, err
			}
			content[key] = part
		}
	case []any:
		for index, each := range content {
			part, err := showIn(value, each)
			if err != nil {
				return nil, err
			}
			content[index] = part
		}
	}
	return content, nil
}

func showAttachment(value *Value, index int) (any, error) {
	data, err := value.Bytes(index)
	if err != nil {
		return nil, err
	}
	dtype, shape, err := value.Layout(index)
	if err != nil || dtype == 0 {
		return map[string]any{"$blob": hex.EncodeToString(data)}, err
	}
	return map[string]any{"$tensor": map[string]any{
		"dtype": dtype.String(), "shape": shape, "data": hex.EncodeToString(data),
	}}, nil
}

// meant is what a scenario writes as a value: nil for none, otherwise content for NewValue.
func meant(text json.RawMessage) any {
	if text == nil {
		return nil
	}
	var content any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&content); err != nil {
		return text
	}
	content = meantIn(content)
	if content == nil {
		return json.RawMessage("null")
	}
	return content
}

func meantIn(content any) any {
	switch content := content.(type) {
	case map[string]any:
		if blob, is := content["$blob"].(string); is {
			data, _ := hex.DecodeString(blob)
			return data
		}
		if tensor, is := content["$tensor"].(map[string]any); is {
			return meantTensor(tensor)
		}
		for key, each := range content {
			content[key] = meantIn(each)
		}
	case []any:
		for index, each := range content {
			content[index] = meantIn(each)
		}
	}
	return content
}

func meantTensor(tensor map[string]any) any {
	dtype, err := ParseDType(tensor["dtype"].(string))
	data, _ := hex.DecodeString(tensor["data"].(string))
	var shape []int64
	for _, side := range tensor["shape"].([]any) {
		number, _ := side.(json.Number).Int64()
		shape = append(shape, number)
	}
	if err != nil {
		return err
	}
	value, err := RawTensor(dtype, data, shape...)
	if err != nil {
		return err
	}
	return value
}

// writeTrace leaves the trace for those who compare hosts.
func writeTrace(t *testing.T, name string, trace []any) {
	directory := os.Getenv("SPB_TRACE_DIR")
	if directory == "" {
		return
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	for _, entry := range trace {
		must(t, encoder.Encode(normal(t, entry)))
	}
	must(t, os.WriteFile(filepath.Join(directory, name+".go.jsonl"), text.Bytes(), 0o600))
}

// normal is an entry with the keys of its objects sorted and each number as it was written.
func normal(t *testing.T, entry any) (made any) {
	text, err := json.Marshal(entry)
	must(t, err)
	strictly(t, text, &made)
	return made
}

func strictly(t *testing.T, text []byte, target any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	must(t, decoder.Decode(target))
}

func compareTraces(t *testing.T, trace, expected []any) {
	for index := range max(len(trace), len(expected)) {
		var is, wanted any
		if index < len(trace) {
			is = normal(t, trace[index])
		}
		if index < len(expected) {
			wanted = expected[index]
		}
		if !reflect.DeepEqual(is, wanted) {
			t.Errorf("entry %d is\n%v, expected\n%v", index, is, wanted)
		}
	}
}
