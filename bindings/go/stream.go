// Streams: calls whose events have a queue of their own, so that what is not taken is not sent by
// Python and a slow consumer needs no memory. Knows nothing of what is called.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"context"
	"iter"
	"runtime"
)

// stream gives the chunks of what submit starts.
func (p *Platform) stream(
	ctx context.Context, result any, submit submission,
) iter.Seq2[*Value, error] {
	return func(yield func(*Value, error) bool) {
		running := &stream{platform: p, take: func(chunk *Value) bool { return yield(chunk, nil) }}
		value, err := running.run(ctx, submit)
		if err == nil && value != nil && result != nil {
			err = value.Into(result)
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// chunksAs reads chunks as Chunk; the first that is none ends the stream.
func chunksAs[Chunk any](chunks iter.Seq2[*Value, error]) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		for value, err := range chunks {
			var chunk Chunk
			if err == nil {
				chunk, err = consume[Chunk](value)
			}
			if !yield(chunk, err) || err != nil {
				return
			}
		}
	}
}

// stream is one that runs.
type stream struct {
	platform *Platform
	take     func(*Value) bool
	// refused: take wants no more.
	refused bool
	// over: the operation has ended, as outcome says.
	over    bool
	outcome event
}

// run takes all events. After take has refused a chunk it waits for the end, and gives nothing.
func (s *stream) run(ctx context.Context, submit submission) (*Value, error) {
	defer runtime.KeepAlive(s.platform)
	if err := ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	queue, err := newQueue(s.platform.raw)
	if err != nil {
		return nil, s.platform.refusal(err)
	}
	defer queue.close()
	sink := C.spb_sink_queue(queue.raw, 1)
	var operation C.spb_operation
	if _, err := submit(&sink, &operation); err != nil {
		return nil, s.platform.refusal(err)
	}
	defer C.spb_operation_free(operation)
	// Also where the loop's body panics, or ends its goroutine.
	cancel := func() { C.spb_operation_cancel(operation, nil) }
	defer cancel()
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	batch := make([]C.spb_event, 1)
	for !s.over && queue.take(batch, func(_ uint64, event event) { s.pass(event, cancel) }) {
	}
	switch {
	case s.refused:
		return nil, nil
	case !s.over:
		return nil, errClosed
	}
	return s.outcome.value, endOf(ctx, s.outcome.err)
}

func (s *stream) pass(event event, cancel func()) {
	switch event.kind {
	case C.SPB_EVENT_OP_CHUNK:
		if !s.refused && !s.take(event.value) {
			s.refused = true
			cancel()
		}
	case C.SPB_EVENT_OP_DONE:
		s.outcome, s.over = event, true
	}
}
