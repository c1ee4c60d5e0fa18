//! Streams that are read on demand: calls with chunks, and watches of variables.

use rustler::{Encoder, Env, LocalPid, ResourceArc, Term};

use crate::codec::{SMALL_BYTES_MAX, answer, done, failed, optional_payload, with_optional_value};
use crate::dispatcher::done_term;
use crate::ffi::{EventKind, Events, Failure, Outcome, Queue, Value, Watch, WatchOptions};
use crate::options::{Options, consume, text_of};
use crate::resources::{SessionResource, Source, StreamResource};

use super::operations::{execute_options, parent_of, tool_call_options};

type Session = ResourceArc<SessionResource>;
type Stream = ResourceArc<StreamResource>;

#[rustler::nif]
fn execute_stream<'a>(
    env: Env<'a>,
    session: Session,
    options: Term<'a>,
    parameters: Term<'a>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    with_optional_value(env, parameters, |parameters| {
        let begun = Options::new(options).and_then(|options| {
            let parent = parent_of(&options)?;
            let mut request = execute_options(&options, parameters, &parent)?;
            (request.is_stream, request.window) = (true, options.number("window")?);
            StreamResource::begin(env, &session.platform, (pid, reference), |queue, tag| {
                session.handle.execute(&request, queue, tag).map(Source::Call)
            })
        });
        answer(env, begun)
    })
}

#[rustler::nif]
fn tool_call_stream<'a>(
    env: Env<'a>,
    session: Session,
    options: Term<'a>,
    arguments: Term<'a>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    consume(env, 1);
    with_optional_value(env, arguments, |arguments| {
        let begun = Options::new(options).and_then(|options| {
            let parent = parent_of(&options)?;
            let mut request = tool_call_options(&options, arguments, &parent)?;
            (request.is_stream, request.window) = (true, options.number("window")?);
            StreamResource::begin(env, &session.platform, (pid, reference), |queue, tag| {
                session.handle.call_tool(&request, queue, tag).map(Source::Call)
            })
        });
        answer(env, begun)
    })
}

#[rustler::nif(schedule = "DirtyIo")]
fn watch_stream<'a>(
    env: Env<'a>,
    session: Session,
    patterns: Term<'a>,
    options: Term<'a>,
    pid: LocalPid,
    reference: Term<'a>,
) -> Term<'a> {
    let begun = Options::new(options).and_then(|options| {
        let patterns = text_of(patterns, "patterns")?;
        let wanted = WatchOptions {
            has_initial: options.flag("initial")?,
            is_coalesced: options.flag("coalesce")?,
            queue_max: options.number("queue_max")?,
        };
        StreamResource::begin(env, &session.platform, (pid, reference), |queue, tag| {
            let watch = Watch::variables(&session.handle, patterns, &wanted, queue, tag)?;
            Ok(Source::Variables(watch))
        })
    });
    answer(env, begun)
}

#[rustler::nif]
fn stream_next(env: Env, stream: Stream, max: usize) -> Term {
    match &stream.queue {
        None => failed(env, &Failure::invalid("stream is a subscription to the log")),
        Some(queue) => next(env, &stream, queue, max.clamp(1, EVENTS_MAX))
            .unwrap_or_else(|failure| failed(env, &failure)),
    }
}

#[rustler::nif]
fn stream_cancel(env: Env, stream: Stream) -> Term {
    done(env, stream.cancel())
}

fn next<'a>(env: Env<'a>, stream: &Stream, queue: &Queue, max: usize) -> Outcome<Term<'a>> {
    let mut events = Events::with_capacity(max);
    while events.fill(queue, max)? > 0 {
        let mut reading = Reading { env, bytes_left: SMALL_BYTES_MAX, is_over: false };
        let terms: Vec<Term> =
            events.by_ref().filter_map(|event| reading.term(event.kind)).collect();
        if reading.is_over {
            StreamResource::end(stream, env);
        }
        if !terms.is_empty() {
            consume(env, (SMALL_BYTES_MAX - reading.bytes_left) / BYTES_OF_ONE_PERCENT);
            return Ok(terms.encode(env));
        }
    }
    if stream.is_over() {
        return Err(Failure::closed("the stream"));
    }
    stream.home.await_events(stream, queue)?;
    Ok(atoms::wait().to_term(env))
}

/// Events as terms, with what one call on a normal scheduler has time to decode.
struct Reading<'a> {
    env: Env<'a>,
    bytes_left: usize,
    is_over: bool,
}

impl<'a> Reading<'a> {
    fn term(&mut self, kind: EventKind) -> Option<Term<'a>> {
        let env = self.env;
        Some(match kind {
            EventKind::Chunk { sequence, value } => {
                (atoms::chunk(), sequence, self.payload(value)).encode(env)
            }
            EventKind::Done(outcome) => {
                self.is_over = true;
                done_term(env, outcome)
            }
            EventKind::Variable { version, value } => {
                (atoms::variable(), version, self.payload(value)).encode(env)
            }
            EventKind::Missed { count, value } => {
                (atoms::missed(), count, self.payload(value)).encode(env)
            }
            EventKind::WatchEnd(failure) => {
                self.is_over = true;
                (atoms::end(), failure).encode(env)
            }
            _ => return None,
        })
    }

    fn payload(&mut self, value: Option<Value>) -> Term<'a> {
        let len = value.as_ref().map_or(0, |value| value.json().len());
        let payload = optional_payload(self.env, value, self.bytes_left);
        self.bytes_left = self.bytes_left.saturating_sub(len);
        payload.unwrap_or_else(|failure| failed(self.env, &failure))
    }
}

mod atoms {
    rustler::atoms! { wait, chunk, variable, missed, end }
}

/// Events that one call takes.
const EVENTS_MAX: usize = 64;
/// Bytes of documents that take about ten microseconds to decode.
const BYTES_OF_ONE_PERCENT: usize = 1024;
