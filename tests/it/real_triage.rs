//! A real triage dump, and every figure of it that is known from another reader.

use crate::support::data::data;
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::{Fault, Why};
use rkd_dump::memory::AddressSpace;
use rkd_dump::{Dump, MACHINE_X64};
use serde_json::Value;
use std::io::Read;
use std::sync::Arc;

const NT: Virt = Virt(0xffff_f804_7ba0_0000);
const ISF: &str = "isf/5278AFF86C341677D7D7835C85B7B844-1.json.xz";

fn triage_dump() -> Option<Arc<Dump>> {
    let path = data("dumps/triage_x64.dmp")?;
    Some(Arc::new(Dump::open(&path).unwrap()))
}

fn symbols() -> Option<Value> {
    let file = std::fs::File::open(data(ISF)?).unwrap();
    let mut text = Vec::new();
    liblzma::read::XzDecoder::new(file)
        .read_to_end(&mut text)
        .unwrap();
    Some(serde_json::from_slice(&text).unwrap())
}

fn rva(isf: &Value, symbol: &str) -> u64 {
    isf["symbols"][symbol]["address"].as_u64().unwrap()
}

/// The offset of a field through the structures that hold it.
fn offset(isf: &Value, ty: &str, path: &[&str]) -> u64 {
    let mut ty = ty.to_string();
    let mut offset = 0;
    for name in path {
        let field = &isf["user_types"][&ty]["fields"][name];
        offset += field["offset"].as_u64().unwrap();
        ty = field["type"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_string();
    }
    offset
}

#[test]
fn the_header_says_what_windows_wrote() {
    let Some(dump) = triage_dump() else { return };
    assert_eq!(dump.format().name, "triage");
    assert_eq!(dump.notes(), [] as [&str; 0]);
    let located = dump.located();
    let fields = (located.machine.get(), located.build.get());
    assert_eq!(fields, (Some(MACHINE_X64), Some(19041)));
    assert_eq!(located.is_checked.get(), Some(false));
    assert_eq!(located.processors.get(), Some(16));
    assert_eq!(located.page_table_root.get(), Some(0x1a_d000));
    assert_eq!(located.module_list.get(), Some(NT + Rva(0xc2_a390)));
    assert_eq!(located.debugger_block.get(), Some(NT + Rva(0xc0_0b20)));
    // What Windows left as it found it, PAGEPAGE.
    assert_eq!((dump.comment(), located.memory_end.get()), (None, None));
    let product = (located.product_type.get(), located.suite_mask.get());
    assert_eq!(product, (Some(1), Some(0x110)));
    let times = (located.system_time.get(), located.up_time.get());
    assert_eq!(times, (Some(0x1d7_07f2_3dbb_3399), Some(0x23b_c1e9)));
    let crash = dump.crash().unwrap();
    assert_eq!(crash.code, 0x1000_007e);
    assert_eq!(
        crash.parameters,
        [
            0xffff_ffff_c000_0005,
            0xffff_f804_8b58_334c,
            0xffff_8504_2989_1ee8,
            0xffff_8504_2989_1720
        ]
    );
    let exception = crash.exception.as_ref().unwrap();
    assert_eq!((exception.code, exception.flags), (0x8000_0003, 1));
    assert_eq!(
        (exception.address, exception.parameters.len()),
        (Virt(0xffff_f804_7bdf_5a80), 0)
    );
    let context = crash.context.as_ref().unwrap();
    assert_eq!(
        (context.len(), &context[0x30..0x34]),
        (3000, &0x10_001fu32.to_le_bytes()[..])
    );
    assert_eq!(context[0xf8..0x100], crash.parameters[1].to_le_bytes());
}

#[test]
fn the_lists_of_drivers_are_whole() {
    let Some(dump) = triage_dump() else { return };
    assert!(dump.physical().is_none());
    let triage = dump.triage().unwrap();
    let drivers = triage.drivers();
    assert_eq!(drivers.len(), 151);
    assert!(
        drivers
            .iter()
            .all(|driver| driver.name.starts_with('\\') && driver.base.is_kernel())
    );
    let (nt, last) = (&drivers[0], &drivers[150]);
    assert_eq!(nt.name, r"\SystemRoot\system32\ntoskrnl.exe");
    assert_eq!(
        (nt.base, nt.size, nt.checksum, nt.time_stamp),
        (NT, 0x104_6000, 0xa5_938c, 0xd83_33e6)
    );
    assert_eq!(last.name, r"\SystemRoot\System32\drivers\rdpbus.sys");
    assert_eq!(
        (last.base, last.size),
        (Virt(0xffff_f804_8b68_0000), 0xe000)
    );
    let unloaded: Vec<_> = triage
        .unloaded()
        .into_iter()
        .map(|gone| (gone.name, gone.start.0, gone.end.0))
        .collect();
    let expected = [
        ("dam.sys", 0xffff_f804_87de_0000, 0xffff_f804_87df_c000),
        ("WdBoot.sys", 0xffff_f804_79d3_0000, 0xffff_f804_79d4_2000),
        ("hwpolicy.sys", 0xffff_f804_802c_0000, 0xffff_f804_802d_1000),
        ("mcupdate.dll", 0xffff_f804_793e_0000, 0xffff_f804_7940_9000),
    ];
    assert_eq!(
        unloaded,
        expected.map(|(name, start, end)| (name.to_string(), start, end))
    );
    assert_eq!(
        (triage.broken_driver(), triage.options, triage.overflowed()),
        (None, None, false)
    );
}

#[test]
fn the_copies_of_structures_have_the_sizes_of_the_symbols() {
    let Some(dump) = triage_dump() else { return };
    let Some(isf) = symbols() else { return };
    let triage = dump.triage().unwrap();
    let kdbg = triage.debugger_data().unwrap();
    assert_eq!(
        (kdbg.len(), &kdbg[0x10..0x14], &kdbg[0x18..0x20]),
        (0x380, &b"KDBG"[..], &NT.0.to_le_bytes()[..])
    );
    let size = |ty: &str| isf["user_types"][ty]["size"].as_u64();
    let len = |bytes: Option<&[u8]>| bytes.map(|bytes| bytes.len() as u64);
    assert_eq!(len(triage.process()), size("_EPROCESS"));
    assert_eq!(len(triage.thread()), size("_ETHREAD"));
    assert_eq!(len(triage.prcb()), size("_KPRCB"));
    let word = |bytes: Option<&[u8]>, ty: &str, field: &str| {
        let at = offset(&isf, ty, &[field]) as usize;
        u32::from_le_bytes(bytes.unwrap()[at..at + 4].try_into().unwrap())
    };
    assert_eq!(word(triage.process(), "_EPROCESS", "UniqueProcessId"), 4);
    assert_eq!(word(triage.process(), "_EPROCESS", "CommitCharge"), 52);
    assert_eq!(word(triage.prcb(), "_KPRCB", "CachedCommit"), 85);
    assert_eq!(word(triage.prcb(), "_KPRCB", "CachedResidentAvailable"), 32);
}

#[test]
fn the_blocks_are_an_address_space() {
    let Some(dump) = triage_dump() else { return };
    let triage = dump.triage().unwrap();
    assert_eq!(triage.data_block_count(), 1831);
    // The stack and the copy of the debugger data block; this dump has no data page.
    assert_eq!(triage.blocks().count(), 1831 + 2);
    let stack = triage.call_stack().unwrap();
    assert_eq!(
        (stack.va, stack.bytes.len()),
        (Virt(0xffff_8504_2989_0ee8), 0x2118)
    );
    let space = AddressSpace::blocks(Arc::clone(&dump));
    let mut found = 0;
    for block in triage.blocks() {
        assert_eq!(
            space.read_vec(block.va, block.bytes.len()).as_deref(),
            Ok(block.bytes),
            "at {}",
            block.va
        );
        found += block.bytes.len() as u64;
    }
    // The data blocks do not overlap, but the stack lies in four of them, all but its first 0x78 bytes.
    assert_eq!(found, 1_153_874 + 0x2118 + 0x380);
    let pieces: Vec<_> = space.mapped(Virt(0), u64::MAX).collect();
    let total: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
    assert_eq!(total, 1_153_874 + 0x78 + 0x380);
    assert!(
        pieces
            .windows(2)
            .all(|pair| pair[0].va.0 + pair[0].bytes.len() as u64 <= pair[1].va.0)
    );
    assert_eq!(
        space.read_u32(dump.located().debugger_block.get().unwrap() + 0x10),
        Ok(0x4742_444b)
    );
    // PsLoadedModuleList is not in the dump: that is what a triage dump is like.
    let list = dump.located().module_list.get().unwrap();
    assert_eq!(
        space.read_u64(list),
        Err(Fault {
            at: list,
            why: Why::NoBlock
        })
    );
    assert_eq!(
        space.translate(NT).map(|_| ()),
        Err(Fault {
            at: NT,
            why: Why::NoPageTables
        })
    );
}

#[test]
fn five_memory_counters_read_right_and_the_sixth_is_not_there() {
    let Some(dump) = triage_dump() else { return };
    let Some(isf) = symbols() else { return };
    let space = AddressSpace::blocks(Arc::clone(&dump));
    let partition = NT + rva(&isf, "MiSystemPartition");
    let at = |path: &[&str]| partition + offset(&isf, "_MI_PARTITION", path);
    assert_eq!(
        space.read_u64(at(&["Vp", "NumberOfPhysicalPages"])),
        Ok(8_366_927)
    );
    assert_eq!(space.read_u32(at(&["Vp", "NumberOfPagingFiles"])), Ok(0));
    assert_eq!(space.read_u64(at(&["Vp", "AvailablePages"])), Ok(8_023_204));
    assert_eq!(
        space.read_u64(at(&["Vp", "TotalCommittedPages"])),
        Ok(363_348)
    );
    assert_eq!(
        space.read_u64(at(&["Vp", "ModifiedPageListHead", "Total"])),
        Ok(320)
    );
    let limit = at(&["Vp", "TotalCommitLimit"]);
    assert_eq!(
        space.read_u64(limit),
        Err(Fault {
            at: limit,
            why: Why::NoBlock
        })
    );
}
