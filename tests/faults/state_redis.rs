//! F41: a Redis server is killed and started anew, stands still, forgets its scripts, only reads, or
//! is held up by a script, while writers add to a counter: no write is lost, doubled or unknown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use snakepit_bridge::core::{Error, Value};
use snakepit_bridge::state::conformance::{self, Probe, Subject, Told};
use snakepit_bridge::state::{Access, Command, RedisOptions, Update};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::figure::Figure;
use crate::redis_server::RedisServer;
use crate::scenario::{Scale, Scenario};
use crate::stores::{self, AMPLE};
use crate::support::eventually;

pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "F41",
    promise: "Redis killed and started anew, stopped for 5 s, its scripts flushed, made read-only, \
              held up by a script, under 8 writers: no write lost, doubled or of unknown outcome, \
              no wait beyond a command's time",
    short: true,
    patience: Duration::from_secs(600),
    run: troubles,
}];

fn troubles(scale: Scale) -> Figure {
    let mut stage = Troubled::new();
    let all: [(&str, Trouble); 5] = [
        ("killed", Troubled::kill),
        ("stopped", |stage| stage.stop_for(Duration::from_secs(5))),
        ("flushed", Troubled::flush),
        ("read-only", Troubled::read_only),
        ("busy", Troubled::busy),
    ];
    // The stop alone takes its time.
    let short = |name: &&str| scale == Scale::Full || *name != "stopped";
    let rounds = scale.pick(1, 4);
    let mut trials = 0;
    for _ in 0..rounds {
        for (name, trouble) in all.iter().filter(|(name, _)| short(name)) {
            trials += stage.through(name, *trouble);
        }
    }
    let slowest = Duration::from_micros(stage.done.slowest_us.load(Ordering::SeqCst));
    assert!(slowest <= COMMAND_TIME + Duration::from_secs(1), "a write took {slowest:?}");
    stage.runtime.block_on(stage.probe.subject.backend.close());
    Figure::count(usize::try_from(trials).unwrap(), 0, 0, "writes lost, doubled or unknown")
}

type Trouble = fn(&mut Troubled);

/// Writers that add to one variable for as long as they are let.
struct Troubled {
    server: RedisServer,
    runtime: Runtime,
    probe: Probe,
    done: Arc<Done>,
}

/// What writers were told.
#[derive(Default)]
struct Done {
    acknowledged: AtomicU64,
    is_over: AtomicBool,
    slowest_us: AtomicU64,
}

impl Troubled {
    fn new() -> Troubled {
        let server = RedisServer::start_with(&["--busy-reply-threshold", "50"]);
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options = RedisOptions {
            answer_timeout: Duration::from_millis(500),
            command_timeout: COMMAND_TIME,
            lease: Duration::from_secs(60),
            ..RedisOptions::new(server.url())
        };
        let told = Arc::new(Told::default());
        let handle = runtime.handle().clone();
        let probe = runtime.block_on(async {
            let backend = stores::redis(options, AMPLE, told.clone(), &handle).await;
            let scale = conformance::Scale::SHORT;
            let subject = Subject { backend, told, runtime: handle.clone(), scale };
            let probe = Probe::new(&subject).await.unwrap();
            probe.register("n", "integer", "{}", Value::from_document(&json!(0))).await.unwrap();
            probe
        });
        let done = Arc::new(Done::default());
        Troubled { server, runtime, probe, done }
    }

    /// How many writes there were; each of them once.
    fn through(&mut self, name: &str, trouble: Trouble) -> u64 {
        self.done.is_over.store(false, Ordering::SeqCst);
        let before = self.done.acknowledged.load(Ordering::SeqCst);
        let writers = self.writers();
        self.wait_for_writes(100);
        trouble(self);
        self.wait_for_writes(100);
        self.done.is_over.store(true, Ordering::SeqCst);
        for writer in writers {
            let written = self.runtime.block_on(writer).unwrap();
            written.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
        let held = self.runtime.block_on(self.probe.get("n")).unwrap();
        let acknowledged = self.done.acknowledged.load(Ordering::SeqCst);
        assert_eq!(held.value.to_document().unwrap(), json!(acknowledged), "{name}");
        assert_eq!(held.version, acknowledged + 1, "{name}");
        acknowledged - before
    }

    fn kill(&mut self) {
        self.server.kill();
        self.server.restart();
    }

    fn stop_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        self.server.pause();
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left);
        }
        self.server.resume();
    }

    fn flush(&mut self) {
        for _ in 0..20 {
            self.server.command(&["SCRIPT", "FLUSH"]).unwrap();
            self.wait_for_writes(5);
        }
    }

    /// A replica of nobody, as after a failover, until it is the master again.
    fn read_only(&mut self) {
        self.server.command(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
        let refused = || {
            let written = self.server.command(&["SET", "x", "1"]);
            written.is_err_and(|error| {
                error.to_lowercase().contains("readonly") || error.contains("read only")
            })
        };
        eventually("it only reads", refused);
        self.server.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    }

    fn busy(&mut self) {
        let url = self.server.url();
        let blocking = std::thread::spawn(move || {
            let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
            redis::cmd("EVAL")
                .arg("while true do end")
                .arg(0)
                .query::<redis::Value>(&mut connection)
        });
        eventually("it is busy", || self.server.command(&["GET", "x"]).is_err());
        self.server.command(&["SCRIPT", "KILL"]).unwrap();
        assert!(blocking.join().unwrap().is_err());
    }

    fn wait_for_writes(&self, more: u64) {
        let until = self.done.acknowledged.load(Ordering::SeqCst) + more;
        let is_reached = || self.done.acknowledged.load(Ordering::SeqCst) >= until;
        eventually("writes go on", is_reached);
    }

    fn writers(&self) -> Vec<JoinHandle<Result<(), Error>>> {
        let writer = |_| {
            let (probe, done) = (self.probe.clone(), self.done.clone());
            self.runtime.spawn(async move {
                let update = Update::parse(&Value::from_document(&json!({"add": 1})))?;
                while !done.is_over.load(Ordering::SeqCst) {
                    let access = Access::ANY;
                    let began = Instant::now();
                    probe.apply(Command::Update { name: "n", update: &update, access }).await?;
                    let took_us = u64::try_from(began.elapsed().as_micros()).unwrap();
                    done.slowest_us.fetch_max(took_us, Ordering::SeqCst);
                    done.acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                Ok(())
            })
        };
        (0..WRITERS).map(writer).collect()
    }
}

const WRITERS: usize = 8;
const COMMAND_TIME: Duration = Duration::from_secs(20);
