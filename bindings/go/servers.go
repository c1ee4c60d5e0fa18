// Where the calls of tools come in: a queue of their own, and the goroutines that wait in C for its
// events. Knows nothing of what tools do, and not how many should wait (see pace.go).
//
// A call runs on the goroutine that C gave it to: nothing is woken between Python and the tool but
// the one thread that brings the call.

package bridge

/*
#include <stdlib.h>
#include "crossing.h"
*/
import "C"

import (
	"sync"
	"time"
	"unsafe"
)

// servers take the calls of a platform's tools. At least one goroutine waits in C for more, or is
// about to, or will be as soon as the call that the last one runs has proved not to be short.
type servers struct {
	raw C.spb_queue

	mutex sync.Mutex
	next  uint64
	tools map[uint64]*calls
	// waiting goroutines are in C, or pass on what they got there.
	waiting int
	pace    pace
	// over: the queue has ended.
	over bool
}

func newServers(platform C.spb_platform) (*servers, error) {
	made := &servers{tools: map[uint64]*calls{}}
	var fault *C.spb_error
	if status := C.spb_queue_new(platform, &made.raw, &fault); status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	made.mutex.Lock()
	defer made.mutex.Unlock()
	for made.waiting < made.pace.wanted() {
		made.add()
	}
	return made, nil
}

// sink registers what takes the calls of one tool.
func (s *servers) sink(calls *calls) (C.spb_sink, uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.next++
	s.tools[s.next] = calls
	return C.spb_sink_queue(s.raw, C.uint64_t(s.next)), s.next
}

// forget ends a tag.
func (s *servers) forget(tag uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.tools, tag)
}

// close frees the queue; the goroutines end with the calls that they run.
func (s *servers) close() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.over = true
	C.spb_queue_free(s.raw)
}

// add lets one more goroutine wait. The mutex is held.
func (s *servers) add() {
	s.waiting++
	go s.live()
}

// live is one goroutine's life.
func (s *servers) live() {
	room := C.calloc(callsAtOnce, C.sizeof_spb_event)
	defer C.free(room)
	batch := unsafe.Slice((*C.spb_event)(room), callsAtOnce)
	var breath breath
	for stays := true; stays; {
		first, count, isOpen := s.take(batch)
		if isOpen && count == 0 {
			continue
		}
		number := s.leave(count, isOpen)
		if !isOpen {
			return
		}
		stays = s.serve(first, number)
		breath.take()
	}
}

// take waits for events and passes them on. Of the calls among them all but the first, which it
// gives, get goroutines.
func (s *servers) take(batch []C.spb_event) (first turn, count int, isOpen bool) {
	got := C.spb_go_take(s.raw, &batch[0], callsAtOnce, C.SPB_NO_TIMEOUT)
	if got.status != C.SPB_OK {
		return turn{}, 0, false
	}
	for index := range batch[:got.count] {
		tag := uint64(batch[index].tag)
		one, isCall := s.pass(tag, taken(&batch[index]))
		switch {
		case isCall && count == 0:
			first = one
			count++
		case isCall:
			go one.run()
			count++
		}
	}
	return first, count, true
}

// pass tells the tool of an event, and gives the call that is to be run for it, if there is one.
func (s *servers) pass(tag uint64, event event) (turn, bool) {
	s.mutex.Lock()
	calls := s.tools[tag]
	s.mutex.Unlock()
	switch event.kind {
	case C.SPB_EVENT_TOOL_CALL:
		if calls != nil {
			return calls.begin(event)
		}
		C.spb_invocation_free(event.invocation)
	case C.SPB_EVENT_TOOL_CANCEL:
		if calls != nil {
			calls.cancel(event.invocation)
		}
	}
	event.value.keep()
	return turn{}, false
}

// serve runs a call on the goroutine; whether it is to wait for more afterwards.
func (s *servers) serve(first turn, number uint64) (stays bool) {
	began := time.Now()
	hasEnded := false
	defer func() {
		if !hasEnded {
			// The tool has ended the goroutine.
			s.replace()
		}
	}()
	first.run()
	hasEnded = true
	return s.enter(number, time.Since(began))
}

// leave is the end of a goroutine's waiting, with so many calls, of which it gets the last number.
// Another waits in its place, unless the calls are such that this one is back sooner.
func (s *servers) leave(count int, isOpen bool) uint64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.over = s.over || !isOpen
	s.waiting--
	number := s.pace.begin(count)
	if s.waiting > 0 || s.over {
		return number
	}
	if s.pace.isLone() {
		s.pace.watch(s.look)
	} else {
		s.add()
	}
	return number
}

// enter makes the goroutine one of those that wait again; false when there are enough, or none is
// needed.
func (s *servers) enter(number uint64, took time.Duration) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.pace.end(number, took)
	if s.over || s.waiting >= s.pace.wanted() {
		return false
	}
	s.waiting++
	return true
}

// replace lets another goroutine wait, if none does.
func (s *servers) replace() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.waiting == 0 && !s.over {
		s.add()
	}
}

// look is what the pace's clock does: nobody waits any more for a call that was short to end.
func (s *servers) look() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.pace.look(s.waiting == 0, s.over) {
		s.add()
	}
}

// callsAtOnce is how many events are taken from C at once.
const callsAtOnce = 64
