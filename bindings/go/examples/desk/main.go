// Command desk is the help desk of an island ferry. The same program is in bindings/c, cpp and elixir.
//
// An agent of DSPy answers questions. It runs in a Python worker that the library starts and
// watches; its language model, its tool and the judge of its optimizer are functions of this
// program.
//
//	go run ./examples/desk
//	SPB_DEMO_LM=openai/gpt-4o-mini go run ./examples/desk    that model in place of model.go
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	bridge "snakepit.dev/bridge"
)

func main() {
	// The end of a context cancels what runs in it, in Python, too: here, on Ctrl-C.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal("desk: ", err)
	}
}

// desk is what the parts of the program share.
type desk struct {
	session *bridge.Session
	out     io.Writer
}

func run(ctx context.Context, out io.Writer) (err error) {
	platform, err := bridge.Open(config())
	if err != nil {
		return err
	}
	// Closing ends everything: calls, tools, sessions, the worker.
	defer platform.Close()
	session, err := platform.OpenSession(bridge.SessionOptions{})
	if err != nil {
		return err
	}
	desk := &desk{session: session, out: out}
	if err := desk.registerTools(platform); err != nil {
		return err
	}
	answered := bridge.Variable{
		Name: "answered", Type: "integer", Constraints: map[string]any{"min": 0},
	}
	if _, err := session.Register(answered, 0); err != nil {
		return err
	}
	for _, question := range []string{
		"When does the ferry to Skellig leave?", "When does the ferry to Avalon leave?",
	} {
		if err := desk.ask(ctx, question); err != nil {
			return err
		}
	}
	if err := desk.learnToSort(ctx, "The cellar is under water!"); err != nil {
		return err
	}
	count, _, err := bridge.Get[int](session, "answered")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Answered: %d.\n", count)
	return nil
}

// config asks for one worker with DSPy. A provider's key is handed on by its name, never by its
// content.
func config() string {
	pool := map[string]any{
		"workers":    1,
		"python":     cmp.Or(os.Getenv("SPB_PYTHON"), "python3"),
		"frameworks": map[string]any{"dspy": map[string]any{}},
		"env_pass":   []string{"OPENAI_API_KEY"},
	}
	settings := map[string]any{"pools": map[string]any{"default": pool}}
	if guard := os.Getenv("SPB_GUARD"); guard != "" {
		settings["guard_path"] = guard
	}
	document, _ := json.Marshal(settings)
	return string(document)
}

// ferry is what the agent asks for, and departure what it gets: the tool's schemas are made of them.
type ferry struct {
	Port string `json:"port" jsonschema:"where the ferry goes"`
}

type departure struct {
	Port    string `json:"port"`
	Departs string `json:"departs"`
}

var timetable = map[string]string{"Skellig": "07:40", "Aran": "09:15", "Blasket": "11:05"}

func (d *desk) lookup(_ context.Context, asked ferry) (departure, error) {
	shown, _ := json.Marshal(asked)
	departs, isKnown := timetable[asked.Port]
	if !isKnown {
		// A failure is no end: the agent sees it and goes on.
		message := "no ferry goes to " + asked.Port
		fmt.Fprintf(d.out, "  lookup %s fails: %s\n", shown, message)
		return departure{}, &bridge.Error{Status: bridge.StatusNotFound, Message: message}
	}
	fmt.Fprintf(d.out, "  lookup %s gives %s\n", shown, departs)
	return departure{asked.Port, departs}, nil
}

// judge is the optimizer's metric: one point for the label that was wanted.
func judge(_ context.Context, asked struct{ Example, Prediction struct{ Label string } }) (int, error) {
	if asked.Example.Label == asked.Prediction.Label {
		return 1, nil
	}
	return 0, nil
}

func (d *desk) registerTools(platform *bridge.Platform) error {
	_, err := bridge.RegisterTool(platform, bridge.Tool{
		Name: "lookup", Description: "When the ferry to a port leaves.", Session: d.session,
	}, d.lookup)
	if err != nil {
		return err
	}
	// A schema that is made of a struct takes its fields and no others; these two are sent more.
	_, err = bridge.RegisterTool(platform, bridge.Tool{
		Name: "judge", Session: d.session, InputSchema: bridge.Anything,
	}, judge)
	if err != nil {
		return err
	}
	// Idempotent: it may be asked again if a worker is lost.
	_, err = bridge.RegisterStream(platform, bridge.Tool{
		Name: "model", Session: d.session, InputSchema: bridge.Anything, Idempotent: true,
	}, answerAsModel)
	return err
}

// ask lets the agent answer, and counts it. Tokens are written as they come.
func (d *desk) ask(ctx context.Context, question string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fmt.Fprintf(d.out, "\n> %s\n", question)
	type token struct{ Field, Text string }
	margin := "  "
	for token, err := range bridge.StreamAs[token](ctx, d.session, dspy("react", map[string]any{
		"signature": "question -> answer", "inputs": map[string]any{"question": question},
		"tools": []string{"lookup"}, "max_iters": 4,
	}), nil) {
		if err != nil {
			return err
		}
		if token.Field == "answer" {
			fmt.Fprint(d.out, margin, token.Text)
			margin = ""
		}
	}
	fmt.Fprintln(d.out)
	// Reads, reckons and writes in one step: nobody else's count is lost.
	_, _, err := d.session.Update("answered", map[string]any{"add": 1}, bridge.Write{})
	return err
}

// learnToSort runs a program that is kept in a variable, has an optimizer make it better, and runs
// the version that came of it.
func (d *desk) learnToSort(ctx context.Context, message string) error {
	program := map[string]any{"module": "chain_of_thought", "signature": "message -> label"}
	_, err := d.session.Register(bridge.Variable{Name: "triage", Type: "program"}, program)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n> %s\n", message)
	if err := d.sort(ctx, message); err != nil {
		return err
	}
	score, err := bridge.Run[struct{ Before, After float64 }](ctx, d.session, dspy("optimize",
		map[string]any{
			"program": "triage", "optimizer": "BootstrapFewShot",
			"data":   map[string]any{"train": train, "validation": validation},
			"metric": map[string]any{"kind": "host_tool", "tool": "judge"},
		}))
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "The score rose from %.0f to %.0f.\n", score.Before, score.After)
	return d.sort(ctx, message)
}

// sort runs the program in the version that it has now.
func (d *desk) sort(ctx context.Context, message string) error {
	sorted, err := bridge.Run[struct {
		Outputs struct{ Label string }
		Program struct{ Version int }
	}](ctx, d.session, dspy("run", map[string]any{
		"program": "triage", "inputs": map[string]any{"message": message},
	}))
	if err == nil {
		fmt.Fprintf(d.out, "  %s (version %d)\n", sorted.Outputs.Label, sorted.Program.Version)
	}
	return err
}

// dspy is a call of one of DSPy's operations with this program's language model.
func dspy(operation string, parameters map[string]any) bridge.Call {
	parameters["lm"] = map[string]any{"kind": "host_tool", "tool": "model"}
	if provider := os.Getenv("SPB_DEMO_LM"); provider != "" {
		parameters["lm"] = map[string]any{"kind": "litellm", "model": provider}
	}
	return bridge.Call{Framework: "dspy", Operation: operation, Parameters: parameters}
}

// labelled is a message and the label that it should get.
type labelled struct {
	Message string `json:"message"`
	Label   string `json:"label"`
}

var train = []labelled{
	{"The server is down!", "urgent"}, {"Please send the invoice.", "routine"},
	{"There is smoke in the lab!", "urgent"}, {"The meeting is on Monday.", "routine"},
}

var validation = []labelled{
	{"The disk is full!", "urgent"}, {"New chairs have come.", "routine"},
	{"The door does not lock!", "urgent"}, {"Thanks for the cake.", "routine"},
}
