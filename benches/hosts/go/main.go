// The benchmark's Go host: what a call costs a program that uses bindings/go as its people do, with
// structs for what it sends and gets. Run by benches/hosts.rs.
//
// bench CONFIG takes commands on its standard input, a line each, and answers each with a line of
// JSON: "echo_latency N" runs one call after the other, "echo_throughput N" has 64 goroutines that
// do, "tool_latency N" lets Python call a Go function; "echo_latency_json N" leaves the result the
// document that it is. It knows nothing of the other hosts.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"snakepit.dev/bridge"
)

const inFlight = 64

type message struct {
	Text   string `json:"text"`
	Number int    `json:"number"`
}

type parameters struct {
	Value message `json:"value"`
}

type toolTimes struct {
	Name      string  `json:"name"`
	Arguments message `json:"arguments"`
	Calls     int     `json:"calls"`
}

// A hundred bytes, as JSON.
var hundredBytes = parameters{message{strings.Repeat("0123456789", 7)[:62], 1}}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench (Go): ")
	if len(os.Args) != 2 {
		log.Fatal("usage: bench CONFIG")
	}
	if err := serve(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, config string) error {
	platform, err := bridge.Open(config)
	if err != nil {
		return err
	}
	defer platform.Close()
	pool, err := platform.Pool("")
	if err != nil {
		return err
	}
	if err := pool.AwaitReady(ctx, 1); err != nil {
		return err
	}
	session, err := platform.OpenSession(bridge.SessionOptions{})
	if err != nil {
		return err
	}
	// As the other hosts' tools: without schemas, which the library would hold each call against.
	echo := bridge.Tool{
		Name: "echo", InputSchema: bridge.Anything, OutputSchema: bridge.Anything,
	}
	_, err = bridge.RegisterTool(platform, echo,
		func(_ context.Context, in message) (message, error) { return in, nil })
	if err != nil {
		return err
	}
	fmt.Println(`{"ready": true}`)
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		var command string
		var calls int
		if _, err := fmt.Sscan(commands.Text(), &command, &calls); err != nil {
			return err
		}
		if err := obey(ctx, session, command, calls); err != nil {
			return err
		}
	}
	return commands.Err()
}

func obey(ctx context.Context, session *bridge.Session, command string, calls int) error {
	switch command {
	case "echo_latency":
		return latency(calls, func() error { return echo(ctx, session) })
	case "echo_latency_json":
		return latency(calls, func() error { return echoJSON(ctx, session) })
	case "echo_throughput":
		return throughput(calls, func() error { return echo(ctx, session) })
	case "tool_latency":
		times, err := session.Execute(ctx, bridge.Call{
			Framework: "python", Operation: "tool_times",
			Parameters: toolTimes{"echo", message{"0123456789", 1}, calls},
		})
		if err == nil {
			fmt.Println(times)
		}
		return err
	}
	return fmt.Errorf("unknown command %q", command)
}

func echo(ctx context.Context, session *bridge.Session) error {
	got, err := bridge.Run[message](ctx, session, bridge.Call{
		Framework: "python", Operation: "echo", Parameters: hundredBytes,
	})
	if err == nil && got != hundredBytes.Value {
		return fmt.Errorf("the echo is %v", got)
	}
	return err
}

func echoJSON(ctx context.Context, session *bridge.Session) error {
	got, err := session.Execute(ctx, bridge.Call{
		Framework: "python", Operation: "echo", Parameters: hundredBytes,
	})
	if err == nil && len(got.JSON()) < 50 {
		return fmt.Errorf("the echo is %v", got)
	}
	return err
}

func latency(calls int, once func() error) error {
	times := make([]float64, 0, calls)
	for range calls {
		began := time.Now()
		if err := once(); err != nil {
			return err
		}
		times = append(times, float64(time.Since(began).Nanoseconds())/1e3)
	}
	slices.Sort(times)
	fmt.Printf("{\"p50_us\": %.3f, \"p99_us\": %.3f}\n", times[calls/2], times[calls*99/100])
	return nil
}

func throughput(calls int, once func() error) error {
	var running sync.WaitGroup
	faults := make(chan error, inFlight)
	began := time.Now()
	for range inFlight {
		running.Go(func() {
			for range calls / inFlight {
				if err := once(); err != nil {
					faults <- err
					return
				}
			}
		})
	}
	running.Wait()
	took := time.Since(began)
	select {
	case err := <-faults:
		return err
	default:
	}
	done := calls / inFlight * inFlight
	fmt.Printf("{\"calls_per_s\": %.1f}\n", float64(done)/took.Seconds())
	return nil
}
