// The process is the program's: its signals, its children, its profiles go on while workers run, and
// while they are killed.

package bridge

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

func TestSignalDispositionsStayAsTheyAre(t *testing.T) {
	read := func() [2]uint64 {
		return [2]uint64{
			statusNumber(t, os.Getpid(), "SigCgt:", 16), statusNumber(t, os.Getpid(), "SigIgn:", 16),
		}
	}
	before := read()
	everything(t)
	if after := read(); after != before {
		t.Errorf("SigCgt and SigIgn were %x, are %x", before, after)
	}
}

// A profile at a high rate and a storm of its signal, and of the one that Go preempts with, while
// calls and tools run.
func TestProfileSignalStorm(t *testing.T) {
	platform, session := opened(t)
	_, err := RegisterTool(platform, Tool{Name: "same"}, func(_ context.Context, in *Value) (*Value, error) {
		return in, nil
	})
	must(t, err)
	profile := profiled(t)
	stop := make(chan struct{})
	var storm, group sync.WaitGroup
	for _, number := range []syscall.Signal{syscall.SIGPROF, syscall.SIGURG} {
		storm.Go(func() { shower(stop, number) })
	}
	for worker := range 8 {
		group.Go(func() {
			for round := range 40 {
				number := 1000*worker + round
				result, err := Run[int](t.Context(), session, echo(number))
				if err != nil || result != number {
					t.Error(result, err)
				}
				arguments := map[string]any{"number": number}
				back, err := ask[map[string]int](t, session, "same", arguments)
				if err != nil || back["number"] != number {
					t.Error(back, err)
				}
			}
		})
	}
	group.Wait()
	close(stop)
	storm.Wait()
	pprof.StopCPUProfile()
	if profile.Len() == 0 {
		t.Error("the profile is empty")
	}
}

// A program with children of its own profiles itself while its workers are killed: each child's exit
// code is its own, each call has one end, and new workers come.
func TestChildrenWhileWorkersAreKilled(t *testing.T) {
	platform, session := openedAs(t, 2, map[string]any{
		"restart": map[string]any{"backoff_min_ms": 10, "backoff_max_ms": 50},
	})
	profiled(t)
	stop := make(chan struct{})
	var background, children sync.WaitGroup
	for range 4 {
		background.Go(func() { callUntil(t, session, stop) })
		children.Go(func() { haveChildren(t, 40) })
	}
	killed := map[int]bool{}
	for range 3 {
		victim := 0
		eventually(t, "a worker that was not killed is there", func() bool {
			alive := slices.DeleteFunc(workerPIDs(t, platform), func(pid int) bool { return killed[pid] })
			if len(alive) > 0 {
				victim = alive[0]
			}
			return victim != 0
		})
		killed[victim] = true
		must(t, syscall.Kill(victim, syscall.SIGKILL))
	}
	children.Wait()
	close(stop)
	background.Wait()
	pprof.StopCPUProfile()
	pool, err := platform.Pool("")
	must(t, err)
	must(t, pool.AwaitReady(t.Context(), 0))
	if result, err := Run[int](t.Context(), session, echo(7)); err != nil || result != 7 {
		t.Error(result, err)
	}
	for pid := range killed {
		eventually(t, "a killed worker is reaped", func() bool {
			return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
		})
	}
}

func TestExitCodesInAWorker(t *testing.T) {
	_, session := opened(t)
	signal.Ignore(syscall.SIGCHLD)
	defer signal.Reset(syscall.SIGCHLD)
	shell := python("run_shell", map[string]any{"code": 7})
	if code, err := Run[int](t.Context(), session, shell); err != nil || code != 7 {
		t.Error(code, err)
	}
	_, err := session.Execute(t.Context(), python("leave", map[string]any{"code": 7}))
	var lost *Error
	if !errors.As(err, &lost) || lost.Status != StatusWorkerLost ||
		!bytes.Contains(lost.Details, []byte("7")) {
		t.Errorf("%v %s", err, lost.Details)
	}
}

// haveChildren starts children and looks at what they end with.
func haveChildren(t *testing.T, count int) {
	for number := range count {
		code := number % 100
		err := exec.Command("/bin/sh", "-c", "exit "+strconv.Itoa(code)).Run()
		var exited *exec.ExitError
		switch {
		case code == 0 && err != nil:
			t.Error(err)
		case code != 0 && (!errors.As(err, &exited) || exited.ExitCode() != code):
			t.Errorf("exit %d gave %v", code, err)
		}
	}
}

// callUntil makes calls, which end well or with their worker.
func callUntil(t *testing.T, session *Session, stop chan struct{}) {
	for number := 0; ; number++ {
		select {
		case <-stop:
			return
		default:
		}
		result, err := Run[int](t.Context(), session, echo(number))
		isLost := errors.Is(err, StatusWorkerLost) || errors.Is(err, StatusUnavailable)
		if !isLost && (err != nil || result != number) {
			t.Error(result, err)
			return
		}
	}
}

// profiled starts a profile, at ten times the usual rate where the runtime allows it.
func profiled(t *testing.T) *bytes.Buffer {
	t.Helper()
	var profile bytes.Buffer
	// StartCPUProfile says on standard error that it leaves the rate as it finds it.
	runtime.SetCPUProfileRate(1000)
	must(t, pprof.StartCPUProfile(&profile))
	t.Cleanup(pprof.StopCPUProfile)
	return &profile
}

// shower sends a signal to this process, to whichever thread takes it, as fast as it can.
func shower(stop chan struct{}, number syscall.Signal) {
	for {
		select {
		case <-stop:
			return
		default:
			syscall.Kill(os.Getpid(), number)
			runtime.Gosched()
		}
	}
}
