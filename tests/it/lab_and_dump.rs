//! The practice dumps, written by one room and read by another that knows nothing of it.

use crate::support::practice::{self, ARTICLE};
use rkd_dump::Dump;
use rkd_dump::addr::{Pfn, Virt};
use rkd_dump::memory::{AddressSpace, State};
use rkd_lab::{Kind, Options};
use std::collections::BTreeMap;
use std::sync::Arc;

fn snapshot() -> rkd_lab::files::Snapshot {
    let table = practice::table("19041.3570");
    rkd_lab::snapshot(practice::scenario(ARTICLE), &table, &Options::default()).unwrap()
}

fn dump(snapshot: &rkd_lab::files::Snapshot, kind: Kind) -> Arc<Dump> {
    let mut bytes = Vec::new();
    rkd_lab::files::write(snapshot, kind, &mut bytes).unwrap();
    Arc::new(Dump::from_bytes(kind.name(), bytes).unwrap())
}

/// Every page that the page tables map, by the plainest walk there is.
fn mapped(
    snapshot: &rkd_lab::files::Snapshot,
    table: u64,
    level: u32,
    va: u64,
    found: &mut BTreeMap<u64, u64>,
) {
    let Some(page) = snapshot.ram.page(Pfn(table)) else {
        return;
    };
    for (index, entry) in page.as_chunks::<8>().0.iter().enumerate() {
        let entry = u64::from_le_bytes(*entry);
        let shift = 12 + 9 * (level - 1);
        let va = va + ((index as u64) << shift);
        if entry & 1 == 0 {
            continue;
        }
        let frame = entry >> 12 & 0xf_ffff_ffff;
        if level == 1 || entry & 0x80 != 0 {
            let first = frame & !((1 << (shift - 12)) - 1);
            for page in 0..1 << (shift - 12) {
                let va = if va >> 47 & 1 == 1 {
                    va | 0xffff << 48
                } else {
                    va
                };
                found.insert(va + page * 0x1000, first + page);
            }
        } else {
            mapped(snapshot, frame, level - 1, va, found);
        }
    }
}

#[test]
fn every_kind_opens_without_a_note_and_holds_the_pages_of_the_machine() {
    let snapshot = snapshot();
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| !matches!(kind, Kind::Triage | Kind::Raw))
    {
        let dump = dump(&snapshot, kind);
        assert_eq!(dump.notes(), [] as [&str; 0], "{}", kind.name());
        let memory = dump.physical().unwrap();
        let mut seen = 0;
        for (pfn, contents) in snapshot.ram.frames() {
            let left_out = matches!(kind, Kind::BitmapKernel | Kind::RangeKernel)
                && snapshot.user_frames.contains(&pfn.0);
            assert!(
                memory.page(pfn) == (!left_out).then_some(contents),
                "{}: frame {pfn}",
                kind.name()
            );
            seen += u64::from(!left_out);
        }
        assert!(
            memory.present_pages() == seen || kind == Kind::Full && memory.present_pages() > seen
        );
    }
}

#[test]
fn what_the_page_tables_map_is_what_is_read() {
    let snapshot = snapshot();
    let root = snapshot.facts.root;
    let mut expected = BTreeMap::new();
    mapped(&snapshot, root.pfn().0, 4, 0, &mut expected);
    assert!(expected.len() > 1000);
    for kind in [Kind::Full, Kind::BitmapFull, Kind::RangeFull] {
        let dump = dump(&snapshot, kind);
        let memory = dump.physical().unwrap();
        let space = AddressSpace::paged(Arc::clone(&dump), root.0);
        let mut present = Vec::new();
        for (va, frame) in &expected {
            let found = space.translate(Virt(*va)).unwrap();
            assert_eq!(
                (found.phys.pfn(), found.state),
                (Pfn(*frame), State::Valid),
                "{va:x} in {}",
                kind.name()
            );
            if let Some(page) = memory.page(Pfn(*frame)) {
                present.push((*va, page));
            }
        }
        let mut walk = space.mapped(Virt(0), u64::MAX);
        let found: Vec<_> = walk
            .by_ref()
            .flat_map(|piece| {
                piece
                    .bytes
                    .as_chunks()
                    .0
                    .iter()
                    .enumerate()
                    .map(move |(page, bytes)| (piece.va.0 + 0x1000 * page as u64, bytes))
            })
            .collect();
        assert!(!walk.gave_up());
        // Pages in transition and prototypes are present too, so there may be more, but never less and never other.
        let found: BTreeMap<u64, &[u8; 4096]> = found.into_iter().collect();
        for (va, page) in &present {
            assert!(found.get(va) == Some(page), "{va:x} in {}", kind.name());
        }
        for va in found.keys().filter(|va| !expected.contains_key(va)) {
            assert_ne!(
                space.translate(Virt(*va)).unwrap().state,
                State::Valid,
                "{va:x} in {}",
                kind.name()
            );
        }
    }
}

#[test]
fn a_practice_triage_dump_is_read_whole() {
    let dump = dump(&snapshot(), Kind::Triage);
    assert_eq!(dump.notes(), [] as [&str; 0]);
    let triage = dump.triage().unwrap();
    let drivers = triage.drivers();
    assert!(
        drivers.len() > 100
            && drivers
                .iter()
                .all(|driver| !driver.name.is_empty() && driver.base.is_kernel())
    );
    assert!(triage.debugger_data().is_some() && triage.call_stack().is_some());
    let space = AddressSpace::blocks(Arc::clone(&dump));
    for block in triage.blocks() {
        assert_eq!(
            space.read_vec(block.va, block.bytes.len()).as_deref(),
            Ok(block.bytes),
            "at {}",
            block.va
        );
    }
}
