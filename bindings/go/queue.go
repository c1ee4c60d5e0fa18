// The completion queue and the goroutine that takes its events. Knows nothing of what they are for.

package bridge

/*
#include <unistd.h>
#include <fcntl.h>
#include "crossing.h"

// A second descriptor of the queue's, so that Go's poller and the queue each close their own.
static int32_t spb_go_dup(int32_t fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 3); }
*/
import "C"

import (
	"os"
	"sync"
	"syscall"
)

// events is how many are taken from C at once.
const events = 256

// event is one event, with what it carried made Go's own.
type event struct {
	kind       C.uint32_t
	status     C.spb_status
	sequence   uint64
	invocation C.spb_invocation
	value      *Value
	err        error
}

// queue is a completion queue of the library whose readiness Go's poller waits for.
type queue struct {
	raw  C.spb_queue
	file *os.File
	poll syscall.RawConn
}

func newQueue(platform C.spb_platform) (*queue, error) {
	made := &queue{}
	var fault *C.spb_error
	if status := C.spb_queue_new(platform, &made.raw, &fault); status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	var descriptor C.int32_t
	if status := C.spb_queue_fd(made.raw, &descriptor, &fault); status != C.SPB_OK {
		C.spb_queue_free(made.raw)
		return nil, failure(status, fault)
	}
	made.file = os.NewFile(uintptr(C.spb_go_dup(descriptor)), "snakepit_bridge queue")
	poll, err := made.file.SyscallConn()
	if err != nil {
		made.close()
		return nil, &Error{Status: StatusResourceExhausted, Message: err.Error()}
	}
	made.poll = poll
	return made, nil
}

// take waits for events and passes each to handle; false once there will be no more.
func (q *queue) take(batch []C.spb_event, handle func(tag uint64, event event)) bool {
	var got C.spb_go_taken
	err := q.poll.Read(func(uintptr) bool {
		got = C.spb_go_take(q.raw, &batch[0], C.size_t(len(batch)), 0)
		return got.status != C.SPB_E_AGAIN
	})
	if err != nil || got.status != C.SPB_OK {
		return false
	}
	for index := range batch[:got.count] {
		tag := uint64(batch[index].tag)
		event := taken(&batch[index])
		event.value.keep()
		handle(tag, event)
	}
	return true
}

// close frees it; who waits in take is told.
func (q *queue) close() {
	C.spb_queue_free(q.raw)
	q.file.Close()
}

// taken makes what an event carries Go's own. Its Value has to be kept or closed.
func taken(raw *C.spb_event) event {
	made := event{kind: raw.kind, status: raw.status, sequence: uint64(raw.sequence)}
	made.invocation = raw.invocation
	if raw.value != nil {
		made.value = loose(raw.value)
		raw.value = nil
	}
	if raw.status != C.SPB_OK {
		made.err = failure(raw.status, raw.error)
		raw.error = nil
	}
	if raw.error != nil {
		C.spb_event_clear(raw)
	}
	return made
}

// pump is the goroutine of a platform that takes its queue's events to whom they are for.
type pump struct {
	queue   *queue
	servers *servers
	done    chan struct{}

	mutex sync.Mutex
	next  uint64
	sinks map[uint64]func(event)
}

// newPump makes a platform's pump, with whose end servers end, too.
func newPump(platform C.spb_platform, servers *servers) (*pump, error) {
	queue, err := newQueue(platform)
	if err != nil {
		return nil, err
	}
	made := &pump{
		queue: queue, servers: servers, done: make(chan struct{}), sinks: map[uint64]func(event){},
	}
	go made.run()
	return made, nil
}

// sink registers who takes the events of one tag. They must not block.
func (p *pump) sink(take func(event)) (C.spb_sink, uint64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.next++
	p.sinks[p.next] = take
	return C.spb_sink_queue(p.queue.raw, C.uint64_t(p.next)), p.next
}

// forget ends a tag.
func (p *pump) forget(tag uint64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.sinks, tag)
}

// isOver: the platform has closed, and with it the queue.
func (p *pump) isOver() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// run ends with the platform, also with one that was dropped without being closed.
func (p *pump) run() {
	defer p.queue.close()
	defer p.servers.close()
	defer close(p.done)
	batch := make([]C.spb_event, events)
	for p.queue.take(batch, p.pass) {
	}
}

func (p *pump) pass(tag uint64, event event) {
	p.mutex.Lock()
	take := p.sinks[tag]
	if isLast(event.kind) {
		delete(p.sinks, tag)
	}
	p.mutex.Unlock()
	if take != nil {
		take(event)
	}
}

func isLast(kind C.uint32_t) bool {
	return kind == C.SPB_EVENT_OP_DONE || kind == C.SPB_EVENT_WATCH_END
}
