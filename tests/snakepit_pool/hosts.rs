//! Hosts as programs of their own: killed under their workers, started with odd signals, measured
//! before and after.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::Test;
use crate::fake::{Stage, lease, soon};
use crate::world::{World, fresh_mark, marked, signals, wait_clean};

pub const TESTS: &[Test] = &[
    ("hosts::a_killed_host_leaves_nothing", killed_host),
    ("hosts::a_host_killed_while_workers_start_leaves_nothing", killed_while_starting),
    ("hosts::a_host_killed_at_any_moment_leaves_nothing", killed_at_any_moment),
    ("hosts::a_host_that_just_exits_leaves_nothing", exiting_host),
    ("hosts::a_killed_host_leaves_nothing_but_its_forked_child", killed_with_a_forked_child),
    ("hosts::a_host_that_ignores_sigchld_learns_the_exit_code", ignoring_sigchld),
    ("hosts::a_host_that_waits_for_every_child_learns_the_exit_code", waiting_for_every_child),
    ("hosts::nothing_of_the_host_has_changed_after_a_stop", unchanged_host),
];

/// The helper hosts.
pub fn run(role: &str) {
    // A host that waits to be killed must not outlive the tests that were to kill it.
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let mark = std::env::var("SNAKEPIT_MARK").unwrap();
    match role {
        "family" => serve_for_ever(mark, 4, &["daemon", "deaf", "daemon"]),
        role if role.starts_with("family-") => serve_family(mark, role),
        "starting" => serve_for_ever(mark, 4, &["daemon", "hang"]),
        "churning" => churn_for_ever(mark),
        "forking" => fork_and_serve(mark),
        "hiding" => serve_for_ever(mark, 4, &["daemon", "deaf", "bare"]),
        "small" => serve_for_ever(mark, 1, &["daemon"]),
        "exiting" => exit_at_once(mark),
        "ignoring" => {
            assert_eq!(signals("SigIgn:") >> (libc::SIGCHLD - 1) & 1, 1, "SIGCHLD is not ignored");
            learn_exit_code();
        }
        "waiting" => {
            std::thread::spawn(|| {
                loop {
                    let _ = rustix::process::waitpid(None, rustix::process::WaitOptions::NOHANG);
                    std::thread::yield_now();
                }
            });
            learn_exit_code();
        }
        "short" => crate::shortage::endure(mark),
        "clean" => check_clean(),
        _ => panic!("unknown role {role:?}"),
    }
}

/// Workers with a family each; says how many are up, then waits to be killed.
fn serve_for_ever(mark: String, workers: usize, first: &'static [&'static str]) {
    let script = move |_| first.iter().map(|line| (*line).to_owned()).collect();
    let stage = Stage::marked(mark, script, |config| config.workers = workers);
    stage.runtime.block_on(async {
        if !first.contains(&"hang") {
            stage.pool.wait_ready(workers, Some(soon())).await.unwrap();
        }
        println!("up");
        std::future::pending::<()>().await;
    });
}

/// Four workers of a backend, with a family each.
fn serve_family(mark: String, role: &str) {
    let way = crate::backends::Way::named(role.strip_prefix("family-").unwrap());
    let script = |_| ["daemon", "deaf", "daemon"].map(str::to_owned).to_vec();
    let stage = way.stage_marked(mark, script, |config| config.workers = 4);
    stage.runtime.block_on(async {
        stage.pool.wait_ready(4, Some(soon())).await.unwrap();
        println!("up");
        std::future::pending::<()>().await;
    });
}

fn exit_at_once(mark: String) {
    let stage = Stage::marked(mark, |_| vec!["daemon".to_owned()], |config| config.workers = 2);
    stage.runtime.block_on(stage.pool.wait_ready(2, Some(soon()))).unwrap();
    println!("up");
    std::process::exit(0);
}

fn learn_exit_code() {
    Stage::plain(|_| {}).run(|pool, _| async move {
        for _ in 0..5 {
            let held = lease(&pool).await;
            held.link().tell("exit 7");
            let exit = held.exited().await;
            assert_eq!(exit.to_string(), "exited with code 7");
        }
    });
}

/// Grows, shrinks, loses and recycles workers without end.
fn churn_for_ever(mark: String) {
    let stage = Stage::marked(mark, |_| vec!["daemon".to_owned()], |config| config.workers = 2);
    stage.runtime.block_on(async {
        println!("up");
        for round in 0_usize.. {
            stage.pool.resize(1 + round % 4, 0);
            let held = lease(&stage.pool).await;
            match round % 3 {
                0 => held.link().tell("exit 1"),
                1 => stage.pool.recycle(held.worker(), "it is its turn"),
                _ => {}
            }
        }
    });
}

/// A child without exec keeps a copy of every descriptor, the guards' sockets too.
#[expect(unsafe_code, reason = "a fork is the thing under test")]
fn fork_and_serve(mark: String) {
    let stage = Stage::marked(mark, |_| vec!["daemon".to_owned()], |config| config.workers = 2);
    stage.runtime.block_on(stage.pool.wait_ready(2, Some(soon()))).unwrap();
    // SAFETY: the child calls nothing but `pause`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        loop {
            // SAFETY: it only waits for a signal.
            unsafe { libc::pause() };
        }
    }
    println!("up {child}");
    stage.runtime.block_on(std::future::pending::<()>());
}

/// A whole life of a pool, twice: the first warms up what a program keeps for good.
fn check_clean() {
    let facts = || (World::now(), signals("SigIgn:"), signals("SigCgt:"), signals("SigBlk:"));
    let mut before = None;
    for _ in 0..3 {
        Stage::plain(|config| config.workers = 3).run(|pool, _| async move {
            pool.wait_ready(3, Some(soon())).await.unwrap();
            let held = lease(&pool).await;
            held.link().tell("exit 1");
            held.exited().await;
            drop(held);
            pool.wait_ready(3, Some(soon())).await.unwrap();
        });
        let now = facts();
        assert_eq!(*before.get_or_insert(now), facts());
    }
}

/// Starts this program in another role, under `wrapper` if there is one.
pub fn host(role: &str, mark: &str, wrapper: &[&str]) -> Child {
    start(role, mark, wrapper, &[])
}

/// As `host`, with its run directory below `base`.
pub fn host_below(base: &Path, role: &str, mark: &str) -> Child {
    start(role, mark, &[], &[("SNAKEPIT_BASE", base.as_os_str())])
}

fn start(role: &str, mark: &str, wrapper: &[&str], more: &[(&str, &OsStr)]) -> Child {
    let own = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        [program, args @ ..] => {
            let mut command = Command::new(program);
            command.args(args).arg(own);
            command
        }
        [] => Command::new(own),
    };
    command.env("SNAKEPIT_ROLE", role).env("SNAKEPIT_MARK", mark).envs(more.iter().copied());
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// Waits until the host has begun; what it says of it.
pub fn wait_up(host: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim().strip_prefix("up").unwrap().trim().to_owned()
}

pub fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = soon();
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn killed_host() {
    let mark = fresh_mark();
    let mut host = host("family", &mark, &[]);
    wait_up(&mut host);
    // The host, and per worker a guard, the worker, a shell and two daemons with a sleep each.
    wait_for("their families are there", || marked(&mark).len() > 4 * 6);
    host.kill().unwrap();
    let took = wait_clean(&mark, Duration::from_secs(1));
    host.wait().unwrap();
    println!("all gone after {took:?}");
}

fn killed_while_starting() {
    let mark = fresh_mark();
    let mut host = host("starting", &mark, &[]);
    wait_up(&mut host);
    wait_for("workers run", || marked(&mark).len() > 8);
    host.kill().unwrap();
    wait_clean(&mark, Duration::from_secs(1));
    host.wait().unwrap();
}

fn exiting_host() {
    let mark = fresh_mark();
    let mut host = host("exiting", &mark, &[]);
    wait_up(&mut host);
    assert!(host.wait().unwrap().success());
    wait_clean(&mark, Duration::from_secs(1));
}

/// Twelve hosts, each at a moment of its own.
fn killed_at_any_moment() {
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for _ in 0..12 {
        let mark = fresh_mark();
        let mut host = host("churning", &mark, &[]);
        wait_up(&mut host);
        let moment = Duration::from_micros(u64::from(getrandom::u32().unwrap() % 200_000));
        clock.block_on(async { tokio::time::sleep(moment).await });
        println!("killed after {moment:?}");
        host.kill().unwrap();
        wait_clean(&mark, Duration::from_secs(1));
        host.wait().unwrap();
    }
}

/// The copies of the sockets stay open with the child, so the guards go by the host's process.
fn killed_with_a_forked_child() {
    let mark = fresh_mark();
    let mut host = host("forking", &mark, &[]);
    let child: u32 = wait_up(&mut host).parse().unwrap();
    host.kill().unwrap();
    host.wait().unwrap();
    wait_for("only the child is left", || {
        marked(&mark).iter().map(|(pid, _)| *pid).collect::<Vec<_>>() == [child]
    });
    let child = rustix::process::Pid::from_raw(i32::try_from(child).unwrap()).unwrap();
    rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
    wait_clean(&mark, Duration::from_secs(1));
}

fn waiting_for_every_child() {
    let mut host = host("waiting", &fresh_mark(), &[]);
    assert!(host.wait().unwrap().success());
}

fn ignoring_sigchld() {
    let mut host = host("ignoring", &fresh_mark(), &["env", "--ignore-signal=CHLD"]);
    assert!(host.wait().unwrap().success());
}

fn unchanged_host() {
    let mut host = host("clean", &fresh_mark(), &[]);
    assert!(host.wait().unwrap().success());
}
