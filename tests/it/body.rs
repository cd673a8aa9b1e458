//! A body of real bytes – what is on this machine: programs, libraries, zeroes, random pages – laid into a dump, where each of
//! its pages lies somewhere else in the file: the search finds what a loop over single bytes finds in the body itself, and
//! what ripgrep finds there.
//!
//! `RKD_BODY_MIB=4096 cargo test --release --test it body -- --nocapture` takes a larger one (twice that on the disk).

#[path = "../../benches/scan/body.rs"]
mod made;

use crate::support::data::lacking;
use crate::support::practice::{self, ARTICLE};
use made::{Memory, PAGE, Random};
use rkd_dump::Dump;
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_kernel::{Kernel, Options};
use rkd_lab::{Kind, Payload, PayloadRange};
use rkd_scan::{Hits, Pattern, Patterns, Source, Span};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Where a pattern was found: counted from the start of the body, and which.
type Found = (u64, u32);

struct Case {
    _folder: tempfile::TempDir,
    body: PathBuf,
    kernel: Kernel,
    laid: PayloadRange,
    patterns: Vec<Vec<u8>>,
}

fn case() -> Case {
    let mib: usize = std::env::var("RKD_BODY_MIB").map_or(64, |mib| mib.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("body");
    let tags = made::tags(200);
    let memory = Memory::new(mib << 19, &tags);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
    let mut page = [0; PAGE];
    for number in 0..(mib << 20) / PAGE {
        page.fill(0);
        memory.page(number as u64, &mut page);
        out.write_all(&page).unwrap();
    }
    drop(out);
    let dump = folder.path().join("body.dmp");
    let scenario = practice::scenario(ARTICLE);
    let table = practice::table(scenario.version);
    let options = rkd_lab::Options {
        kind: Kind::BitmapKernel,
        payload: Some(Payload::of_file(&path).unwrap()),
        ..rkd_lab::Options::default()
    };
    let made = rkd_lab::make_file(scenario, &table, &options, &dump).unwrap();
    Case {
        patterns: patterns(&path, &tags),
        kernel: Kernel::open(Dump::open(&dump).unwrap(), &Options::default()),
        laid: made.payload.unwrap(),
        body: path,
        _folder: folder,
    }
}

/// Tags, and bytes of many lengths out of the body itself: a third of them from where two pages meet.
fn patterns(body: &Path, tags: &[[u8; 4]]) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(body).unwrap();
    file.take(32 << 20).read_to_end(&mut bytes).unwrap();
    let mut random = Random::new(11);
    let mut patterns: Vec<Vec<u8>> = tags[..20].iter().map(|tag| tag.to_vec()).collect();
    while patterns.len() < 80 {
        let length = [3, 4, 4, 5, 7, 8, 16, 33][random.next() as usize % 8];
        let at = random.next() as usize % (bytes.len() - 2 * PAGE);
        let at = match patterns.len() % 3 {
            0 => at.next_multiple_of(PAGE) - 1 - random.next() as usize % (length - 1),
            _ => at,
        };
        let pattern = &bytes[at..at + length];
        if is_fit(pattern) && !patterns.iter().any(|known| known == pattern) {
            patterns.push(pattern.to_vec());
        }
    }
    patterns
}

/// ripgrep reads lines, and skips occurrences that overlap: no line ends, nothing that can overlap itself. Bytes that are all
/// alike, or zeroes for the most part, would be found everywhere.
fn is_fit(pattern: &[u8]) -> bool {
    let overlaps = (1..pattern.len()).any(|n| pattern.ends_with(&pattern[..n]));
    let zeroes = pattern.iter().filter(|byte| **byte == 0).count();
    !overlaps && !pattern.contains(&b'\n') && zeroes * 2 <= pattern.len()
}

/// Every pattern at every place.
fn naive(case: &Case) -> Vec<Found> {
    let mut starts: HashMap<[u8; 3], Vec<u32>> = HashMap::new();
    let mut is_start = vec![false; 0x1_0000];
    for (number, pattern) in case.patterns.iter().enumerate() {
        is_start[usize::from(pattern[0]) << 8 | usize::from(pattern[1])] = true;
        let start = pattern[..3].try_into().unwrap();
        starts.entry(start).or_default().push(number as u32);
    }
    let longest = case.patterns.iter().map(Vec::len).max().unwrap();
    let mut file = File::open(&case.body).unwrap();
    let (mut bytes, mut base, mut found) = (Vec::new(), 0, Vec::new());
    loop {
        let read = (&mut file).take(16 << 20).read_to_end(&mut bytes).unwrap();
        // What begins in the last bytes is for the next round, which has what follows.
        let end = match read {
            0 => bytes.len(),
            _ => bytes.len() - longest,
        };
        for at in 0..end {
            let here = &bytes[at..];
            if here.len() >= 3
                && is_start[usize::from(here[0]) << 8 | usize::from(here[1])]
                && let Some(numbers) = starts.get(&here[..3])
            {
                let fits = |number: &&u32| here.starts_with(&case.patterns[**number as usize]);
                let hits = numbers.iter().filter(fits);
                found.extend(hits.map(|number| (base + at as u64, *number)));
            }
        }
        if read == 0 {
            return found;
        }
        bytes.drain(..end);
        base += end as u64;
    }
}

/// One pattern after the other, because ripgrep tells only one of several that begin at one place.
fn ripgrep(case: &Case) -> Option<Vec<Found>> {
    let mut found = Vec::new();
    for (number, pattern) in case.patterns.iter().enumerate() {
        let expression: String = pattern.iter().map(|b| format!("\\x{b:02x}")).collect();
        let output = Command::new("rg")
            .args(["-a", "-o", "-b", "-N", "--no-filename", "-E", "none"])
            .arg(format!("(?-u:{expression})"))
            .arg(&case.body)
            .output()
            .ok()?;
        for line in output.stdout.split(|byte| *byte == b'\n') {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                continue;
            };
            assert_eq!(&line[colon + 1..], pattern, "a match of ripgrep");
            let at = std::str::from_utf8(&line[..colon]).unwrap();
            found.push((at.parse().unwrap(), number as u32));
        }
    }
    found.sort_unstable();
    Some(found)
}

fn ours(case: &Case) -> Vec<Found> {
    let patterns = case.patterns.iter().map(|p| Pattern::bytes(p.clone()));
    let patterns = Arc::new(Patterns::new(patterns.collect()).unwrap());
    let source = Source::Virtual(case.kernel.space().clone());
    let spans = vec![Span::new(case.laid.at, case.laid.bytes)];
    let mut hits = Hits::new(source, spans, patterns, Arc::default());
    let found = hits
        .by_ref()
        .map(|hit| (hit.address - case.laid.at.0, hit.pattern))
        .collect();
    assert!(hits.coverage().is_complete(), "{}", hits.coverage());
    found
}

/// Hits that begin in one page and end in another that is not behind it in the file.
fn across_pages(case: &Case, found: &[Found]) -> usize {
    let memory = case.kernel.dump().physical().unwrap();
    let place = |at: u64| {
        let va = Virt(case.laid.at.0 + at).page();
        let pfn = case.kernel.space().translate(va).unwrap().phys.pfn();
        memory.locate(pfn, 1).unwrap().offset
    };
    let apart = |(at, number): &&Found| {
        let last = at + case.patterns[*number as usize].len() as u64 - 1;
        at / PAGE_SIZE != last / PAGE_SIZE && place(last) != place(*at) + PAGE_SIZE
    };
    found.iter().filter(apart).count()
}

#[test]
fn a_body_of_real_bytes_is_searched_as_others_search_it() {
    let case = case();
    let found = ours(&case);
    let expected = naive(&case);
    assert!(found.len() > 1000, "{} hits prove little", found.len());
    assert!(
        found == expected,
        "{} hits, the loop has {}",
        found.len(),
        expected.len()
    );
    let across = across_pages(&case, &found);
    assert!(across >= 20, "only {across} hits go over the end of a page");
    if let Some(others) = ripgrep(&case).or_else(|| lacking("ripgrep")) {
        assert!(
            found == others,
            "{} hits, ripgrep has {}",
            found.len(),
            others.len()
        );
    }
    eprintln!(
        "{} MiB: {} hits of {} patterns, {across} of them from one page to another that does not follow it in the file",
        case.laid.bytes >> 20,
        found.len(),
        case.patterns.len()
    );
}
