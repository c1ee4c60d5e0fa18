// Sessions: opened, joined, copied, kept, closed. What is done in them is in call.go, toolcall.go,
// variable.go and watch.go.

package bridge

/*
#include <snakepit_bridge.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"time"
)

// Affinity says which workers serve a session's calls.
type Affinity uint32

// Affinities; docs/c-abi.md.
const (
	AffinityDefault        Affinity = C.SPB_AFFINITY_DEFAULT
	AffinityNone           Affinity = C.SPB_AFFINITY_NONE
	AffinityHint           Affinity = C.SPB_AFFINITY_HINT
	AffinityStrictQueue    Affinity = C.SPB_AFFINITY_STRICT_QUEUE
	AffinityStrictFailFast Affinity = C.SPB_AFFINITY_STRICT_FAIL_FAST
)

// SessionOptions say how a session is to be. Zero means default everywhere.
type SessionOptions struct {
	// ID is a name of your own, at most 128 bytes; empty: a random one.
	ID string
	// Metadata is kept and shown: anything that encoding/json writes as an object.
	Metadata any
	// TTL: closed when unused for so long; NoTimeout: never.
	TTL      time.Duration
	Affinity Affinity
}

// Session holds what calls share: variables, tools, affinity. Close it, or Release it if others go
// on with it.
type Session struct {
	platform *Platform
	raw      C.spb_session
	net      *net
}

// OpenSession opens a session.
func (p *Platform) OpenSession(options SessionOptions) (*Session, error) {
	return p.session(options, func(raw *cSessionOptions, out *cSession, fault *cFault) cStatus {
		return C.spb_session_open(p.raw, raw, out, fault)
	})
}

// JoinSession finds the session of that id: open on this host, or in the store.
func (p *Platform) JoinSession(id string) (*Session, error) {
	var hold lent
	defer hold.Unpin()
	return p.session(SessionOptions{}, func(_ *cSessionOptions, out *cSession, fault *cFault) cStatus {
		return C.spb_session_join(p.raw, hold.text(id), out, fault)
	})
}

// ImportSession opens a session with what a file of [Session.Export] holds.
func (p *Platform) ImportSession(path string, options SessionOptions) (*Session, error) {
	var hold lent
	defer hold.Unpin()
	return p.session(options, func(raw *cSessionOptions, out *cSession, fault *cFault) cStatus {
		return C.spb_session_import(p.raw, hold.text(path), raw, out, fault)
	})
}

// ImportArchive opens a session with what a value of [Session.Archive] holds.
func (p *Platform) ImportArchive(archive *Value, options SessionOptions) (*Session, error) {
	held, err := archive.lend()
	if err != nil {
		return nil, err
	}
	defer archive.giveBack()
	return p.session(options, func(raw *cSessionOptions, out *cSession, fault *cFault) cStatus {
		return C.spb_session_import_value(p.raw, held, raw, out, fault)
	})
}

// Sessions lists the sessions of the store behind an id (empty: from the first), at most limit.
func (p *Platform) Sessions(after string, limit int) (*Value, error) {
	defer runtime.KeepAlive(p)
	var hold lent
	defer hold.Unpin()
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_session_list(p.raw, hold.text(after), C.size_t(limit), out, fault)
	})
}

// Clone opens a session that holds what this one does, at one moment.
func (s *Session) Clone(options SessionOptions) (*Session, error) {
	defer runtime.KeepAlive(s)
	clone := func(raw *cSessionOptions, out *cSession, fault *cFault) cStatus {
		return C.spb_session_clone(s.raw, raw, out, fault)
	}
	return s.platform.session(options, clone)
}

// Export writes the session to a file that only its owner may read.
func (s *Session) Export(path string) error {
	defer runtime.KeepAlive(s)
	var hold lent
	defer hold.Unpin()
	return check(func(fault *cFault) cStatus {
		return C.spb_session_export(s.raw, hold.text(path), fault)
	})
}

// Archive is what Export writes, as a value: the document of the archive with the attachments of all
// variables.
func (s *Session) Archive() (*Value, error) {
	defer runtime.KeepAlive(s)
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_session_export_value(s.raw, out, fault)
	})
}

// Info reports id, metadata, ages, and what the session holds.
func (s *Session) Info() (*Value, error) {
	defer runtime.KeepAlive(s)
	return give(func(out *cValue, fault *cFault) cStatus {
		return C.spb_session_info(s.raw, out, fault)
	})
}

// Touch counts as a use: the time to live starts again.
func (s *Session) Touch() error {
	defer runtime.KeepAlive(s)
	return check(func(fault *cFault) cStatus {
		return C.spb_session_touch(s.raw, fault)
	})
}

// Close closes the session for every host of the store and waits for it: its operations are
// cancelled, its tools and variables go. It is an io.Closer; closing again does no harm. What is
// called afterwards fails with StatusClosed.
func (s *Session) Close() error {
	defer runtime.KeepAlive(s)
	if !s.net.fold() {
		return nil
	}
	shut := func(sink *cSink, out *cOperation, fault *cFault) cStatus {
		return C.spb_session_close(s.raw, sink, out, fault)
	}
	_, err := s.platform.await(context.Background(), false, plain(shut))
	if errors.Is(err, StatusClosed) {
		// Its platform, another host or its time to live was faster.
		return nil
	}
	return err
}

// Release lets go of a session that is not to be closed: it lives until somebody else closes it or
// its time is up, and [Platform.JoinSession] finds it again. The Session may still be used.
func (s *Session) Release() { s.net.fold() }

type opening func(raw *cSessionOptions, out *cSession, fault *cFault) cStatus

func (p *Platform) session(options SessionOptions, open opening) (*Session, error) {
	defer runtime.KeepAlive(p)
	var hold lent
	defer hold.Unpin()
	raw := C.spb_session_options{struct_size: C.sizeof_spb_session_options}
	raw.id = hold.text(options.ID)
	if options.Metadata != nil {
		document, err := json.Marshal(options.Metadata)
		if err != nil {
			return nil, &Error{Status: StatusInvalidArgument, Message: "metadata: " + err.Error()}
		}
		raw.metadata_json = hold.bytes(document)
	}
	raw.ttl_ms = millis(options.TTL)
	raw.affinity = C.uint32_t(options.Affinity)
	session := &Session{platform: p}
	var opened C.spb_session
	var fault *C.spb_error
	if status := open(&raw, &opened, &fault); status != C.SPB_OK {
		return nil, failure(status, fault)
	}
	session.raw = opened
	forgotten := "a Session was dropped without Close or Release"
	session.net = spread(session, p.net, forgotten, func() { C.spb_session_free(opened) })
	return session, nil
}
