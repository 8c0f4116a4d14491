//! Times, sizes and memory, measured on the spot.

use std::time::{Duration, Instant};

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
pub(super) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
