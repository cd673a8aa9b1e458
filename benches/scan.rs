//! How long a search takes, as a multiple of the time that it takes to add up the same bytes: figures that hold on any machine.
//!
//! `cargo bench --bench scan` (`-- --mib 256` for a smaller file, `--folder DIR` for where it is made, `--only TEXT` for the
//! lines of the first table that hold the text). One file, a practice
//! dump with a body of what is on this machine laid into it; one thread; time on the processor; each measurement between two
//! sums. ripgrep and yara take part when they are installed.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "scan/body.rs"]
mod body;
#[path = "scan/clock.rs"]
mod clock;
#[path = "scan/scripts.rs"]
mod scripts;

use aho_corasick::{AhoCorasick, MatchKind};
use body::{Memory, PAGE, Random};
use clock::{median, time, time_whole};
use rkd_dump::Dump;
use rkd_dump::addr::Virt;
use rkd_kernel::{Kernel, Options};
use rkd_lab::{Kind, Payload};
use rkd_scan::{Hits, Pattern, Patterns, Source, Span};
use rkd_symbols::builtin_facts;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const COUNTS: [usize; 5] = [1, 4, 50, 500, 5000];

fn main() {
    let mib = argument("--mib").map_or(512, |mib| mib.parse().unwrap());
    let folder = argument("--folder").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).unwrap();
    // Everything on one thread, also where a search would take all.
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global()
        .unwrap();
    let tags = body::tags(5000);
    let file = File::make(folder.path(), mib << 20, &tags);
    println!(
        "{} MiB: 25 % zero pages, 35 % programs and libraries, 15 % like pool, 10 % heap, 10 % random, 5 % text",
        file.bytes().len() >> 20
    );
    println!("{:<56} {:>9} {:>8} {:>10}", "", "times sum", "GB/s", "hits");
    let only = argument("--only");
    let bench = Bench {
        file: &file,
        only: only.as_deref(),
    };
    bench.run("plain sum of u64", || sum(file.bytes()) as usize & 1);
    ours(&bench, &tags);
    walks(&bench, &tags);
    others(&bench, &tags);
    outside(&bench, &tags, folder.path());
    if only.as_deref().is_none_or(|only| only == "Rhai") {
        rhai(&file, &tags, folder.path());
    }
    if only.is_none() {
        stops(&file);
    }
}

fn argument(name: &str) -> Option<String> {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).cloned()
}

/// The file that everything is measured on.
struct File {
    path: PathBuf,
    kernel: Arc<Kernel>,
    /// Where the body lies in virtual memory.
    body: (Virt, u64),
}

impl File {
    fn make(folder: &Path, size: usize, tags: &[[u8; 4]]) -> File {
        let memory = Memory::new(size / 3, tags);
        let body = Payload::new((size / PAGE) as u64, move |number, page| {
            memory.page(number, page);
            Ok(())
        });
        let path = folder.join("body.dmp");
        let case = rkd_lab::scenario("notmyfault").unwrap();
        let options = rkd_lab::Options {
            kind: Kind::BitmapKernel,
            payload: Some(body),
            ..rkd_lab::Options::default()
        };
        let table = builtin_facts().by_version(case.version).unwrap();
        let made = rkd_lab::make_file(case, &table, &options, &path).unwrap();
        let laid = made.payload.unwrap();
        let kernel = Kernel::open(Dump::open(&path).unwrap(), &Options::default());
        File {
            path,
            kernel: Arc::new(kernel),
            body: (laid.at, laid.bytes),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.kernel.dump().bytes()
    }
}

struct Bench<'a> {
    file: &'a File,
    /// What a line must hold to be measured.
    only: Option<&'a str>,
}

impl Bench<'_> {
    /// The median of some rounds, each divided by the mean of the sums before and after it.
    fn run(&self, name: &str, work: impl Fn() -> usize) {
        self.rounds(name, ROUNDS, || time(&work));
    }

    fn rounds(&self, name: &str, rounds: usize, work: impl Fn() -> (f64, usize)) {
        if self.only.is_some_and(|only| !name.contains(only)) {
            return;
        }
        let (mut ratios, mut seconds, mut hits) = (Vec::new(), Vec::new(), 0);
        let sum = || time(|| sum(self.file.bytes()) as usize).0;
        for _ in 0..rounds {
            let before = sum();
            let (taken, found) = work();
            ratios.push(taken / ((before + sum()) / 2.0));
            seconds.push(taken);
            hits = found;
        }
        let ratio = median(ratios);
        let speed = self.file.bytes().len() as f64 / median(seconds) / 1e9;
        println!("{name:<56} {ratio:>9.2} {speed:>8.2} {hits:>10}");
    }
}

fn set(tags: &[[u8; 4]]) -> Patterns {
    Patterns::new(tags.iter().map(|tag| Pattern::bytes(*tag)).collect()).unwrap()
}

fn found(set: &Patterns, bytes: &[u8]) -> usize {
    let mut count = 0;
    set.each(bytes, 0, |_| count += 1);
    count
}

fn ours(bench: &Bench<'_>, tags: &[[u8; 4]]) {
    let bytes = bench.file.bytes();
    for count in COUNTS {
        let set = set(&tags[..count]);
        bench.run(&format!("rkd, {count} tags"), || found(&set, bytes));
    }
    let letters = |n: u32| [0, 1, 2, 3].map(|i| b'a' + (n / 26u32.pow(i) % 26) as u8);
    let many: Vec<[u8; 4]> = (0..100_000).map(|n| letters(n * 4 + 1)).collect();
    let many = set(&many);
    bench.run("rkd, 100000 tags", || found(&many, bytes));
    let mut random = Random::new(1);
    let mixed = tags[..20]
        .iter()
        .map(|tag| Pattern::bytes(*tag))
        .chain((0..180).map(|i| {
            let text: String = (0..3 + i % 12)
                .map(|_| char::from(b'a' + (random.next() % 26) as u8))
                .collect();
            match i % 2 {
                0 => Pattern::text(&text).any_case(),
                _ => Pattern::utf16(&text),
            }
        }));
    let mixed = Patterns::new(mixed.collect()).unwrap();
    bench.run("rkd, 200 mixed: tags, any-case, UTF-16", || {
        found(&mixed, bytes)
    });
    let masked = Patterns::new(vec![Pattern::hex("41b8 ???????? 33d2").unwrap()]).unwrap();
    bench.run("rkd, 1 byte mask (41b8????????33d2)", || {
        found(&masked, bytes)
    });
}

/// The same through page tables, which scatter the body over the file page by page, and in physical order.
fn walks(bench: &Bench<'_>, tags: &[[u8; 4]]) {
    let (at, len) = bench.file.body;
    let kernel = &bench.file.kernel;
    let physical = Span {
        start: 0,
        len: 1 << 40,
    };
    let places = [
        (
            "in physical order",
            Source::Physical(kernel.dump().clone()),
            physical,
        ),
        (
            "through page tables",
            Source::Virtual(kernel.space().clone()),
            Span::new(at, len),
        ),
    ];
    // As a plain sum goes, so far as it can: the order costs more than the search.
    bench.run("plain sum through page tables", || {
        let pieces = kernel.space().mapped(at, len);
        pieces.fold(0, |all: u64, piece| all.wrapping_add(sum(piece.bytes))) as usize & 1
    });
    for (name, source, span) in places {
        for count in COUNTS {
            let set = Arc::new(set(&tags[..count]));
            bench.run(&format!("rkd {name}, {count} tags"), || {
                Hits::new(source.clone(), vec![span], set.clone(), Arc::default()).count()
            });
        }
    }
}

fn others(bench: &Bench<'_>, tags: &[[u8; 4]]) {
    let bytes = bench.file.bytes();
    let one = memchr::memmem::Finder::new(&tags[0]);
    bench.run("memchr::memmem, 1 tag", || one.find_iter(bytes).count());
    for (name, kind) in [
        ("default", MatchKind::Standard),
        ("LeftmostFirst", MatchKind::LeftmostFirst),
    ] {
        for count in COUNTS {
            let automaton = AhoCorasick::builder()
                .match_kind(kind)
                .build(&tags[..count])
                .unwrap();
            let run = || time(|| automaton.find_iter(bytes).count());
            bench.rounds(&format!("aho-corasick {name}, {count} tags"), 3, run);
        }
    }
}

/// Other people's programs, on one thread; their start is counted too.
fn outside(bench: &Bench<'_>, tags: &[[u8; 4]], folder: &Path) {
    let path = &bench.file.path;
    for (program, arguments) in [
        ("rg", &["-a", "-F", "--count-matches", "-j1", "--mmap"][..]),
        ("yara", &["-p", "1", "-w"]),
    ] {
        if Command::new(program).arg("--version").output().is_err() {
            println!("MISSING: {program} is not installed, and was not measured");
            continue;
        }
        for count in COUNTS {
            let list = folder.join(format!("{program}.{count}"));
            let text: String = match program {
                "rg" => tags[..count].iter().map(|tag| text(tag) + "\n").collect(),
                _ => rule(&tags[..count]),
            };
            std::fs::write(&list, text).unwrap();
            let run = || {
                let mut command = Command::new(program);
                command.args(arguments);
                if program == "rg" {
                    command.arg("-f");
                }
                let output = command
                    .arg(&list)
                    .arg(path)
                    .stderr(Stdio::null())
                    .output()
                    .unwrap();
                let text = String::from_utf8_lossy(&output.stdout);
                text.trim().parse().unwrap_or(0)
            };
            let run = || time_whole(run);
            bench.rounds(&format!("{program}, {count} tags"), 3, run);
        }
    }
}

fn text(tag: &[u8; 4]) -> String {
    tag.iter().map(|byte| char::from(*byte)).collect()
}

/// A rule that counts every tag, so that no search ends at the first.
fn rule(tags: &[[u8; 4]]) -> String {
    let strings: String = tags
        .iter()
        .enumerate()
        .map(|(i, tag)| format!("    $t{i} = \"{}\"\n", text(tag)))
        .collect();
    format!("rule tags {{\n  strings:\n{strings}  condition:\n    any of them\n}}\n")
}

/// What a loop in Rhai costs over the command that finds the same: for a text that is rare, and for one that is found all the
/// time.
fn rhai(file: &File, tags: &[[u8; 4]], folder: &Path) {
    println!(
        "\n{:<56} {:>9} {:>9} {:>8} {:>10}",
        "times the command", "processor", "clock", "seconds", "lines"
    );
    let (at, len) = file.body;
    for needle in [text(&tags[0]).as_str(), "the"] {
        scripts::compare(&file.path, folder, at, len, needle);
    }
}

/// How long a search goes on when Ctrl-C has set the flag.
fn stops(file: &File) {
    let (at, len) = file.body;
    let set = Arc::new(set(&body::tags(500)));
    let mut worst = Duration::ZERO;
    let mut random = Random::new(3);
    for _ in 0..40 {
        let stop = Arc::new(AtomicBool::new(false));
        let wait = Duration::from_millis(1 + random.next() % 100);
        let flag = Arc::clone(&stop);
        let press = std::thread::spawn(move || {
            std::thread::sleep(wait);
            flag.store(true, Ordering::Relaxed);
            Instant::now()
        });
        let source = Source::Virtual(file.kernel.space().clone());
        // Some gigabytes, so that it does not end by itself.
        let spans = vec![Span::new(at, len); 64];
        let mut hits = Hits::new(source, spans, set.clone(), stop);
        while hits.next().is_some() {}
        let end = Instant::now();
        worst = worst.max(end.saturating_duration_since(press.join().unwrap()));
    }
    println!(
        "\nfrom Ctrl-C to the end of the search, the worst of 40: {:.1} ms",
        worst.as_secs_f64() * 1e3
    );
}

fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words
        .iter()
        .fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}
