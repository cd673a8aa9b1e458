//! A dump that is larger than memory, from end to end in physical order, beside `cat` of the same file: does the search read
//! ahead, and does it stay small?
//!
//! `cargo bench --bench large -- --gib 16 --folder DIR` makes such a dump in DIR, of real bytes and not sparse, measures, and
//! removes it. Give the machine less memory than that, or the programs: on Linux, started in a control group with a limit.
//! Before each run the file is dropped from the system's cache (`dd`, where there is one).
#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "scan/body.rs"]
mod body;
#[allow(dead_code)]
#[path = "scan/clock.rs"]
mod clock;

use body::{Memory, PAGE};
use clock::time_whole;
use rkd_dump::Dump;
use rkd_lab::{Kind, Payload};
use rkd_scan::{Event, Hits, Pattern, Patterns, Source, Span};
use rkd_symbols::builtin_facts;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

fn main() {
    // Each search is a process of its own: what it takes is then its own.
    if let (Some(path), Some(count)) = (argument("--search"), argument("--tags")) {
        let tags = body::tags(500);
        return search(Path::new(&path), &tags[..count.parse().unwrap()]);
    }
    let gib: f64 = argument("--gib").map_or(1.0, |gib| gib.parse().unwrap());
    let rounds: usize = argument("--rounds").map_or(2, |rounds| rounds.parse().unwrap());
    let folder = argument("--folder").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).unwrap();
    let path = folder.path().join("large.dmp");
    let pages = (gib * f64::from(1 << 30)) as u64 / PAGE as u64;
    let tags = body::tags(500);
    make(&path, pages, &tags);
    let size = std::fs::metadata(&path).unwrap().len() as f64;
    println!(
        "{:.2} GiB of dump; memory that can be had: {}",
        size / f64::from(1 << 30),
        limit()
    );
    println!(
        "{:<16} {:>8} {:>8} {:>11} {:>12} {:>12} {:>10}",
        "", "seconds", "GB/s", "processor s", "private MiB", "mapped MiB", "hits"
    );
    let dd = Command::new("dd")
        .arg("--version")
        .stderr(Stdio::null())
        .output();
    if dd.is_err() {
        println!("MISSING: there is no dd, the file stays in the system's cache");
    }
    for _ in 0..rounds {
        let mut cat = Command::new("cat");
        line("cat", size, &path, cat.arg(&path).stdout(Stdio::null()));
        for count in [1, 500] {
            let mut search = Command::new(std::env::current_exe().unwrap());
            search.arg("--search").arg(&path);
            search.args(["--tags", &count.to_string()]);
            line(&format!("rkd, {count} tags"), size, &path, &mut search);
        }
    }
}

/// Runs a program on the file, which is not in the cache, and prints what it took. Searches print their memory and hits.
fn line(name: &str, size: f64, path: &Path, command: &mut Command) {
    forget(path);
    let output = std::cell::OnceCell::new();
    let command = std::cell::RefCell::new(command);
    let start = Instant::now();
    let (processor, _) = time_whole(|| {
        let _ = output.set(command.borrow_mut().output());
        0
    });
    let seconds = start.elapsed().as_secs_f64();
    let Some(Ok(output)) = output.into_inner() else {
        println!("MISSING: {name} cannot be run");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    println!(
        "{name:<16} {seconds:>8.1} {:>8.2} {processor:>11.1} {}",
        size / seconds / 1e9,
        text.trim_end()
    );
}

/// Prints the most private and mapped memory in use, and the hits.
fn search(path: &Path, tags: &[[u8; 4]]) {
    let dump = Arc::new(Dump::open(path).unwrap());
    let patterns = tags.iter().map(|tag| Pattern::bytes(*tag)).collect();
    let spans = vec![Span {
        start: 0,
        len: 1 << 50,
    }];
    let patterns = Arc::new(Patterns::new(patterns).unwrap());
    let mut hits = Hits::new(Source::Physical(dump), spans, patterns, Arc::default());
    let (mut found, mut most) = (0, (0, 0));
    hits.each(|event| {
        match event {
            Event::Hit(_) => found += 1,
            Event::Progress { .. } => {
                let (private, mapped) = memory();
                most = (most.0.max(private), most.1.max(mapped));
            }
        }
        Ok(())
    })
    .unwrap();
    println!(
        "{:>12.1} {:>12.1} {found:>10}",
        f64::from(most.0) / 1024.0,
        f64::from(most.1) / 1024.0
    );
}

fn make(path: &Path, pages: u64, tags: &[[u8; 4]]) {
    let memory = Memory::new(256 << 20, tags);
    let body = Payload::new(pages, move |number, page| {
        memory.page(number, page);
        Ok(())
    });
    let case = rkd_lab::scenario("notmyfault").unwrap();
    let options = rkd_lab::Options {
        kind: Kind::BitmapFull,
        payload: Some(body),
        ..rkd_lab::Options::default()
    };
    let table = builtin_facts().by_version(case.version).unwrap();
    rkd_lab::make_file(case, &table, &options, path).unwrap();
}

/// Drops the file from the system's cache.
fn forget(path: &Path) {
    let _ = Command::new("sync").status();
    let _ = Command::new("dd")
        .arg(format!("if={}", path.display()))
        .args(["iflag=nocache", "count=0"])
        .stderr(Stdio::null())
        .status();
}

/// Private and mapped memory in use, in KiB, where the system tells (Linux).
fn memory() -> (u32, u32) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    (field("RssAnon:"), field("RssFile:"))
}

/// The limit of the control group, or all memory (Linux).
fn limit() -> String {
    let group = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let name = group.lines().find_map(|line| line.split_once(":memory:"));
    let first = name.map(|(_, name)| format!("/sys/fs/cgroup/memory{name}/memory.limit_in_bytes"));
    let second = group
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .map(|name| format!("/sys/fs/cgroup{name}/memory.max"));
    let limits = [first, second].into_iter().flatten();
    let limit = limits
        .filter_map(|path| {
            std::fs::read_to_string(path)
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .min();
    match limit.filter(|limit| *limit < 1 << 50) {
        Some(limit) => format!("{:.1} GiB", limit as f64 / f64::from(1 << 30)),
        None => "all of the machine's".into(),
    }
}

fn argument(name: &str) -> Option<String> {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).cloned()
}
