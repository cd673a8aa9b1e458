//! What a search costs from Rhai, beside the command that finds the same: whole programs, as a person starts them, their
//! output read through a pipe.

use crate::clock::{median, time_whole};
use rkd_dump::addr::Virt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 21;

/// One way to search.
struct Way {
    name: &'static str,
    program: Command,
    /// Seconds by the clock, a round each.
    clock: Vec<f64>,
    /// Seconds on the processors, of all rounds and threads together.
    processor: f64,
    lines: usize,
}

/// Searches for one text in all ways, taking turns, and prints how they compare with the first.
pub fn compare(dump: &Path, folder: &Path, at: Virt, len: u64, text: &str) {
    let search = format!("space().search({:#x}, {len}, \"{text}\")", at.0);
    let loops = [
        (
            "counted by a loop",
            format!("let n = 0; for hit in {search} {{ n += 1; }} print(n);"),
        ),
        (
            "printed by a loop",
            format!("for hit in {search} {{ print(hit.line()); }}"),
        ),
        ("shown", format!("show({search});")),
    ];
    let command = format!("s -a {at} L?{len:x} \"{text}\"; q");
    let mut ways = vec![Way::new(
        "the command",
        &[dump.as_os_str(), "-c".as_ref(), command.as_ref()],
    )];
    for (number, (name, source)) in loops.iter().enumerate() {
        let script = folder.join(format!("{number}.rhai"));
        std::fs::write(&script, source).unwrap();
        ways.push(Way::new(
            name,
            &["run".as_ref(), script.as_os_str(), dump.as_os_str()],
        ));
    }
    for _ in 0..ROUNDS {
        ways.iter_mut().for_each(Way::run);
    }
    let first = (median(ways[0].clock.clone()), ways[0].processor);
    for way in ways {
        let clock = median(way.clock);
        let name = format!("\"{text}\", {}", way.name);
        println!(
            "{name:<56} {:>9.2} {:>9.2} {clock:>8.3} {:>10}",
            way.processor / first.1,
            clock / first.0,
            way.lines
        );
    }
}

impl Way {
    fn new(name: &'static str, arguments: &[&std::ffi::OsStr]) -> Way {
        let mut program = Command::new(env!("CARGO_BIN_EXE_rkd"));
        program.args(arguments).stdin(Stdio::null());
        Way {
            name,
            program,
            clock: Vec::new(),
            processor: 0.0,
            lines: 0,
        }
    }

    fn run(&mut self) {
        let start = Instant::now();
        let program = std::cell::RefCell::new(&mut self.program);
        let (processor, lines) = time_whole(|| {
            let output = program.borrow_mut().output().unwrap();
            output.stdout.split(|byte| *byte == b'\n').count() - 1
        });
        self.clock.push(start.elapsed().as_secs_f64());
        self.processor += processor;
        self.lines = lines;
    }
}
