//! Runs scenarios one after the other, each in a process of its own with a run directory of its
//! own, and prints the table.
//!
//! `--all` runs every scenario at full scale; ids select some ("F01 F10"); without either the
//! short ones run at short scale. `SPB_UPDATE_PROMISES=1` writes the table into README.md.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::catalog;
use crate::figure::Figure;
use crate::scenario::{FIGURE, ID, SHORT, Scale, Scenario};
use crate::world;

/// One finished scenario: its figure, or what went wrong.
struct Row {
    scenario: Scenario,
    figure: Result<Figure, String>,
}

pub fn run() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let all = args.iter().any(|arg| arg == "--all");
    let named: Vec<&str> = args.iter().map(String::as_str).filter(|a| a.starts_with('F')).collect();
    let scale = if all || !named.is_empty() { Scale::Full } else { Scale::Short };
    let chosen = catalog::all().into_iter().filter(|scenario| {
        all || named.contains(&scenario.id) || (named.is_empty() && scenario.short)
    });
    let rows: Vec<Row> = chosen.map(|scenario| attempt(scenario, scale)).collect();
    let table = table(&rows);
    println!("\n{table}");
    if all && std::env::var_os("SPB_UPDATE_PROMISES").is_some() {
        write_promises(&table);
    }
    let failed = rows.iter().filter(|row| !row.passed()).count();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {} passed; {failed} failed", rows.len() - failed);
    if failed > 0 {
        std::process::exit(1);
    }
}

impl Row {
    fn passed(&self) -> bool {
        self.figure.as_ref().is_ok_and(|figure| figure.held)
    }
}

fn attempt(scenario: Scenario, scale: Scale) -> Row {
    let began = Instant::now();
    let figure = in_own_process(&scenario, scale);
    let seconds = began.elapsed().as_secs_f64();
    match &figure {
        Ok(figure) => println!("{} {:.1} s: {}", scenario.id, seconds, figure.worst),
        Err(error) => println!("{} {:.1} s: FAILED\n{error}", scenario.id, seconds),
    }
    Row { scenario, figure }
}

/// Runs the scenario and looks at what it left: a process that carries its mark, or a run
/// directory, is a failure however good the figure is.
fn in_own_process(scenario: &Scenario, scale: Scale) -> Result<Figure, String> {
    let mark = world::fresh_mark();
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env("SNAKEPIT_ROLE", "scenario")
        .env("SNAKEPIT_MARK", &mark)
        .env("TMPDIR", directory.path())
        .env_remove("XDG_RUNTIME_DIR")
        .env(ID, scenario.id)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if scale == Scale::Short {
        command.env(SHORT, "1");
    }
    let Finished { pid, code, printed } = finish(&mut command, scenario.patience)?;
    // Its own processes carry the mark, those of its trials marks made by it.
    let left = [world::marked(&mark), world::marked(&world::mark_of(pid))].concat();
    let files = run_files(directory.path());
    for (pid, _) in &left {
        let pid = rustix::process::Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    if code != ExitCode::SUCCESS {
        return Err(printed);
    }
    if !left.is_empty() {
        return Err(format!("processes left, now killed: {left:?}\n{printed}"));
    }
    if !files.is_empty() {
        return Err(format!("files left: {files:?}\n{printed}"));
    }
    let line = printed.lines().find_map(|line| line.strip_prefix(FIGURE));
    let line = line.ok_or_else(|| format!("no figure\n{printed}"))?;
    serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))
}

/// Everything below the run directories that platforms have made and not removed.
fn run_files(directory: &Path) -> Vec<PathBuf> {
    let entries = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let own = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("spb-");
    let directories = entries(directory).into_iter().filter(own);
    directories.flat_map(|path| [entries(&path), vec![path]].concat()).collect()
}

/// What a scenario's process left behind it.
struct Finished {
    pid: u32,
    code: ExitCode,
    printed: String,
}

/// The exit code and all that was printed; an error for one that hangs, which is then killed.
fn finish(command: &mut Command, patience: Duration) -> Result<Finished, String> {
    let child = command.spawn().map_err(|error| error.to_string())?;
    let number = child.id();
    let pid = rustix::process::Pid::from_raw(i32::try_from(number).unwrap()).unwrap();
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    let (output, hung) = match end.recv_timeout(patience) {
        Ok(output) => (output, false),
        Err(_) => {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            (end.recv().unwrap(), true)
        }
    };
    let output = output.map_err(|error| error.to_string())?;
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    if hung {
        return Err(format!("still running after {patience:?}, killed\n{printed}"));
    }
    let code = if output.status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    Ok(Finished { pid: number, code, printed })
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![
        "| scenario | trials | worst | limit | |".to_owned(),
        "| --- | --- | --- | --- | --- |".to_owned(),
    ];
    for row in rows {
        let Scenario { id, promise, .. } = row.scenario;
        let verdict = if row.passed() { "pass" } else { "FAIL" };
        lines.push(match &row.figure {
            Ok(Figure { trials, worst, limit, .. }) => {
                format!("| {id} {promise} | {trials} | {worst} | {limit} | {verdict} |")
            }
            Err(_) => format!("| {id} {promise} | - | - | - | {verdict} |"),
        });
    }
    lines.join("\n")
}

/// Replaces what stands between the two marks.
fn write_promises(table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    std::fs::write(path, format!("{before}{BEGIN}\n{table}\n{END}{after}")).unwrap();
}

const BEGIN: &str = "<!-- promises: written by SPB_UPDATE_PROMISES=1 make test-faults -->";
const END: &str = "<!-- end of promises -->";
