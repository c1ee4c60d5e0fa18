// The platform: opened, asked how it is, closed. Pools and sessions have files of their own.

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

// Platform is one embedded platform: its pools of Python workers, sessions and tools. Close it.
type Platform struct {
	raw     C.spb_platform
	pump    *pump
	servers *servers
	places  places
	net     *net
}

// Open opens a platform as a document says (docs/configuration.md, [ConfigSchema]). It returns at
// once; workers start behind it, see [Pool.AwaitReady]. Errors: StatusInvalidArgument names the
// faulty key.
func Open(configJSON string) (*Platform, error) {
	if err := checkABI(); err != nil {
		return nil, err
	}
	var hold lent
	defer hold.Unpin()
	var raw C.spb_platform
	var fault *C.spb_error
	if status := C.spb_platform_open(hold.text(configJSON), &raw, &fault); status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	servers, err := newServers(raw)
	if err != nil {
		C.spb_platform_free(raw)
		return nil, err
	}
	pump, err := newPump(raw, servers)
	if err != nil {
		servers.close()
		C.spb_platform_free(raw)
		return nil, err
	}
	platform := &Platform{raw: raw, pump: pump, servers: servers}
	forgotten := "a Platform was dropped without Close"
	platform.net = spread(platform, nil, forgotten, func() { C.spb_platform_free(raw) })
	return platform, nil
}

// Close closes the platform as configured and waits for it: see [Platform.Shutdown]. It is an
// io.Closer; closing again does no harm. What is called afterwards fails with StatusClosed, but for
// Health and Metrics.
func (p *Platform) Close() error { return p.Shutdown(context.Background(), 0) }

// Shutdown ends the platform: calls under way may end within grace (0: as configured, NoTimeout:
// all the time they need), then the rest is cancelled and every worker process is gone. Who shuts
// down later waits for the first one's end. The end of ctx only ends the waiting.
func (p *Platform) Shutdown(ctx context.Context, grace time.Duration) error {
	defer runtime.KeepAlive(p)
	if p.net.fold() {
		var operation C.spb_operation
		var fault *C.spb_error
		status := C.spb_platform_shutdown(p.raw, millis(grace), nil, &operation, &fault)
		if status != C.SPB_OK {
			p.net.folded.Store(false)
			return failure(status, fault)
		}
		C.spb_operation_free(operation)
	}
	select {
	case <-p.pump.done:
		return nil
	case <-ctx.Done():
		return contextError(ctx.Err())
	}
}

// Health reports how the platform is: {"live", "ready", ...} with one entry per pool.
func (p *Platform) Health() (*Value, error) {
	defer runtime.KeepAlive(p)
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_platform_health(p.raw, out, fault)
	})
}

// Schema describes what a framework's operations take and give, as JSON Schema; all frameworks for
// an empty name. It is known once the first worker is ready; before, StatusUnavailable.
func (p *Platform) Schema(framework string) (*Value, error) {
	defer runtime.KeepAlive(p)
	var hold lent
	defer hold.Unpin()
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_platform_schema(p.raw, hold.text(framework), out, fault)
	})
}

// Describe tells everything that a client can be generated from: frameworks pool by pool, tools,
// statuses, variable types and limits. A pool's frameworks are known once its first worker is
// ready.
func (p *Platform) Describe() (*Value, error) {
	defer runtime.KeepAlive(p)
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_platform_describe(p.raw, out, fault)
	})
}

// Metrics are all metrics in Prometheus's text format.
func (p *Platform) Metrics() (string, error) {
	defer runtime.KeepAlive(p)
	var raw *C.spb_text
	var fault *C.spb_error
	if status := C.spb_platform_metrics(p.raw, &raw, &fault); status != C.SPB_OK {
		return "", failure(status, fault)
	}
	defer C.spb_text_free(raw)
	return goString(C.spb_text_view(raw)), nil
}
