//! One template process: its start, its answers, its end.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::super::super::adapter::OutputStream;
use super::super::super::config::PoolConfig;
use super::super::super::error::Failure;
use super::super::super::exit::ExitKind;
use super::super::super::guard::Report;
use super::super::super::ids::WorkerId;
use super::super::super::journey::{Journey, Step};
use super::super::super::moment::passed;
use super::super::super::os::{
    GuardEnds, GuardProcess, Message, MessageSocket, Reaper, guard_ends, own_process, send_message,
    spawn_guard,
};
use super::super::super::process::{Guarded, Listener, Tail};
use super::keeper::Job;
use super::server::TemplateConfig;
use super::wire::{Reply, Request};

/// A running template.
pub struct Template {
    config: Arc<TemplateConfig>,
    guarded: Guarded,
    output: Option<BoxFuture<'static, ()>>,
    tail: Arc<Mutex<Tail>>,
    /// `None` once it has no other side any more: the template's end follows.
    socket: Option<MessageSocket>,
    host: OwnedFd,
    journey: Journey,
    /// By then it is ready, or ends.
    start_until: Option<Instant>,
    ready_at: Option<Instant>,
    /// Not sent yet: until it is ready, or its socket has room.
    waiting: VecDeque<Job>,
    /// In the order in which they were sent, and are answered.
    sent: VecDeque<Sent>,
    next_id: u64,
}

/// Why it serves no longer.
pub struct Over(String);

struct Sent {
    id: u64,
    job: Job,
    ends: GuardEnds,
    /// By then it is answered.
    until: Option<Instant>,
}

impl Template {
    /// Starts a template that will serve `jobs`; gives them back with what failed.
    pub fn launch(
        config: &Arc<TemplateConfig>,
        jobs: Vec<Job>,
    ) -> Result<Template, (Failure, Vec<Job>)> {
        match Template::begin(config) {
            Ok(template) => Ok(Template { waiting: jobs.into(), ..template }),
            Err(error) => {
                let guard = config.guard.display();
                Err((Failure::new(format!("template: guard {guard}: {error}")), jobs))
            }
        }
    }

    fn begin(config: &Arc<TemplateConfig>) -> io::Result<Template> {
        let mut journey = Journey::begin();
        journey.reach(Step::Described);
        let (socket, theirs) = MessageSocket::pair()?;
        let PoolConfig { name, instance, .. } = &config.pool;
        let label = instance.label(name);
        let labels = ["--template", &label, "template"].map(OsStr::new);
        let process = spawn_guard(&config.guard, &labels)?;
        let record = instance.record(name, TEMPLATE, process.reaper.pid())?;
        let mut spec = config.spec.clone();
        instance.brand(name, TEMPLATE, &mut spec);
        // Ahead of the spec: the guard reads it first.
        send_message(&process.control, b"\n", &[theirs.as_fd()])?;
        let (guarded, output) = Guarded::new(process, record, &spec)?;
        journey.reach(Step::GuardSpawned);
        let tail = Arc::new(Mutex::new(Tail::new(config.pool.stderr_tail_bytes)));
        let ear = Ear { config: config.clone(), tail: tail.clone() };
        Ok(Template {
            output: Some(output.read(config.pool.output_line_bytes_max, ear).boxed()),
            config: config.clone(),
            guarded,
            tail,
            socket: Some(socket),
            host: own_process()?,
            journey,
            start_until: Instant::now().checked_add(config.pool.start_timeout),
            ready_at: None,
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            next_id: 0,
        })
    }

    /// Has a worker forked, as soon as may be.
    pub fn fork(&mut self, job: Job) {
        self.waiting.push_back(job);
        self.send_waiting();
    }

    /// For how long it has been ready.
    pub fn served(&self) -> Duration {
        self.ready_at.map(|ready| ready.elapsed()).unwrap_or_default()
    }

    /// Works until it serves no longer. May be dropped and called again without losing anything.
    pub async fn work(&mut self) -> Over {
        loop {
            let full = self.ready_at.is_some() && !self.waiting.is_empty();
            let until = self.patience();
            let over = tokio::select! {
                biased;
                message = receive(self.socket.as_ref()) => self.hear(message),
                report = self.guarded.report() => self.reported(report),
                () = room(self.socket.as_ref()), if full => {
                    self.send_waiting();
                    None
                }
                () = passed(until) => Some(self.too_late()),
                () = read(&mut self.output) => None,
            };
            if let Some(over) = over {
                return over;
            }
        }
    }

    /// Ends it, within the kill grace: what is to be said of it, and whom it has not served.
    pub async fn end(mut self, why: Option<Over>) -> (Failure, Vec<Job>) {
        let grace = self.config.pool.kill_grace;
        self.guarded.kill();
        let ended = async {
            while self.guarded.report().await.is_some() {}
            let _ = self.guarded.ended().await;
        };
        if tokio::time::timeout(grace, ended).await.is_err() {
            self.guarded.kill_guard();
        }
        if let Some(output) = self.output.take() {
            let _ = tokio::time::timeout(grace, output).await;
        }
        self.journey.reach(Step::Ended);
        let why = why.map_or_else(|| "it was closed".to_owned(), |Over(why)| why);
        let failure = Failure::new(format!("template: {why}; {}", self.journey))
            .with_stderr_tail(self.tail.lock().text());
        let sent = self.sent.into_iter().map(|sent| sent.job);
        (failure, self.waiting.into_iter().chain(sent).collect())
    }

    fn hear(&mut self, message: io::Result<Message>) -> Option<Over> {
        let (bytes, descriptors) = match message {
            Ok((bytes, descriptors)) if !bytes.is_empty() => (bytes, descriptors),
            // Its exit code follows, or it is given up.
            _ => {
                self.socket = None;
                self.start_until = Instant::now().checked_add(self.config.pool.kill_grace);
                self.ready_at = None;
                return None;
            }
        };
        let Ok(reply) = serde_json::from_slice(&bytes) else { return Some(misunderstood()) };
        match reply {
            Reply::Ready => {
                self.journey.reach(Step::Ready);
                self.ready_at = Some(Instant::now());
                self.send_waiting();
                None
            }
            Reply::Forked { id, pid } => self.answered(id, |ends| {
                let process = descriptors.into_iter().next();
                let process = process.ok_or_else(|| io::Error::other("a guard without a process"));
                let reaper = process.and_then(|process| Reaper::from_pidfd(pid, process));
                let GuardEnds { control, stdout, stderr } = ends;
                match reaper {
                    Ok(reaper) => Ok(GuardProcess { control, stdout, stderr, reaper }),
                    Err(error) => Err(Failure::new(format!("template: {error}"))),
                }
            }),
            Reply::Refused { id, error } => {
                self.answered(id, |_| Err(Failure::new(format!("template: {error}"))))
            }
        }
    }

    /// Passes an answer on. Dropped by one whose start was given up, it ends the guard.
    fn answered(
        &mut self,
        id: u64,
        answer: impl FnOnce(GuardEnds) -> Result<GuardProcess, Failure>,
    ) -> Option<Over> {
        match self.sent.pop_front_if(|sent| sent.id == id) {
            Some(Sent { job, ends, .. }) => {
                drop(job.done.send(answer(ends)));
                None
            }
            None => Some(misunderstood()),
        }
    }

    fn reported(&mut self, report: Option<Report>) -> Option<Over> {
        if matches!(report, Some(Report::Started { .. })) {
            self.journey.reach(Step::ProcessStarted);
            return None;
        }
        Some(Over(ExitKind::of(report).to_string()))
    }

    fn send_waiting(&mut self) {
        while self.ready_at.is_some()
            && let Some(job) = self.waiting.pop_front()
        {
            if job.done.is_closed() {
                continue;
            }
            match self.send(&job) {
                Ok(ends) => {
                    let until = Instant::now().checked_add(self.config.pool.start_timeout);
                    self.sent.push_back(Sent { id: self.next_id, job, ends, until });
                    self.next_id += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.waiting.push_front(job);
                    return;
                }
                Err(error) => {
                    drop(job.done.send(Err(Failure::new(format!("template: {error}")))));
                }
            }
        }
    }

    fn send(&self, job: &Job) -> io::Result<GuardEnds> {
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        let [pool, worker] = &job.labels;
        let request =
            Request { id: self.next_id, guard: &self.config.guard, labels: [pool, worker] };
        let (ours, its) = guard_ends()?;
        let with = [&its.control, &its.stdout, &its.stderr, &self.host].map(AsFd::as_fd);
        socket.try_send(&serde_json::to_vec(&request)?, &with)?;
        Ok(ours)
    }

    fn patience(&self) -> Option<Instant> {
        match self.ready_at {
            None => self.start_until,
            Some(_) => self.sent.front().and_then(|sent| sent.until),
        }
    }

    fn too_late(&self) -> Over {
        let what = if self.ready_at.is_some() { "no answer" } else { "not ready" };
        Over(format!("{what} within {} ms", self.config.pool.start_timeout.as_millis()))
    }
}

/// Hands on what the template prints.
struct Ear {
    config: Arc<TemplateConfig>,
    tail: Arc<Mutex<Tail>>,
}

impl Listener for Ear {
    fn bytes(&self, stream: OutputStream, bytes: &[u8]) {
        if stream == OutputStream::Stderr {
            self.tail.lock().push(bytes);
        }
    }

    fn line(&self, stream: OutputStream, line: &str) {
        (self.config.output)(stream, line);
    }
}

fn misunderstood() -> Over {
    Over("it gave an answer that cannot be understood".to_owned())
}

async fn receive(socket: Option<&MessageSocket>) -> io::Result<Message> {
    match socket {
        Some(socket) => socket.receive().await,
        None => std::future::pending().await,
    }
}

async fn room(socket: Option<&MessageSocket>) {
    if let Some(socket) = socket
        && socket.writable().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

async fn read(output: &mut Option<BoxFuture<'static, ()>>) {
    let Some(reading) = output else { return std::future::pending().await };
    reading.as_mut().await;
    *output = None;
}

/// What the template is called. No worker's name is longer, so each fits where a forked process
/// shows its inherited one.
const TEMPLATE: WorkerId = WorkerId { slot: u32::MAX, generation: u64::MAX };
