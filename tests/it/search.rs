//! Searches through real page tables and physical memory of practice dumps, against loops that know nothing of the scanner.

use crate::support::practice::{self, ARTICLE};
use rkd::command::{Collect, run_line};
use rkd::session::Session;
use rkd_dump::addr::{PAGE_SIZE, Pfn, Virt};
use rkd_kernel::Kernel;
use rkd_lab::FrameRun;
use rkd_lab::Memory;
use rkd_lab::files::{self, Kind, Snapshot};
use rkd_scan::{Coverage, Hits, Pattern, Patterns, Source, Span};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Four bytes from many places of the modules, so that they occur, and some that hardly do.
fn tags(kernel: &Kernel) -> Vec<[u8; 4]> {
    let places: Vec<u8> = kernel
        .modules()
        .iter()
        .flat_map(|module| kernel.space().mapped(module.base, module.size))
        .flat_map(|piece| piece.bytes.to_vec())
        .collect();
    let mut tags: Vec<[u8; 4]> = (0..400)
        .filter_map(|i| {
            places
                .get(i * (places.len() / 400)..)?
                .first_chunk::<4>()
                .copied()
        })
        .filter(|tag| tag.iter().filter(|b| **b == 0 || **b == 0xcc).count() < 2)
        .collect();
    tags.extend([*b"Leak", *b"zQ9~", *b"MmSt"]);
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Every tag at every address of a list of pages, which may be neighbours.
fn naive(pages: &[(u64, [u8; 4096])], tags: &[[u8; 4]]) -> Vec<(u64, u32)> {
    let numbers: HashMap<u32, u32> = tags
        .iter()
        .zip(0..)
        .map(|(tag, number)| (u32::from_be_bytes(*tag), number))
        .collect();
    // Looking into the map at every byte would take minutes.
    let mut ends = vec![false; 0x1_0000];
    numbers
        .keys()
        .for_each(|tag| ends[*tag as usize & 0xffff] = true);
    let mut found = Vec::new();
    let (mut last, mut have, mut next) = (0u32, 0, None);
    for (at, page) in pages {
        if next != Some(*at) {
            have = 0;
        }
        for (i, byte) in page.iter().enumerate() {
            last = last << 8 | u32::from(*byte);
            have += 1;
            if ends[last as usize & 0xffff]
                && have >= 4
                && let Some(number) = numbers.get(&last)
            {
                found.push((at + i as u64 - 3, *number));
            }
        }
        next = at.checked_add(PAGE_SIZE);
    }
    found
}

fn search(source: Source, spans: Vec<Span>, tags: &[[u8; 4]]) -> (Vec<(u64, u32)>, Coverage) {
    let patterns =
        Arc::new(Patterns::new(tags.iter().map(|tag| Pattern::bytes(*tag)).collect()).unwrap());
    let mut hits = Hits::new(source, spans, patterns, Arc::default());
    let found = hits
        .by_ref()
        .map(|hit| (hit.address, hit.pattern))
        .collect();
    (found, hits.coverage())
}

#[test]
fn modules_are_searched_through_the_page_tables() {
    let kernel = practice::kernel(ARTICLE);
    let tags = tags(&kernel);
    let memory = kernel.dump().physical().unwrap();
    let (mut pages, mut expected) = (Vec::new(), Vec::new());
    for module in kernel.modules() {
        pages.clear();
        for number in 0..module.size / PAGE_SIZE {
            let va = module.base + number * PAGE_SIZE;
            let found = kernel
                .space()
                .translate(va)
                .ok()
                .and_then(|found| memory.page(found.phys.pfn()));
            pages.extend(found.map(|page| (va.0, *page)));
        }
        expected.extend(naive(&pages, &tags));
    }
    assert!(
        expected.len() > 1000,
        "{} hits prove little",
        expected.len()
    );
    let spans: Vec<Span> = kernel
        .modules()
        .iter()
        .map(|module| Span::new(module.base, module.size))
        .collect();
    let (found, coverage) = search(Source::Virtual(kernel.space().clone()), spans, &tags);
    assert!(
        found == expected,
        "{} hits, expected {}",
        found.len(),
        expected.len()
    );
    assert_eq!(
        coverage.asked,
        kernel
            .modules()
            .iter()
            .map(|module| module.size)
            .sum::<u64>()
    );
    assert_eq!(
        coverage.read + coverage.missing.iter().map(|(_, bytes)| bytes).sum::<u64>(),
        coverage.asked
    );
}

#[test]
fn physical_memory_is_searched_in_every_kind_of_dump() {
    let mut first = None;
    for kind in [Kind::Full, Kind::BitmapFull, Kind::RangeFull] {
        let kernel = practice::open("leak.dmp", practice::bytes(ARTICLE, kind).to_vec());
        let tags = first.get_or_insert_with(|| tags(&kernel)).clone();
        let memory = kernel.dump().physical().unwrap();
        let pages: Vec<(u64, [u8; 4096])> = memory
            .runs()
            .flat_map(|run| run.first.0..run.first.0 + run.pages)
            .take(if kind == Kind::Full { usize::MAX } else { 1000 })
            .filter_map(|pfn| Some((Pfn(pfn).phys().0, *memory.page(Pfn(pfn))?)))
            .collect();
        let expected = naive(&pages, &tags);
        assert!(
            expected.len() > 1000,
            "{} hits prove little",
            expected.len()
        );
        let all = Span {
            start: 0,
            len: pages[pages.len() - 1].0 + PAGE_SIZE,
        };
        let (found, coverage) = search(Source::Physical(kernel.dump().clone()), vec![all], &tags);
        assert!(
            found == expected,
            "{kind:?}: {} hits, expected {}",
            found.len(),
            expected.len()
        );
        assert_eq!(coverage.read, pages.len() as u64 * PAGE_SIZE, "{kind:?}");
        // A span that begins and ends inside of pages.
        let (start, end) = (pages[3].0 + 0x123, pages[pages.len() / 2].0 + 0x456);
        let (found, _) = search(
            Source::Physical(kernel.dump().clone()),
            vec![Span {
                start,
                len: end - start,
            }],
            &tags,
        );
        let inside: Vec<_> = expected
            .iter()
            .filter(|(at, _)| *at >= start && at + 4 <= end)
            .copied()
            .collect();
        assert!(
            found == inside,
            "{kind:?}: {} hits, expected {}",
            found.len(),
            inside.len()
        );
    }
}

#[test]
fn a_triage_dump_has_no_physical_memory_to_search() {
    let kernel = practice::open("leak.dmp", practice::bytes(ARTICLE, Kind::Triage).to_vec());
    let everything = Span {
        start: 0,
        len: 0x10_0000,
    };
    let (found, coverage) = search(
        Source::Physical(kernel.dump().clone()),
        vec![everything],
        &[*b"Leak"],
    );
    assert_eq!(
        (found.len(), coverage.read, coverage.missing),
        (0, 0, vec![("not in the dump", 0x10_0000)])
    );
}

#[test]
fn only_writable_pages() {
    let kernel = practice::kernel(ARTICLE);
    let tags = tags(&kernel);
    let spans: Vec<Span> = kernel
        .modules()
        .iter()
        .map(|module| Span::new(module.base, module.size))
        .collect();
    let (all, _) = search(
        Source::Virtual(kernel.space().clone()),
        spans.clone(),
        &tags,
    );
    let (found, coverage) = search(Source::Writable(kernel.space().clone()), spans, &tags);
    let writable = |at: u64| {
        kernel
            .space()
            .translate(Virt(at))
            .is_ok_and(|found| found.writable)
    };
    let expected: Vec<_> = all
        .iter()
        .filter(|(at, _)| writable(*at) && writable(at + 3))
        .copied()
        .collect();
    assert!(
        found == expected,
        "{} hits, expected {}",
        found.len(),
        expected.len()
    );
    let read_only = coverage.missing.iter().find(|(why, _)| *why == "read-only");
    assert_eq!(
        read_only.is_some(),
        expected.len() < all.len(),
        "{coverage}"
    );
}

/// Every entry of the top table is the top table: 2^36 pages, all the same. The search ends and says why.
#[test]
fn tables_that_point_at_themselves_end_the_search() {
    let mut bytes = practice::bytes(ARTICLE, Kind::BitmapKernel).to_vec();
    let kernel = practice::open("leak.dmp", bytes.clone());
    let root = kernel.space().root().unwrap();
    let table = kernel.dump().physical().unwrap().page(root.pfn()).unwrap();
    let at = table.as_ptr() as usize - kernel.dump().bytes().as_ptr() as usize;
    for entry in bytes[at..at + 4096].chunks_exact_mut(8) {
        entry.copy_from_slice(&(root.0 | 3).to_le_bytes());
    }
    let space = practice::open("leak.dmp", bytes).space().clone();
    let (found, coverage) = search(
        Source::Virtual(space),
        Span::everything().to_vec(),
        &[*b"zQ9~"],
    );
    assert_eq!(found, []);
    assert!(
        coverage.gave_up && coverage.to_string().contains("the page tables are damaged"),
        "{coverage}"
    );
}

/// What a line prints on the screen.
fn screen(session: &mut Session, line: &str) -> String {
    let mut out = Collect::default();
    run_line(session, line, &mut out).unwrap();
    out.screen
}

/// One pass over all modules, and one command after the other: the same hits.
#[test]
fn one_pass_finds_what_a_search_of_each_module_finds() {
    let mut session = Session::new(practice::kernel(ARTICLE));
    let modules = session.target.kernel.modules();
    let spans = modules
        .iter()
        .map(|module| Span::new(module.base, module.size))
        .collect();
    let (found, _) = search(
        Source::Virtual(session.target.kernel.space().clone()),
        spans,
        &[*b"Leak"],
    );
    let lines: String = found
        .iter()
        .map(|(at, _)| format!("0x{}\n", Virt(*at)))
        .collect();
    assert_eq!(found.len(), 2);
    let each = |search: &str| format!("!for_each_module s {}", search.replace('*', "@#Base @#End"));
    assert_eq!(screen(&mut session, &each("-[1]a * \"Leak\"")), lines);
    let mut hits = 0;
    for search in [
        "-a * \"Leak\"",
        "-a * \"Ke\"",
        "-[1w]b * 00 00 00 00 01",
        "-d * 'kaeL'",
        "-q * fffff807`47f50000",
        "-ui * \"SYSTEM\"",
        "-[l24]sa *",
        "-m * 41 b8 ?? 65 61 6b",
        "-re * \"Leak.{3}[A3]\"",
    ] {
        let one_by_one = screen(&mut session, &each(search));
        let at_once = screen(&mut session, &format!("s {search}"));
        assert!(
            at_once == one_by_one,
            "s {search}:\n{at_once}\n{one_by_one}"
        );
        hits += at_once.lines().count();
    }
    assert!(hits > 100, "{hits} hits prove little");
}

/// All texts of one line are found in one pass, in the order of their addresses.
#[test]
fn several_texts_at_once() {
    let mut session = Session::new(practice::kernel(ARTICLE));
    let mut each: Vec<String> = ["Leak", "Ke", "eak", "nowhere at all"]
        .iter()
        .flat_map(|text| {
            let screen = screen(&mut session, &format!("s -[1]a * \"{text}\""));
            screen.lines().map(str::to_string).collect::<Vec<_>>()
        })
        .collect();
    let together = screen(
        &mut session,
        "s -[1]a * \"Leak\" \"Ke\"\"eak\" \"nowhere at all\"",
    );
    let mut together: Vec<&str> = together.lines().collect();
    // Modules are searched in the order in which they were loaded.
    together.sort_unstable();
    each.sort_unstable();
    assert_eq!(together, each);
}

/// Between two pages lie entries that lead nowhere: whoever has set the flag does not wait for the second page.
#[test]
fn a_walk_through_tables_that_lead_nowhere_can_be_stopped() {
    let (first, last) = (Virt(0xffff_9000_0000_0000), Virt(0xffff_9000_0400_0000));
    let frames = vec![FrameRun {
        first: Pfn(0x200),
        pages: 0x1000,
    }];
    let mut memory = Memory::new(frames, 0x149).unwrap();
    memory.write(first, b"Leak").unwrap();
    memory.write(last, b"Leak").unwrap();
    for page in 1..(last - first) / PAGE_SIZE {
        memory.page_out(first + page * PAGE_SIZE).unwrap();
    }
    let mut bytes = Vec::new();
    let snapshot = Snapshot::bare(memory);
    files::write(&snapshot, Kind::BitmapFull, &mut bytes).unwrap();
    let kernel = practice::open("leak.dmp", bytes);
    let length = last - first + PAGE_SIZE;
    let pieces = |stop: bool| {
        let stop = AtomicBool::new(stop);
        let mapped = kernel.space().mapped(first, length).until(&stop);
        mapped.map(|piece| piece.va).collect::<Vec<_>>()
    };
    assert_eq!(pieces(false), [first, last]);
    assert_eq!(pieces(true), [first]);
    let (found, coverage) = search(
        Source::Virtual(kernel.space().clone()),
        vec![Span::new(first, length)],
        &[*b"Leak"],
    );
    assert_eq!(found, [(first.0, 0), (last.0, 0)]);
    assert_eq!(
        coverage.missing,
        [("paged out", length - 2 * PAGE_SIZE)],
        "{coverage}"
    );
}
