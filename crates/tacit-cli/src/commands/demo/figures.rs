//! Times, sizes and memory, measured on the spot.

use std::time::{Duration, Instant};

use comfy_table::Table;
use serde_json::{Map, Value, json};

use crate::report::table;

/// Times and sizes, in the order of the story.
#[derive(Default)]
pub(super) struct Figures(Vec<(&'static str, String, &'static str, Value)>);

impl Figures {
    pub(super) fn time(&mut self, what: &'static str, time: Duration, key: &'static str) {
        self.0.push((what, shown(time), key, json!(time.as_secs_f64())));
    }

    pub(super) fn size(&mut self, what: &'static str, bytes: usize, key: &'static str) {
        self.0.push((what, format!("{bytes} bytes"), key, json!(bytes)));
    }

    /// Everything measured, and the most memory that was held.
    pub(super) fn table(&self) -> Table {
        let mut costs = table(&["", "measured here"]);
        for (what, value, ..) in &self.0 {
            costs.add_row([*what, value]);
        }
        if let Some(bytes) = peak_memory() {
            costs.add_row(["peak memory of all of this", &format!("{:.0} MB", bytes as f64 / 1e6)]);
        }
        costs
    }

    pub(super) fn json(self) -> Map<String, Value> {
        let mut measured: Map<_, _> = self.0.into_iter().map(|(_, _, key, v)| (key.to_owned(), v)).collect();
        measured.insert("peak_memory_bytes".to_owned(), peak_memory().into());
        measured
    }
}

/// Runs a cheap step three times: its last result and the median time.
pub(super) fn median<T, E>(mut step: impl FnMut() -> Result<T, E>) -> Result<(T, Duration), E> {
    let mut times = [Duration::ZERO; 3];
    let mut timed = |time: &mut Duration| {
        let start = Instant::now();
        let result = step();
        *time = start.elapsed();
        result
    };
    let [first, second, third] = &mut times;
    timed(first)?;
    timed(second)?;
    let result = timed(third)?;
    times.sort_unstable();
    Ok((result, times[1]))
}

/// Runs a step once.
pub(super) fn once<T, E>(step: impl FnOnce() -> Result<T, E>) -> Result<(T, Duration), E> {
    let start = Instant::now();
    let result = step()?;
    Ok((result, start.elapsed()))
}

/// `1.23 s` or `12.3 ms`.
pub(super) fn shown(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 1.0 { format!("{seconds:.2} s") } else { format!("{:.1} ms", seconds * 1000.0) }
}

/// The most memory that this process has held, in bytes, where the system says so.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
