//! Memory as the kernel counts it: what goes away with a worker alone, its fair share of what it
//! shares, and what a host has more with the library than without.
//!
//! It must not know how workers were started.

use serde_json::{Value as Json, json};

use super::figures::Figures;
use super::installed::{Installed, command, done, python, root};
use super::ledger::Ledger;
use super::report;

/// The ids of a backend's rows.
pub struct Ids {
    pub private: String,
    pub proportional: String,
    pub guard: String,
}

/// A forked worker's are the ones with goals, and have the plain names.
pub fn ids(backend: &str) -> Ids {
    let ending = if backend == "forkserver" { String::new() } else { format!("_{backend}") };
    Ids {
        private: format!("worker_private_mb{ending}"),
        proportional: format!("worker_pss_mb{ending}"),
        guard: format!("guard_private_mb{ending}"),
    }
}

/// The median of the workers of a pool, as its statistics list them.
pub fn of_workers(workers: &[Json], backend: &str, ledger: &mut Ledger) {
    let mut figures = [Figures::default(), Figures::default(), Figures::default()];
    for worker in workers {
        let pid = worker["pid"].as_u64().expect("a process");
        let rollup = read(pid, "smaps_rollup");
        figures[0].add(mb(&rollup, "Private_"));
        figures[1].add(mb(&rollup, "Pss:"));
        let status = read(pid, "status");
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        let guard = parent.and_then(|pid| pid.trim().parse().ok()).expect("its parent");
        figures[2].add(mb(&read(guard, "smaps_rollup"), "Private_"));
    }
    let ids = ids(backend);
    for (id, figures) in [ids.private, ids.proportional, ids.guard].iter().zip(figures) {
        ledger.add(id, figures.median());
    }
}

/// Resident, with `WORKERS` workers that are ready and idle.
pub fn added_to_a_host_mb() -> f64 {
    let folder = report::folder().join("idle");
    let installed = Installed::lay_out(folder.clone());
    let program = folder.join("host");
    let mut compile = command("cc");
    compile.args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-Wall", "-Wextra", "-Werror"]);
    compile.arg("-I").arg(root().join("include")).arg("-o").arg(&program);
    done(compile.arg(root().join("benches/loads/idle.c")).arg("-ldl"));
    let config = json!({
        "guard_path": installed.guard(),
        "pools": {"default": {"workers": WORKERS, "python": python()}},
    });
    let mut run = command(&program);
    run.arg(installed.libraries().join("libsnakepit_bridge.so"));
    let output = run.arg(config.to_string()).arg(WORKERS.to_string()).output().expect("a host");
    let answer: Json = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let kb = |key: &str| answer[key].as_f64().expect("a figure");
    (kb("idle_kb") - kb("before_kb")) / 1024.0
}

fn read(pid: u64, file: &str) -> String {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Of all lines that begin so.
fn mb(text: &str, key: &str) -> f64 {
    let kb = |line: &str| line.split_ascii_whitespace().nth(1)?.parse::<f64>().ok();
    text.lines().filter(|line| line.starts_with(key)).filter_map(kb).sum::<f64>() / 1024.0
}

const WORKERS: u32 = 4;
