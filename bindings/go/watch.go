// Watches: the changes of a session's variables, as a loop. Knows nothing of how variables are
// written.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"context"
	"errors"
	"iter"
	"runtime"
)

// Change is what a watch tells.
type Change struct {
	// Kind: "initial", "registered", "written", "deleted", "locked", "unlocked"; or "missed":
	// Version changes were not kept, because they were not taken in time.
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	ID       uint64 `json:"id"`
	Version  uint64 `json:"version"`
	Revision uint64 `json:"revision"`
	Owner    string `json:"owner"`
	// Document is all of it, with "value" where there is one.
	Document *Value `json:"-"`
}

// WatchOptions say how changes are told.
type WatchOptions struct {
	// Patterns of names, separated by commas; empty: all.
	Patterns string
	// Initial: first every variable there is.
	Initial bool
	// Coalesce: of several changes of one variable that wait, only the newest comes.
	Coalesce bool
	// QueueMax: changes that may wait. 0: 1024.
	QueueMax int
}

// Watch is a subscription to changes of a session's variables, which were not lost while nobody
// took them. Close it.
type Watch struct {
	queue *queue
	raw   C.spb_watch
	net   *net
	// end is why it is over, if it is.
	over bool
	end  error
}

// Watch gives the changes of a session's variables in order, until ctx ends (then the loop just
// ends) or the session does (then an error comes last). It begins with the loop; leaving the loop
// ends it. See [Session.StartWatch] for one that begins before.
func (s *Session) Watch(ctx context.Context, options WatchOptions) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		watch, err := s.StartWatch(options)
		if err != nil {
			yield(Change{}, err)
			return
		}
		defer watch.Close()
		for change, err := range watch.Changes(ctx) {
			if !yield(change, err) {
				return
			}
		}
	}
}

// StartWatch begins a watch: what changes from now on comes. A watch has a queue of its own, which
// is two file descriptors.
func (s *Session) StartWatch(options WatchOptions) (*Watch, error) {
	defer runtime.KeepAlive(s)
	queue, err := newQueue(s.platform.raw)
	if err != nil {
		return nil, s.platform.refusal(err)
	}
	raw, err := s.startWatch(options, queue)
	if err != nil {
		queue.close()
		return nil, s.platform.refusal(err)
	}
	made := &Watch{queue: queue, raw: raw}
	made.net = spread(made, s.net, "a Watch was dropped without Close", func() {
		C.spb_watch_free(raw)
		queue.close()
	})
	return made, nil
}

// Changes gives the changes in order, until the watch is stopped, by Stop or by the end of ctx (then
// the loop just ends), or the session is closed (then an error comes last, StatusClosed). Leaving
// the loop keeps the rest for the next loop. One goroutine at a time may take them.
func (w *Watch) Changes(ctx context.Context) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		defer runtime.KeepAlive(w)
		stop := context.AfterFunc(ctx, w.Stop)
		defer stop()
		wanted := true
		batch := make([]C.spb_event, 1)
		for wanted && !w.over {
			more := w.queue.take(batch, func(_ uint64, event event) { wanted = w.pass(event, yield) })
			if !more && !w.over {
				w.over, w.end = true, errClosed
			}
		}
		if wanted && w.end != nil && !errors.Is(w.end, StatusCancelled) {
			yield(Change{}, w.end)
		}
	}
}

// Stop ends the watch. Changes that wait still come. Stopping again does no harm.
func (w *Watch) Stop() {
	defer runtime.KeepAlive(w)
	C.spb_watch_stop(w.raw, nil)
}

// Close ends the watch and frees what it has; a loop over its changes ends. It is an io.Closer;
// closing again does no harm.
func (w *Watch) Close() error {
	if w.net.fold() {
		w.net.free()
	}
	return nil
}

// pass gives one event to who takes changes; false: no more.
func (w *Watch) pass(event event, yield func(Change, error) bool) bool {
	switch event.kind {
	case C.SPB_EVENT_VARIABLE:
		var change Change
		if err := event.value.Into(&change); err != nil {
			return yield(Change{Document: event.value}, err)
		}
		change.Document = event.value
		return yield(change, nil)
	case C.SPB_EVENT_WATCH_MISSED:
		return yield(Change{Kind: "missed", Version: event.sequence, Document: event.value}, nil)
	case C.SPB_EVENT_WATCH_END:
		w.over, w.end = true, event.err
	}
	return true
}

func (s *Session) startWatch(options WatchOptions, queue *queue) (C.spb_watch, error) {
	var hold lent
	defer hold.Unpin()
	raw := C.spb_watch_options{struct_size: C.sizeof_spb_watch_options}
	if options.Initial {
		raw.flags |= C.SPB_WATCH_INITIAL
	}
	if options.Coalesce {
		raw.flags |= C.SPB_WATCH_COALESCE
	}
	raw.queue_max = C.uint64_t(options.QueueMax)
	sink := C.spb_sink_queue(queue.raw, 1)
	var watch C.spb_watch
	err := check(func(fault *cFault) cStatus {
		return C.spb_watch_start(s.raw, hold.text(options.Patterns), &raw, &sink, &watch, fault)
	})
	return watch, err
}
