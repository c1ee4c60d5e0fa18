//! Which host tools a shutdown could not wait for: those that had not answered when the grace was
//! over, and those whose callback has not returned when everything else has ended.
//!
//! It only finds and says them; it ends nothing.

use std::sync::Arc;

use crate::telemetry::{Level, LogHub, Record};
use crate::tools::{ToolRegistry, ToolSink};

/// The tools of a platform as they were when its grace was over.
pub(super) struct StuckTools {
    unanswered: Vec<(String, usize)>,
    sinks: Vec<(String, Arc<dyn ToolSink>)>,
}

impl StuckTools {
    /// To be called before the tools are taken away.
    pub fn of(tools: &ToolRegistry) -> StuckTools {
        let all = tools.all();
        let open = all.iter().map(|entry| (entry.name().to_owned(), entry.in_flight()));
        let unanswered = open.filter(|(_, calls)| *calls > 0).collect();
        let sink = |name: &str, sink| (name.to_owned(), sink);
        let sinks = all.iter().filter_map(|entry| Some(sink(entry.name(), entry.sink()?)));
        StuckTools { unanswered, sinks: sinks.collect() }
    }

    /// Names of tools with calls that the host had not answered.
    pub fn unanswered(&self) -> Vec<&str> {
        self.unanswered.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Logs both kinds. To be called when everything else has ended.
    pub fn tell(&self, logs: &LogHub) {
        let warn = |message: String, name: &str| {
            let record = Record::new(Level::Warning, TARGET.to_owned(), message);
            logs.publish(record.with("tool", name));
        };
        for (name, calls) in &self.unanswered {
            let message = format!("host tool {name:?} had not answered {calls} calls at the close");
            warn(message, name);
        }
        for (name, _) in self.sinks.iter().filter(|(_, sink)| sink.is_busy()) {
            let message = format!("host tool {name:?} is stuck: its callback has not returned");
            warn(message, name);
        }
    }
}

const TARGET: &str = "snakepit_bridge::api";
