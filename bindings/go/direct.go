// The direct way of calls that wait for one result: their goroutines wait in C for exactly their
// own end, so that nobody has to be woken to pass it on. Knows nothing of what is called.
//
// A goroutine that waits in C keeps a thread. So only few at once do, and all others are handed
// their ends by the pump, which needs no thread for them (see operation.go).

package bridge

/*
#include "crossing.h"
*/
import "C"

import (
	"context"
	"runtime"
	"sync/atomic"
)

// places counts a platform's calls that wait for one result, whichever way.
type places struct {
	taken  atomic.Int32
	breath breath
}

// take counts one more; whether there are few enough for it to wait in C.
func (p *places) take() bool { return p.taken.Add(1) <= placesMax }

func (p *places) leave() { p.taken.Add(-1) }

// call submits an operation and waits for its end, in C if a place is free. When ctx ends first the
// operation is cancelled, and its end is still waited for. The Value has to be kept or closed.
func (p *Platform) call(ctx context.Context, submit submission) (*Value, error) {
	defer p.places.leave()
	if !p.places.take() {
		return p.await(ctx, true, submit)
	}
	defer runtime.KeepAlive(p)
	if err := ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	operation, err := submit(nil, nil)
	if err != nil {
		return nil, p.refusal(err)
	}
	if ctx.Done() != nil {
		// The handle may be freed by then, and names nothing that lives.
		stop := context.AfterFunc(ctx, func() { C.spb_operation_cancel(operation, nil) })
		defer stop()
	}
	p.places.breath.take()
	end := C.spb_go_await(operation)
	if end.outcome.status != C.SPB_OK {
		return nil, endOf(ctx, failure(end.outcome.status, end.outcome.fault))
	}
	return loose(end.value), nil
}

// placesMax is enough for calls that come one by one beside a few long ones. More at once are many,
// and many are cheaper by the pump, which takes their ends from C in batches.
const placesMax = 2
