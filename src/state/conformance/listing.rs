//! Lists of variables: in the order of their names' bytes, by pattern, page by page.

use crate::state::backend::{Access, Command};

use super::probe::{METADATA, Probe, number, same};
use super::{Outcome, Subject, hold};

pub async fn check(subject: &Subject) -> Outcome {
    hold!(subject; names_are_ordered_and_matched, pages_follow_each_other, rows_are_whole)
}

async fn names_are_ordered_and_matched(probe: &Probe) -> Outcome {
    same("names of nothing", &probe.names("", None, 100).await?, &Vec::new())?;
    register(probe).await?;
    for (pattern, expected) in [
        ("", &NAMES[..]),
        ("*", &NAMES[..]),
        ("b.*", &["b.10", "b.2"]),
        ("b.?", &["b.2"]),
        ("*2", &["b.2"]),
        ("?", &["B", "_", "a"]),
        ("_*", &["_", "__"]),
        ("b-1", &["b-1"]),
        ("c*", &[]),
    ] {
        same(
            &format!("names of {pattern:?}"),
            &probe.names(pattern, None, 100).await?,
            &owned(expected),
        )?;
    }
    Ok(())
}

async fn pages_follow_each_other(probe: &Probe) -> Outcome {
    register(probe).await?;
    for limit in 1..=NAMES.len() + 1 {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = probe.names("*", after.as_deref(), limit).await?;
            same("a page is no longer than its limit", &(page.len() <= limit), &true)?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            all.extend(page);
        }
        same(&format!("pages of {limit}"), &all, &owned(&NAMES))?;
    }
    // The name that a page ended with may be gone by the next, or never have been there.
    probe.done(Command::Delete { name: "b-1", access: Access::ANY }).await?;
    same("behind b-1", &probe.names("b*", Some("b-1"), 1).await?, &owned(&["b.10"]))?;
    same("behind Z", &probe.names("", Some("Z"), 2).await?, &owned(&["_", "__"]))?;
    same("behind the last", &probe.names("", Some("b.2"), 2).await?, &Vec::new())
}

async fn rows_are_whole(probe: &Probe) -> Outcome {
    probe.register("n", "integer", r#"{"max": 9}"#, number(1)).await?;
    let after = probe.set("n", number(2)).await?;
    let pattern = crate::state::name::NamePattern::new("n").map_err(super::probe::told)?;
    let found = probe.variables(Command::List { pattern: &pattern, after: None, limit: 2 }).await?;
    let [row] = found.as_slice() else { return Err(format!("expected one, got {found:?}")) };
    same("value and version", &(&row.value, row.version), &(&number(2), 2))?;
    same("id", &row.definition.id, &after.definition.id)?;
    same("constraints", row.constraints().as_ref(), br#"{"max": 9}"#.as_slice())?;
    same("metadata", row.metadata().as_ref(), METADATA.as_bytes())
}

async fn register(probe: &Probe) -> Outcome {
    for name in ["b.2", "a", "b.10", "B", "__", "_", "b-1"] {
        probe.register(name, "integer", "{}", number(1)).await?;
    }
    Ok(())
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// In the order of their bytes.
const NAMES: [&str; 7] = ["B", "_", "__", "a", "b-1", "b.10", "b.2"];
