// Where the calls of tools come in: a queue of their own, and the goroutines that wait in C for its
// events. Knows nothing of what tools do.
//
// A call runs on the goroutine that C gave it to, since another waits in C already: nothing is
// woken between Python and the tool but the one thread that brings the call.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import "sync"

// servers take the calls of a platform's tools. At least one goroutine waits in C for more, or is
// about to: who runs a call leaves the waiting to another.
type servers struct {
	raw C.spb_queue

	mutex sync.Mutex
	next  uint64
	tools map[uint64]*calls
	// waiting goroutines are in C, or pass on what they got there.
	waiting int
	// over: the queue has ended.
	over bool
}

func newServers(platform C.spb_platform) (*servers, error) {
	made := &servers{tools: map[uint64]*calls{}}
	var fault *C.spb_error
	if status := C.spb_queue_new(platform, &made.raw, &fault); status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	for made.enter() {
		go made.run()
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

// run is one goroutine's life. Each turn ends with another goroutine's turn under way, so that
// nothing is lost when a tool ends the goroutine.
func (s *servers) run() {
	batch := make([]C.spb_event, callsAtOnce)
	for {
		serve, isOpen := s.take(batch)
		if isOpen && serve == nil {
			continue
		}
		s.leave(isOpen)
		if !isOpen {
			return
		}
		serve()
		if !s.enter() {
			return
		}
	}
}

// take waits for events and passes them on. Of the calls among them all but one, which it gives,
// get goroutines.
func (s *servers) take(batch []C.spb_event) (serve func(), isOpen bool) {
	var count C.size_t
	status := C.spb_queue_next_batch(
		s.raw, &batch[0], C.size_t(len(batch)), C.SPB_NO_TIMEOUT, &count, nil,
	)
	if status != C.SPB_OK {
		return nil, false
	}
	for index := range batch[:count] {
		tag := uint64(batch[index].tag)
		one := s.pass(tag, taken(&batch[index]))
		if one == nil {
			continue
		}
		if serve != nil {
			go serve()
		}
		serve = one
	}
	return serve, true
}

// pass tells the tool of an event, and gives what there is to run for it.
func (s *servers) pass(tag uint64, event event) func() {
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
	return nil
}

// enter makes the goroutine one of those that wait; false when there are enough, or none is needed.
func (s *servers) enter() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.over || s.waiting >= serversWaiting {
		return false
	}
	s.waiting++
	return true
}

// leave is the end of that. The last one makes another in its place.
func (s *servers) leave(isOpen bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.over = s.over || !isOpen
	s.waiting--
	if s.waiting == 0 && !s.over {
		s.waiting++
		go s.run()
	}
}

const (
	// serversWaiting is enough for one to wait while another runs a short call.
	serversWaiting = 2
	// callsAtOnce is how many events are taken from C at once.
	callsAtOnce = 64
)
