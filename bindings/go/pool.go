// Pools of workers. Their calls are made in sessions.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"context"
	"runtime"
	"time"
)

// Pool is a named pool of Python workers. It belongs to its platform.
type Pool struct {
	platform *Platform
	raw      C.spb_pool
}

// Pool finds a pool of the configuration; an empty name is "default".
func (p *Platform) Pool(name string) (*Pool, error) {
	defer runtime.KeepAlive(p)
	var hold lent
	defer hold.Unpin()
	pool := &Pool{platform: p}
	var fault *C.spb_error
	status := C.spb_pool_get(p.raw, hold.text(name), &pool.raw, &fault)
	if status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	runtime.AddCleanup(pool, func(raw C.spb_pool) { C.spb_pool_free(raw) }, pool.raw)
	return pool, nil
}

// AwaitReady waits until so many workers (0: all) are ready, or tells why they are not.
func (p *Pool) AwaitReady(ctx context.Context, workers int) error {
	defer runtime.KeepAlive(p)
	timeout := timeLeft(ctx, NoTimeout)
	_, err := p.platform.await(ctx, true, plain(func(
		sink *cSink, out *cOperation, fault *cFault,
	) cStatus {
		return C.spb_pool_await_ready(p.raw, C.uint32_t(workers), millis(timeout), sink, out, fault)
	}))
	return err
}

// Drain empties the pool and waits until no worker is left; calls that run may end within grace.
func (p *Pool) Drain(ctx context.Context, grace time.Duration) error {
	defer runtime.KeepAlive(p)
	_, err := p.platform.await(ctx, true, plain(func(
		sink *cSink, out *cOperation, fault *cFault,
	) cStatus {
		return C.spb_pool_drain(p.raw, millis(grace), sink, out, fault)
	}))
	return err
}

// Resize changes the number of workers: min whatever the load, up to max (0: the same) under load.
func (p *Pool) Resize(min, max int) error {
	defer runtime.KeepAlive(p)
	return check(func(fault *cFault) cStatus {
		return C.spb_pool_resize(p.raw, C.uint32_t(min), C.uint32_t(max), fault)
	})
}

// Schema describes what the operations of a framework of this pool take and give, as JSON Schema;
// all its frameworks for an empty name. It is known once the pool's first worker is ready.
func (p *Pool) Schema(framework string) (*Value, error) {
	defer runtime.KeepAlive(p)
	var hold lent
	defer hold.Unpin()
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_pool_schema(p.raw, hold.text(framework), out, fault)
	})
}

// Stats reports the pool's counts, and one row per worker.
func (p *Pool) Stats() (*Value, error) {
	defer runtime.KeepAlive(p)
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_pool_stats(p.raw, out, fault)
	})
}

// timeLeft is what a context's deadline leaves, or otherwise what is given.
func timeLeft(ctx context.Context, otherwise time.Duration) time.Duration {
	deadline, has := ctx.Deadline()
	if !has {
		return otherwise
	}
	left := max(time.Until(deadline), time.Millisecond)
	if otherwise > 0 && otherwise < left {
		return otherwise
	}
	return left
}
