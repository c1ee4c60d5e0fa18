//! What a call costs a C host through the whole product, beside what the same costs with what
//! people use instead of it: one at a time and many at once, small and large, streams, tools, and
//! while the worker's interpreter is busy.
//!
//! Run it with `make bench`; `cargo bench --bench calls -- gil` for the rows with that in their
//! name, `-- ray` for those beside Ray. All programs stay alive and take turns within each round.
//! It prints a table and writes its rows into `target/bench/report.json`; the ratios count.

#[path = "support/cores.rs"]
mod cores;
#[path = "calls/documents.rs"]
mod documents;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/installed.rs"]
#[expect(dead_code, reason = "programs in other languages are another benchmark's")]
mod installed;
#[path = "calls/measures.rs"]
mod measures;
#[path = "peers/mod.rs"]
mod peers;
#[path = "support/program.rs"]
mod program;
#[path = "support/report.rs"]
mod report;
#[path = "calls/subjects.rs"]
mod subjects;

use std::collections::BTreeMap;

use figures::{Figures, rounded};
use measures::{Measure, Peer, ROUNDS};
use peers::asked::Command;
use report::{Beside, Row};
use subjects::{Subject, Subjects};

/// What came of one measure of one subject in all rounds.
#[derive(Default)]
struct Outcome {
    figures: Figures,
    p99: Figures,
}

fn main() {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let (benchmark, all) = match asked.as_slice() {
        [ray] if ray == "ray" => ("ray", measures::RAY),
        _others => ("calls", measures::ALL),
    };
    let is_whole = asked.is_empty() || benchmark == "ray";
    let is_asked = |measure: &&Measure| {
        let is_named = asked.iter().any(|part| measure.row.contains(part.as_str()));
        is_whole || is_named || measure.own.contains(&Subject::PingPong)
    };
    let measures: Vec<&Measure> = all.iter().filter(is_asked).collect();
    let wanted: Vec<Subject> = measures.iter().flat_map(|measure| measure.subjects()).collect();
    let mut subjects = Subjects::start(&report::folder().join("calls"), &wanted);
    let due_in = |round: usize| -> Vec<&Measure> {
        measures.iter().copied().filter(|measure| measure.rounds >= round).collect()
    };
    // This round finds caches and schedulers cold, and does not count.
    round(&due_in(ROUNDS), &mut subjects, 0, &mut BTreeMap::new());
    let mut outcomes = BTreeMap::new();
    for number in 1..=ROUNDS {
        round(&due_in(number), &mut subjects, number, &mut outcomes);
    }
    drop(subjects);
    let rows: Vec<Row> = measures.iter().flat_map(|measure| rows(measure, &outcomes)).collect();
    report::print(&rows);
    // A part of the rows must not take the place of all.
    if is_whole {
        report::write(benchmark, &rows);
    }
}

/// Measure by measure, every subject in turn; another one begins each round.
fn round(
    measures: &[&Measure],
    subjects: &mut Subjects,
    number: usize,
    outcomes: &mut BTreeMap<String, Outcome>,
) {
    for measure in measures {
        let asked: Vec<Subject> = measure.subjects().collect();
        for turn in 0..asked.len() {
            let subject = asked[(turn + number) % asked.len()];
            let answer = answer(measure, subjects, subject);
            let outcome = outcomes.entry(subject.row(measure.row)).or_default();
            outcome.figures.add(answer[measure.key].as_f64().expect("a figure"));
            if let (Some(p99), "p50_us") = (answer["p99_us"].as_f64(), measure.key) {
                outcome.p99.add(p99);
            }
        }
    }
}

fn answer(measure: &Measure, subjects: &mut Subjects, subject: Subject) -> serde_json::Value {
    if !measure.is_busy {
        return subjects.ask(subject, measure.command);
    }
    let idle = |verb| Command { verb, size: "-", in_flight: 0, time_ms: 0 };
    subjects.ask(subject, idle("compute_start"));
    let answer = subjects.ask(subject, measure.command);
    subjects.ask(subject, idle("compute_stop"));
    answer
}

fn rows(measure: &Measure, outcomes: &BTreeMap<String, Outcome>) -> Vec<Row> {
    measure.subjects().map(|subject| row(measure, subject, outcomes)).collect()
}

fn row(measure: &Measure, subject: Subject, outcomes: &BTreeMap<String, Outcome>) -> Row {
    let id = subject.row(measure.row);
    let Outcome { figures, p99 } = &outcomes[&id];
    let settings = subject.settings();
    let mut note = format!("{}; {settings}{}", figures.spread(), measure.remark);
    if !p99.0.is_empty() {
        note = format!("p99 {} ({}); {note}", rounded(p99.median()), p99.spread());
    }
    // Promises hold for the product's first way; the others are there to be seen.
    let is_promised = measure.own.first() == Some(&subject);
    let is_own = measure.own.contains(&subject);
    if is_own && subject != Subject::PingPong && measure.command.is_lone() {
        note = format!("{note}; {}", cores::APART);
    }
    let peers = measure.peers.iter().filter(|_| is_own);
    let beside = peers.map(|Peer(peer, goal)| {
        let peer = peer.row(measure.row);
        Beside::of(figures, &peer, &outcomes[&peer].figures, goal.filter(|_| is_promised))
    });
    Row {
        value: figures.median(),
        unit: measure.unit,
        goal: measure.goal.filter(|_| is_promised),
        beside: beside.collect(),
        note,
        id,
    }
}
