//! `target/bench/report.json`, for programs: one entry per figure and peer, of all benchmarks that
//! ran in this checkout.
//!
//! Each benchmark keeps its own rows in a file of its own beside the report, and replaces only
//! those. The report is not read by any other part of the product.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::figures::{Figures, rounded};

/// One figure, alone or beside peers.
pub struct Row {
    /// Such as `host_go_echo_p50`.
    pub id: String,
    pub value: f64,
    pub unit: &'static str,
    /// For the figure itself, whatever peers there are.
    pub goal: Option<Goal>,
    /// An entry of the report for each.
    pub beside: Vec<Beside>,
    /// What a reader has to know: spread, settings.
    pub note: String,
}

/// What a figure is compared with.
pub struct Beside {
    /// The id of the peer's own row.
    pub peer: String,
    /// Times the peer's figure.
    pub ratio: f64,
    pub goal: Option<Goal>,
}

/// What a figure, or its ratio to a peer's, has to come to.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    pub fn is_reached_by(self, figure: f64) -> bool {
        match self {
            Goal::AtMost(most) => figure <= most,
            Goal::AtLeast(least) => figure >= least,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Goal::AtMost(most) => write!(formatter, "<= {most}"),
            Goal::AtLeast(least) => write!(formatter, ">= {least}"),
        }
    }
}

impl Beside {
    /// The median of the ratios round by round: what the machine did meanwhile concerned both.
    pub fn of(own: &Figures, peer: &str, peers: &Figures, goal: Option<Goal>) -> Beside {
        let ratios = own.0.iter().zip(&peers.0).map(|(own, peers)| own / peers).collect();
        Beside { peer: peer.to_owned(), ratio: Figures(ratios).median(), goal }
    }
}

/// One line of the report: a row, or a row beside one of its peers.
struct Entry<'a> {
    row: &'a Row,
    beside: Option<&'a Beside>,
    goal: Option<Goal>,
}

impl Row {
    /// The figure by itself is an entry where it has a goal of its own, or no peer.
    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let is_alone = self.goal.is_some() || self.beside.is_empty();
        let alone = Entry { row: self, beside: None, goal: self.goal };
        let beside = self.beside.iter();
        let beside = beside.map(|peer| Entry { row: self, beside: Some(peer), goal: peer.goal });
        is_alone.then_some(alone).into_iter().chain(beside)
    }
}

impl Entry<'_> {
    /// Whether it reaches its goal; none where it has no goal.
    fn passes(&self) -> Option<bool> {
        let figure = self.beside.map_or(self.row.value, |beside| beside.ratio);
        Some(self.goal?.is_reached_by(figure))
    }

    fn document(&self) -> Json {
        json!({
            "id": self.row.id,
            "value": self.row.value,
            "unit": self.row.unit,
            "peer": self.beside.map(|beside| &beside.peer),
            "ratio": self.beside.map(|beside| beside.ratio),
            "goal": self.goal.map(|goal| goal.to_string()),
            "pass": self.passes(),
            "note": self.row.note,
        })
    }

    /// The figure and its note stand with the first entry of the row.
    fn print(&self, is_first: bool) {
        let goal = self.goal.map(|goal| goal.to_string()).unwrap_or_default();
        let verdict = self.passes().map_or("", |passes| if passes { "reached" } else { "missed" });
        let compared = self.beside.map(|beside| format!("{:>7.2} × {}", beside.ratio, beside.peer));
        let compared = compared.unwrap_or_default();
        let mut columns = [String::new(), String::new(), String::new()];
        if is_first {
            let value = format!("{:>10} {}", rounded(self.row.value), self.row.unit);
            columns = [self.row.id.clone(), value, shortened(&self.row.note)];
        }
        let [id, value, note] = columns;
        println!("{id:<36}{value:<21}{compared:<46} {goal:<9} {verdict:<8} {note}");
    }
}

/// Puts `rows` in place of those that this benchmark wrote before, and the report anew.
pub fn write(benchmark: &str, rows: &[Row]) {
    let parts = folder().join("rows");
    std::fs::create_dir_all(&parts).expect("a folder for the rows");
    let own: Vec<Json> = rows.iter().flat_map(Row::entries).map(|one| one.document()).collect();
    replace(&parts.join(format!("{benchmark}.json")), &json!(own));
    let listed = std::fs::read_dir(&parts).expect("the folder of the rows");
    let mut paths: Vec<PathBuf> = listed.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let all: Vec<Json> = paths.iter().flat_map(|path| part(path)).collect();
    replace(&folder().join("report.json"), &json!({"machine": machine(), "rows": all}));
}

/// The rows as a table for people.
pub fn print(rows: &[Row]) {
    println!("{:<36}{:>10} {:<10}{:>7} {:<38} goal", "", "median", "", "ratio", "");
    for row in rows {
        row.entries().enumerate().for_each(|(number, entry)| entry.print(number == 0));
    }
}

/// `target/bench`, which is there afterwards.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&folder).expect("a folder for the report");
    folder
}

/// The beginning of a long note: all of it is in the report.
fn shortened(note: &str) -> String {
    match note.char_indices().nth(NOTE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", note.get(..end).unwrap_or_default()),
        None => note.to_owned(),
    }
}

fn part(path: &Path) -> Vec<Json> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whoever reads meanwhile sees the old document or the new one.
fn replace(path: &Path, document: &Json) {
    let text = serde_json::to_string_pretty(document).expect("a document");
    let fresh = path.with_extension("fresh");
    std::fs::write(&fresh, text + "\n").expect("a report that can be written");
    std::fs::rename(&fresh, path).expect("a report that can be replaced");
}

fn machine() -> Json {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let line = |path: &str, key: &str| {
        let text = read(path);
        let found = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        found.trim_start_matches([' ', '\t', ':']).to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({
        "cpu": line("/proc/cpuinfo", "model name"),
        "cores": cores,
        "memory": line("/proc/meminfo", "MemTotal"),
        "system": read("/proc/version").trim(),
        // Of all that ran when the report was written: a busy machine measures itself.
        "load_1_min": read("/proc/loadavg").split(' ').next().unwrap_or_default(),
    })
}

const NOTE_CHARACTERS_MAX: usize = 72;
