//! `target/bench/report.json`, for programs: one row per figure and peer, of all benchmarks that
//! ran in this checkout.
//!
//! Each benchmark replaces its own rows and leaves those of others. The file is not read by any
//! other part of the product.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::figures::Figures;

/// One figure, alone or beside a peer.
pub struct Row {
    /// Such as `host_go_echo_p50`.
    pub id: String,
    pub value: f64,
    pub unit: &'static str,
    pub beside: Option<Beside>,
    /// What a reader has to know: spread, settings.
    pub note: String,
}

/// What a figure is compared with.
pub struct Beside {
    /// The id of the peer's own row.
    pub peer: String,
    /// Times the peer's figure.
    pub ratio: f64,
    pub ratio_max: Option<f64>,
}

impl Beside {
    /// The median of the ratios round by round: what the machine did meanwhile concerned both.
    pub fn of(own: &Figures, peer: &str, peers: &Figures, ratio_max: Option<f64>) -> Beside {
        let ratios = own.0.iter().zip(&peers.0).map(|(own, peers)| own / peers).collect();
        Beside { peer: peer.to_owned(), ratio: Figures(ratios).median(), ratio_max }
    }
}

impl Row {
    /// Whether it reaches its goal; none where it has no goal.
    pub fn passes(&self) -> Option<bool> {
        let beside = self.beside.as_ref()?;
        Some(beside.ratio <= beside.ratio_max?)
    }

    fn document(&self) -> Json {
        let beside = self.beside.as_ref();
        json!({
            "id": self.id,
            "value": self.value,
            "unit": self.unit,
            "peer": beside.map(|beside| &beside.peer),
            "ratio": beside.map(|beside| beside.ratio),
            "goal": beside.and_then(|beside| beside.ratio_max).map(|most| format!("<= {most}")),
            "pass": self.passes(),
            "note": self.note,
        })
    }
}

/// Puts `rows` in place of those whose id begins with `prefix`.
pub fn write(prefix: &str, rows: &[Row]) {
    let path = folder().join("report.json");
    let before = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let before: Json = before.unwrap_or_default();
    let is_others = |row: &&Json| !row["id"].as_str().unwrap_or_default().starts_with(prefix);
    let kept = before["rows"].as_array().into_iter().flatten().filter(is_others).cloned();
    let rows: Vec<Json> = kept.chain(rows.iter().map(Row::document)).collect();
    let report = json!({"machine": machine(), "rows": rows});
    let text = serde_json::to_string_pretty(&report).expect("a document");
    let fresh = path.with_extension("json.fresh");
    std::fs::write(&fresh, text + "\n").expect("a report that can be written");
    std::fs::rename(&fresh, &path).expect("a report that can be replaced");
}

/// The rows as a table for people.
pub fn print(rows: &[Row]) {
    println!("{:<28}{:>12} {:<8}{:>7}  {:<13}", "", "median", "", "× peer", "goal");
    for row in rows {
        let (mut ratio, mut goal) = (String::new(), String::new());
        if let Some(beside) = &row.beside {
            ratio = format!("{:.2}", beside.ratio);
            let most = beside.ratio_max.map(|most| format!("≤ {most}"));
            goal = most.unwrap_or_default();
        }
        let verdict = row.passes().map_or("", |passes| if passes { "reached" } else { "missed" });
        let goal = format!("{goal} {verdict}");
        let (id, value, unit, note) = (&row.id, row.value, row.unit, &row.note);
        println!("{id:<28}{value:>12.1} {unit:<8}{ratio:>7}  {goal:<13} {note}");
    }
}

/// `target/bench`, which is there afterwards.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&folder).expect("a folder for the report");
    folder
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
