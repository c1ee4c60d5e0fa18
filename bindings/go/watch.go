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

// Watch gives the changes of a session's variables in order, until ctx ends (then the loop just
// ends) or the session does (then an error comes last). Leaving the loop ends the watch.
func (s *Session) Watch(ctx context.Context, options WatchOptions) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		err := s.watch(ctx, options, func(change Change) bool { return yield(change, nil) })
		if err != nil && !errors.Is(err, StatusCancelled) {
			yield(Change{}, err)
		}
	}
}

// watch has a queue of its own, so that a slow taker holds nobody up.
func (s *Session) watch(ctx context.Context, options WatchOptions, take func(Change) bool) error {
	defer runtime.KeepAlive(s)
	queue, err := newQueue(s.platform.raw)
	if err != nil {
		return err
	}
	defer queue.close()
	watch, err := s.startWatch(options, queue)
	if err != nil {
		return err
	}
	defer C.spb_watch_free(watch)
	stop := context.AfterFunc(ctx, func() { C.spb_watch_stop(watch, nil) })
	defer stop()
	wanted, over := true, false
	var end error
	batch := make([]C.spb_event, 1)
	for wanted && !over && queue.take(batch, func(_ uint64, event event) {
		switch event.kind {
		case C.SPB_EVENT_VARIABLE:
			var change Change
			if end = event.value.Into(&change); end != nil {
				over = true
				return
			}
			change.Document = event.value
			wanted = take(change)
		case C.SPB_EVENT_WATCH_MISSED:
			wanted = take(Change{Kind: "missed", Version: event.sequence, Document: event.value})
		case C.SPB_EVENT_WATCH_END:
			end, over = event.err, true
		}
	}) {
	}
	return end
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
	var fault *C.spb_error
	status := C.spb_watch_start(s.raw, hold.text(options.Patterns), &raw, &sink, &watch, &fault)
	return watch, failure(status, fault)
}
