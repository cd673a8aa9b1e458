//! Time on the processor: on a busy machine the clock on the wall says little.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long a measurement lasts at least.
const LEAST: Duration = Duration::from_millis(200);

/// What a piece of work takes, in seconds, and what it answers. Linux may count in ticks of 4 ms, so it is done again and
/// again until a fifth of a second has passed.
pub fn time(work: impl Fn() -> usize) -> (f64, usize) {
    let (start, before) = (Instant::now(), threads());
    let mut answer = black_box(work());
    let mut runs = 1.0;
    while start.elapsed() < LEAST {
        answer = black_box(work());
        runs += 1.0;
    }
    let on_processor = threads().zip(before).map(|(now, then)| now - then);
    let seconds = on_processor.unwrap_or_else(|| start.elapsed().as_secs_f64());
    (seconds / runs, answer)
}

/// The same for work whose threads or programs have ended when it returns; Linux counts those in hundredths of a second.
pub fn time_whole(work: impl Fn() -> usize) -> (f64, usize) {
    let (start, before) = (Instant::now(), process());
    let answer = black_box(work());
    let on_processor = process().zip(before).map(|(now, then)| now - then);
    let seconds = on_processor.unwrap_or_else(|| start.elapsed().as_secs_f64());
    (seconds, answer)
}

/// Seconds that the threads of this process have run, where the system tells (Linux).
fn threads() -> Option<f64> {
    let mut sum = 0.0;
    for thread in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        let stat = std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        sum += stat.split(' ').next()?.parse::<f64>().unwrap_or(0.0) / 1e9;
    }
    Some(sum)
}

/// Seconds that this process and the programs that it has run were on a processor.
fn process() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program stands in brackets, and may hold blanks.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter();
    let sum: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    Some(sum / 100.0)
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
