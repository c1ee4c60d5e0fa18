//! What is left when guards and hosts are killed, and who cleans it up: the pool at once, or the
//! next start. Strangers that look alike stay alive.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use snakepit_bridge::snakepit::{Claim, Instance, PoolError};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::Test;
use crate::dying::{is_alive, parent, pid};
use crate::fake::{Stage, lease, settled, soon, with_systemd};
use crate::hosts::{host_below, wait_up};
use crate::world::{fresh_mark, marked, wait_clean};

pub const TESTS: &[Test] = &[
    ("registry::a_killed_guards_descendants_are_found_and_the_slot_is_filled", killed_guard),
    ("registry::a_start_cleans_after_a_host_killed_with_its_guards", killed_together),
    ("registry::a_start_ends_stopped_guards_of_a_killed_host", stopped_guards),
    ("registry::processes_that_look_alike_stay_alive", look_alikes),
    ("registry::living_instances_do_not_see_each_other", living_instances),
    ("registry::hosts_that_start_at_once_clean_once_and_serve", starting_at_once),
    ("registry::nobody_else_can_enter_and_nothing_secret_is_written", private),
    ("registry::what_is_not_ours_is_not_swept", not_ours),
    ("registry::an_earlier_life_of_the_system_leaves_only_a_directory", earlier_boot),
    ("registry::drafts_go_with_their_makers", drafts),
    ("registry::a_deleted_run_directory_fails_starts_and_nothing_else", deleted_by_hand),
];

/// What each test may take for a clean-up that is promised in one second.
const PROMISED: Duration = Duration::from_secs(1);
/// What a worker hides: a daemon with a sleep, a deaf one, a sleep and a bare one beside it.
const HIDDEN: usize = 5;

fn killed_guard() {
    let script = |_| ["daemon", "deaf", "bare"].map(str::to_owned).to_vec();
    Stage::scripted(script, |_| {}).run(|pool, fake| async move {
        let held = lease(&pool).await;
        crate::world::eventually("its family is there", || marked(&fake.mark).len() == 2 + HIDDEN)
            .await;
        let before = pids(&fake.mark);
        let began = Instant::now();
        kill_process(parent(pid(&pool, held.worker())), Signal::KILL).unwrap();
        assert_eq!(held.exited().await.to_string(), "its guard was lost");
        let now = pids(&fake.mark);
        let left: Vec<_> = now.iter().filter(|pid| before.contains(pid)).collect();
        assert!(left.is_empty(), "the exit was told before the tree was gone: {left:?}");
        drop(lease(&pool).await);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(2), "replaced after {took:?}");
    });
}

fn killed_together() {
    let base = base();
    let mark = fresh_mark();
    leave_orphans(base.path(), &mark);
    // The workers die with their guards, by a signal that takes its time.
    let deadline = soon();
    while marked(&mark).len() > 4 * HIDDEN && Instant::now() < deadline {
        std::thread::yield_now();
    }
    let left = marked(&mark);
    // A service that has lost its guard has nothing left.
    assert!(left.len() == 4 * HIDDEN || with_systemd(), "{left:?}");
    assert_eq!(entries(base.path()).len(), 1);
    let began = Instant::now();
    let instance = Instance::open(base.path()).unwrap();
    let took = began.elapsed();
    let left = marked(&mark);
    assert!(left.is_empty() && took < PROMISED, "after {took:?}: {left:?}");
    println!("swept in {took:?}");
    assert_eq!(entries(base.path()), [instance.path()]);
    drop(instance);
    assert!(entries(base.path()).is_empty());
}

fn stopped_guards() {
    let base = base();
    let mark = fresh_mark();
    let mut host = hiding_host(base.path(), &mark);
    let guards = guards(&mark);
    for guard in &guards {
        kill_process(*guard, Signal::STOP).unwrap();
    }
    end(&mut host);
    assert!(guards.iter().all(|guard| is_alive(*guard)));
    let began = Instant::now();
    let _instance = Instance::open(base.path()).unwrap();
    let took = began.elapsed();
    wait_clean(&mark, PROMISED.saturating_sub(took));
    assert!(!guards.iter().any(|guard| is_alive(*guard)));
}

fn look_alikes() {
    let base = base();
    let mark = fresh_mark();
    let (directory, marker) = leave_orphans(base.path(), &mark);
    let decoys = [
        decoy(&[("SNAKEPIT_MARKER", &format!("{marker}0/main/0.1"))], "sleep"),
        decoy(&[("SNAKEPIT_MARKER", &marker.replace(&marker[..1], "x"))], "sleep"),
        decoy(&[("A_NOTE", &format!("{marker}/main/0.1"))], "sleep"),
        // These have a guard's number; the first has its command line, too, but began at another
        // time, the second began when the guard did, but is something else.
        decoy(&[], &format!("{marker}/main")),
        decoy(&[], "sleep"),
    ];
    let note = |name: &str, decoy: &Child, earlier: u64| {
        let started_ticks = started(decoy) - earlier;
        let worker = format!("{marker}/main/0.1");
        let pid = decoy.id();
        let note =
            serde_json::json!({ "worker": worker, "pid": pid, "started_ticks": started_ticks });
        std::fs::write(directory.join(name), note.to_string()).unwrap();
    };
    note("guard-900.json", &decoys[3], 1);
    note("guard-901.json", &decoys[4], 0);
    std::fs::write(directory.join("guard-902.json"), "{ \"worker\": \"torn").unwrap();
    let _instance = Instance::open(base.path()).unwrap();
    assert!(marked(&mark).is_empty() && !directory.exists());
    for mut decoy in decoys {
        assert_eq!(decoy.try_wait().unwrap(), None, "a stranger was killed");
        end(&mut decoy);
    }
}

fn living_instances() {
    let base = base();
    let mark = fresh_mark();
    let mut other = hiding_host(base.path(), &mark);
    let before = pids(&mark);
    let own = Instance::open(base.path()).unwrap();
    let third = Instance::open(base.path()).unwrap();
    assert_ne!(own.marker(), third.marker());
    assert_eq!(entries(base.path()).len(), 3);
    assert_eq!(pids(&mark), before, "a living host's processes were touched");
    drop(own);
    assert_eq!(entries(base.path()).len(), 2);
    assert!(third.path().is_dir());
    end(&mut other);
    wait_clean(&mark, PROMISED);
    // Its guards cleaned up; its directory is left to the next start.
    let _fourth = Instance::open(base.path()).unwrap();
    assert_eq!(entries(base.path()).len(), 2);
}

fn starting_at_once() {
    let base = base();
    let orphans = fresh_mark();
    leave_orphans(base.path(), &orphans);
    let marks: Vec<String> = (0..8).map(|_| fresh_mark()).collect();
    let mut hosts: Vec<Kept> =
        marks.iter().map(|mark| Kept(host_below(base.path(), "small", mark))).collect();
    for host in &mut hosts {
        wait_up(host);
    }
    assert!(marked(&orphans).is_empty());
    assert_eq!(entries(base.path()).len(), 8, "one each, and the dead one's is gone");
    for mark in &marks {
        assert_eq!(guards(mark).len(), 1, "a guard was taken for an orphan");
    }
    for (host, mark) in hosts.iter_mut().zip(&marks) {
        end(host);
        wait_clean(mark, PROMISED);
    }
    drop(Instance::open(base.path()).unwrap());
    assert!(entries(base.path()).is_empty());
}

fn private() {
    let base = base();
    let mark = fresh_mark();
    let mut host = Kept(host_below(base.path(), "small", &mark));
    wait_up(&mut host);
    let directory = entries(base.path()).pop().unwrap();
    let name = directory.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(&format!("spb-{}-", geteuid().as_raw())), "{name}");
    assert_eq!(mode(&directory), 0o700);
    let files = entries(&directory);
    assert_eq!(files.len(), 2, "the host and one guard: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("PATH"), "nothing of an environment: {text}");
    }
    end(&mut host);
    wait_clean(&mark, PROMISED);
}

fn not_ours() {
    let base = base();
    let uid = geteuid().as_raw();
    let below = |name: &str| base.path().join(format!("spb-{uid}-{name}"));
    let victim = base.path().join("victim");
    std::fs::create_dir(&victim).unwrap();
    std::fs::write(victim.join("treasure"), "").unwrap();
    std::os::unix::fs::symlink(&victim, below("link")).unwrap();
    std::fs::write(below("file"), "").unwrap();
    let open = below("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::write(open.join("treasure"), "").unwrap();
    if geteuid().is_root() {
        let foreign = below("foreign");
        std::fs::create_dir(&foreign).unwrap();
        std::fs::set_permissions(&foreign, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .unwrap();
        std::os::unix::fs::chown(&foreign, Some(65534), None).unwrap();
    }
    let before = entries(base.path());
    drop(Instance::open(base.path()).unwrap());
    assert_eq!(entries(base.path()), before);
    assert!(victim.join("treasure").exists() && open.join("treasure").exists());
    // A link in place of the base's own directory is not followed on the way out, either.
    let instance = Instance::open(base.path()).unwrap();
    let path = instance.path().to_owned();
    std::fs::rename(&path, base.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    drop(instance);
    assert!(victim.join("treasure").exists() && path.is_symlink());
}

fn earlier_boot() {
    let base = base();
    let directory = dead_directory(base.path(), "another boot");
    let mut decoy = decoy(&[("SNAKEPIT_MARKER", "0123456789abcdef/main/0.1")], "sleep");
    let _instance = Instance::open(base.path()).unwrap();
    assert!(!directory.exists());
    assert_eq!(decoy.try_wait().unwrap(), None, "its number and mark mean nothing any more");
    // In this life of the system it is one of ours.
    dead_directory(base.path(), read("/proc/sys/kernel/random/boot_id").trim());
    let _next = Instance::open(base.path()).unwrap();
    assert!(decoy.try_wait().unwrap().is_some(), "it carries a dead instance's mark");
}

fn drafts() {
    let base = base();
    let mut maker = decoy(&[], "sleep");
    let name = |ticks: u64| format!(".spb-{}-{}-{ticks}-00", geteuid().as_raw(), maker.id());
    let (living, dead) = (name(started(&maker)), name(started(&maker) - 1));
    for draft in [&living, &dead] {
        std::fs::create_dir(base.path().join(draft)).unwrap();
    }
    drop(Instance::open(base.path()).unwrap());
    assert_eq!(entries(base.path()), [base.path().join(living)]);
    end(&mut maker);
    drop(Instance::open(base.path()).unwrap());
    assert!(entries(base.path()).is_empty());
}

fn deleted_by_hand() {
    let mut directory = PathBuf::new();
    let stage = Stage::plain(|config| {
        directory = config.instance.path().to_owned();
        config.restart_failures_max = 1;
    });
    stage.run(|pool, fake| async move {
        let held = lease(&pool).await;
        std::fs::remove_dir_all(&directory).unwrap();
        held.link().tell("ping");
        drop(held);
        // The worker serves on; only another cannot be started.
        let held = lease(&pool).await;
        held.link().tell("exit 1");
        held.exited().await;
        drop(held);
        settled(&pool, "starts fail", |stats| stats.start_failures > 0).await;
        let told = pool.acquire(Some(soon()), None, Claim::default()).await;
        let Err(PoolError::Failed(failure)) = told else { panic!("{:?}", told.err()) };
        assert!(failure.reason.contains("No such file"), "{}", failure.reason);
        // The guard of a start that failed ends by itself.
        let is_gone = || marked(&fake.mark).is_empty();
        crate::world::eventually("nothing is left of the failed start", is_gone).await;
    });
}

/// A child of this test. Killed with it, whatever comes of it.
struct Kept(Child);

impl std::ops::Deref for Kept {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A host with four workers, each with its whole family.
fn hiding_host(base: &Path, mark: &str) -> Kept {
    let mut host = Kept(host_below(base, "hiding", mark));
    wait_up(&mut host);
    // The host, and per worker a guard, itself and the hidden ones.
    let whole = 1 + 4 * (2 + HIDDEN);
    let deadline = soon();
    while marked(mark).len() != whole {
        assert!(Instant::now() < deadline, "never {whole}: {:?}", marked(mark));
        std::thread::yield_now();
    }
    host
}

fn base() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Has a host and all of its guards killed before any of them can clean up. Its directory and its
/// marker.
fn leave_orphans(base: &Path, mark: &str) -> (PathBuf, String) {
    let mut host = hiding_host(base, mark);
    let directory = entries(base).into_iter().find(|path| path.join("instance.json").exists());
    let directory = directory.unwrap();
    let note: serde_json::Value =
        serde_json::from_str(&read(directory.join("instance.json"))).unwrap();
    let guards = guards(mark);
    assert_eq!(guards.len(), 4);
    let pid = Pid::from_raw(i32::try_from(host.id()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    for guard in guards {
        kill_process(guard, Signal::KILL).unwrap();
    }
    end(&mut host);
    (directory, note["marker"].as_str().unwrap().to_owned())
}

/// An instance whose owner is dead.
fn dead_directory(base: &Path, boot: &str) -> PathBuf {
    use std::os::unix::fs::DirBuilderExt;
    let directory = base.join(format!("spb-{}-dead", geteuid().as_raw()));
    std::fs::DirBuilder::new().mode(0o700).create(&directory).unwrap();
    let note = serde_json::json!({
        "marker": "0123456789abcdef", "pid": 1, "started_ticks": 1, "sid": 1, "group": 1,
        "boot": boot,
    });
    std::fs::write(directory.join("instance.json"), note.to_string()).unwrap();
    directory
}

/// A process that nobody may kill, in a group of its own, with an argument besides.
fn decoy(environment: &[(&str, &str)], argument: &str) -> Kept {
    let mut command = Command::new("sh");
    command.args(["-c", "echo up; while :; do read _ || exit; done", argument]);
    command.env_clear().envs(environment.iter().copied()).env("PATH", "/usr/bin:/bin");
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut decoy = Kept(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    // From here on it has its own command line and environment.
    wait_up(&mut decoy);
    decoy
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn pids(mark: &str) -> Vec<u32> {
    marked(mark).into_iter().map(|(pid, _)| pid).collect()
}

fn guards(mark: &str) -> Vec<Pid> {
    let all = marked(mark).into_iter();
    let guards = all.filter(|(_, command)| command.contains("snakepit-guard"));
    guards.map(|(pid, _)| Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()).collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn started(child: &Child) -> u64 {
    let stat = read(format!("/proc/{}/stat", child.id()));
    stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap().parse().unwrap()
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o7777
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}
