// Log records of library and workers, for slog. The form of the records is docs/telemetry.md.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"log/slog"
	"runtime"
	"sort"
	"time"
)

// LogOptions say which records come. Zero means default everywhere.
type LogOptions struct {
	// Level is the lowest that comes; nil: as the configuration's logs.level says.
	Level slog.Leveler
	// TargetPrefix: only targets that begin so; empty: all.
	TargetPrefix string
}

// LogTo passes the records of library and workers to a slog.Handler, until stop is called or the
// platform is closed. Records that are not taken in time are dropped and counted in a record of
// their own. The handler is called in one goroutine, which all ends of calls wait for: one that
// blocks holds everything up.
func (p *Platform) LogTo(handler slog.Handler, options LogOptions) (stop func(), err error) {
	defer runtime.KeepAlive(p)
	var hold lent
	defer hold.Unpin()
	raw := C.spb_log_options{struct_size: C.sizeof_spb_log_options}
	raw.target_prefix = hold.text(options.TargetPrefix)
	if options.Level != nil {
		raw.level = pythonLevel(options.Level.Level())
	}
	sink, tag := p.pump.sink(func(event event) { handle(handler, event) })
	var watch C.spb_watch
	err = check(func(fault *cFault) cStatus {
		return C.spb_log_subscribe(p.raw, &raw, &sink, &watch, fault)
	})
	if err != nil {
		p.pump.forget(tag)
		return nil, p.refusal(err)
	}
	return func() {
		C.spb_watch_free(watch)
		p.pump.forget(tag)
	}, nil
}

func handle(handler slog.Handler, event event) {
	ctx := context.Background()
	var record slog.Record
	switch event.kind {
	case C.SPB_EVENT_LOG:
		record = recordOf(event.value)
	case C.SPB_EVENT_OVERFLOW:
		record.Level, record.Message = slog.LevelWarn, "log records were dropped"
		record.AddAttrs(slog.Uint64("count", event.sequence))
	default:
		return
	}
	if handler.Enabled(ctx, record.Level) {
		_ = handler.Handle(ctx, record)
	}
}

// recordOf reads a document of docs/telemetry.md; what it has beside level and message are
// attributes, in the order of their names.
func recordOf(document *Value) slog.Record {
	fields, err := As[map[string]any](document)
	if err != nil {
		return slog.Record{Level: slog.LevelError, Message: document.String()}
	}
	level, _ := fields["level"].(string)
	record := slog.Record{Level: levels[level]}
	record.Message, _ = fields["message"].(string)
	if at, isKnown := fields["unix_ms"].(json.Number); isKnown {
		millis, _ := at.Int64()
		record.Time = time.UnixMilli(millis)
	}
	for _, name := range []string{"level", "message", "unix_ms"} {
		delete(fields, name)
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		record.AddAttrs(slog.Any(name, fields[name]))
	}
	return record
}

// Python counts 10 debug, 20 info, 30 warning, 40 error; slog -4, 0, 4, 8.
func pythonLevel(level slog.Level) C.int32_t { return C.int32_t(max(1, 20+int(level)*10/4)) }

// levels are those of records, by their names.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warning": slog.LevelWarn, "error": slog.LevelError,
}
