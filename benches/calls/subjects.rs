//! Who is measured: the product's own program and its peers, each alive for the whole benchmark,
//! and how each is started.
//!
//! It must not know what they are asked, nor what comes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use serde_json::{Value as Json, json};

use crate::cores;
use crate::documents;
use crate::installed::{Installed, command, done, python, root};
use crate::peers::asked::{Asked, Command};
use crate::peers::grpc::Grpc;
use crate::program::Program;

/// One of those that are asked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Subject {
    /// Handlers on the worker's dispatch thread, where a grpcio aio handler runs, too.
    Product,
    /// The same worker, handlers on its threads for calls.
    ProductThread,
    /// As the first, with threads that look for a while before they sleep.
    ProductSpin,
    PingPong,
    GrpcAio,
    GrpcSync,
    ProcessPool,
    Ray,
}

impl Subject {
    /// The id of its row.
    pub fn row(self, row: &str) -> String {
        let name = match self {
            Subject::Product => return row.to_owned(),
            Subject::ProductThread => return format!("{row}_thread"),
            Subject::ProductSpin => return format!("{row}_spin"),
            Subject::PingPong => return "peer_ping_pong_p50".to_owned(),
            Subject::GrpcAio => "grpcio_aio",
            Subject::GrpcSync => "grpcio_sync",
            Subject::ProcessPool => "process_pool",
            Subject::Ray => "ray",
        };
        format!("peer_{name}_{row}")
    }

    /// How it was set up, for the notes of its rows.
    pub fn settings(self) -> &'static str {
        match self {
            Subject::Product => {
                "C host, completion queue, JSON text; one worker, calls_per_worker 64; echo with \
                 inline=True"
            }
            Subject::ProductThread => {
                "C host, completion queue, JSON text; one worker, calls_per_worker 64; echo on a \
                 thread"
            }
            Subject::ProductSpin => {
                "C host, completion queue, JSON text; one worker, calls_per_worker 64; spin_us \
                 100; echo with inline=True"
            }
            Subject::PingPong => "socketpair(AF_UNIX), two processes, each bound to its own core",
            Subject::GrpcAio => {
                "tonic client on one thread, one channel, Unix socket; grpc.aio, defaults; bytes, \
                 json of the standard library"
            }
            Subject::GrpcSync => {
                "tonic client on one thread, one channel, Unix socket; grpc.server, 64 threads; \
                 bytes, json of the standard library"
            }
            Subject::ProcessPool => "Python host, max_workers=1, values pickled",
            Subject::Ray => "Python host, one actor on this machine, ray.wait",
        }
    }

    /// The product's two ways to run a handler share a worker.
    fn program(self) -> Subject {
        if self == Subject::ProductThread { Subject::Product } else { self }
    }
}

/// All that were asked for, running.
pub struct Subjects(BTreeMap<Subject, Box<dyn Asked>>);

impl Subjects {
    /// Returns when each of them is ready.
    pub fn start(folder: &Path, wanted: &[Subject]) -> Subjects {
        let workshop = Workshop {
            documents: documents::write(folder),
            installed: Installed::lay_out(folder.join("installed")),
            folder: folder.to_owned(),
        };
        let mut programs = BTreeMap::new();
        for subject in wanted.iter().map(|subject| subject.program()) {
            programs.entry(subject).or_insert_with(|| workshop.start(subject));
        }
        Subjects(programs)
    }

    pub fn ask(&mut self, subject: Subject, mut command: Command) -> Json {
        if subject == Subject::ProductThread && command.verb == "echo" {
            command.verb = "echo_thread";
        }
        self.0.get_mut(&subject.program()).expect("a subject that was started").ask(command)
    }
}

/// The product's program. Lone calls find its host and its worker apart, as the ping-pong's ends.
struct Product(Program);

impl Asked for Product {
    fn ask(&mut self, command: Command) -> Json {
        cores::place(&self.0, command.is_lone());
        Asked::ask(&mut self.0, command)
    }
}

struct Workshop {
    folder: PathBuf,
    documents: PathBuf,
    installed: Installed,
}

impl Workshop {
    fn start(&self, subject: Subject) -> Box<dyn Asked> {
        match subject {
            Subject::Product | Subject::ProductThread => Box::new(self.product(0)),
            Subject::ProductSpin => Box::new(self.product(100)),
            Subject::PingPong => Box::new(self.ping_pong()),
            Subject::GrpcAio => Box::new(self.grpc("aio")),
            Subject::GrpcSync => Box::new(self.grpc("sync")),
            Subject::ProcessPool => Box::new(self.python(".venv-bench", "executor.py")),
            Subject::Ray => Box::new(self.python(".venv-ray", "ray_actor.py")),
        }
    }

    fn product(&self, spin_us: u32) -> Product {
        let config = json!({
            "spin_us": spin_us,
            "guard_path": self.installed.guard(),
            "pools": {"default": {
                "workers": 1,
                "calls_per_worker": 64,
                "python": python(),
                "python_path": [root().join("benches/calls")],
                "frameworks": {"python": {"modules": ["spb_callmod"]}},
            }},
        });
        let source = root().join("benches/calls/calls.c");
        let mut start = self.installed.build_c(&source, &self.folder.join("calls"));
        let start = start.arg(config.to_string()).arg(&self.documents);
        Product(Program::start("the product", start))
    }

    fn ping_pong(&self) -> Program {
        let program = self.folder.join("ping");
        let source = root().join("benches/peers/ping.c");
        done(command("cc").args(["-std=c11", "-O2", "-o"]).arg(&program).arg(source));
        Program::start("ping-pong", &mut command(program))
    }

    fn grpc(&self, kind: &str) -> Grpc {
        let socket = self.folder.join(format!("{kind}.sock"));
        let mut start = peer(".venv-bench", "grpc_server.py");
        // Where the thread that computes is.
        start.env("PYTHONPATH", root().join("benches/calls"));
        let server = Program::start(&format!("grpcio {kind}"), start.arg(kind).arg(&socket));
        Grpc::connect(server, &socket, &self.documents)
    }

    fn python(&self, environment: &str, script: &str) -> Program {
        Program::start(script, peer(environment, script).arg(&self.documents))
    }
}

/// A script of `benches/peers` in an environment of peers.
fn peer(environment: &str, script: &str) -> Process {
    let python = root().join(environment).join("bin/python");
    assert!(python.exists(), "no {environment}: scripts/setup.sh makes it, as `make bench` does");
    let mut start = command(python);
    start.arg(root().join("benches/peers").join(script));
    start
}
