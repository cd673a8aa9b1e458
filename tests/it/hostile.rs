//! Dumps whose contents lie: counts of 2^60, lists that loop, pointers to nowhere, random damage. Every command ends, with a
//! sentence where something is wrong, and keeps what it found.

use crate::support::practice::{ARTICLE, bytes, open};
use crate::support::random::Random;
use rkd::command::{Collect, run_line};
use rkd::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::Error;
use rkd_kernel::Kernel;
use rkd_lab::Kind;

const COMMANDS: &[&str] = &[
    "vertarget",
    "lm",
    "lmv m my*",
    "!vm",
    "!poolused 3",
    "!bigpool Leak",
    "!poolscan Leak",
    "!poolfind Leak -nonpaged",
    "!poolowner Leak -v",
    "!poolowner * /t40",
    "!leak",
    "r",
    ".bugcheck",
    "~",
    "s -a myfault L?9000 \"Leak\"",
    "!for_each_module s -a @#Base @#End \"Leak\"",
    "dps nt!PsLoadedModuleList L4",
];

/// Where in the file the byte at an address lies.
fn place(kernel: &Kernel, at: Virt) -> usize {
    let piece = kernel.space().slice(at, 1).unwrap();
    piece.as_ptr() as usize - kernel.dump().bytes().as_ptr() as usize
}

/// All that the commands say, text and notes.
fn play(bytes: Vec<u8>, commands: &[&str]) -> String {
    let mut session = Session::new(open("hostile.dmp", bytes));
    let mut said = String::new();
    for line in commands {
        let mut out = Collect::default();
        match run_line(&mut session, line, &mut out) {
            Ok(_) => {}
            Err(Error::Stopped) => said.push_str("stopped\n"),
            Err(error) => said.push_str(&error.to_string()),
        }
        said.push_str(&out.screen);
        said.push_str(&out.notes.join("\n"));
        said.push('\n');
    }
    said
}

/// A 64-bit variable of nt gets another value; what a command then says.
fn with_variable(original: &[u8], symbol: &str, value: u64, commands: &[&str]) -> String {
    let kernel = open("hostile.dmp", original.to_vec());
    let at = place(&kernel, kernel.symbol(symbol).unwrap());
    let mut bytes = original.to_vec();
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    play(bytes, commands)
}

#[test]
fn counts_that_lie_are_told() {
    let original = bytes(ARTICLE, Kind::BitmapKernel);
    let said = with_variable(
        original,
        "PoolTrackTableSize",
        1 << 60,
        &["!poolused 2 Leak"],
    );
    assert!(said.contains(" Leak       119   4991221760"), "{said}");
    assert!(
        said.contains("nt!PoolTrackTableSize is corrupt (1152921504606846976): nt!PoolTrackTableMask says 4097 entries"),
        "{said}"
    );
    let said = with_variable(
        original,
        "PoolBigPageTableSize",
        1 << 60,
        &["!bigpool Leak"],
    );
    assert_eq!(
        said,
        "nt!PoolBigPageTableSize is corrupt: 1152921504606846976 entries are more than any machine has\n\n"
    );
    let said = with_variable(
        original,
        "KeNumberProcessors",
        u64::MAX,
        &["!poolused 2 Leak"],
    );
    assert!(said.contains(" Leak       119   4991221760"), "{said}");
    let said = with_variable(original, "PoolTrackTable", 0x1000, &["!poolused 2"]);
    assert_eq!(
        said,
        "cannot read 00000000`00001000: not mapped (PXE is zero)\n\n"
    );
}

/// The second entry of the module list points at itself, then at nothing.
#[test]
fn lists_that_loop_end_and_keep_what_was_found() {
    let original = bytes(ARTICLE, Kind::BitmapKernel);
    let kernel = open("hostile.dmp", original.to_vec());
    let head = kernel.symbol("PsLoadedModuleList").unwrap();
    let first = kernel.space().read_virt(head).unwrap();
    let second = kernel.space().read_virt(first).unwrap();
    let at = place(&kernel, second);
    for (value, why) in [
        (second.0, "leads back into the list"),
        (0, "its Flink is zero"),
        (0x7000, "not mapped"),
    ] {
        let mut bytes = original.to_vec();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let kernel = open("hostile.dmp", bytes);
        assert_eq!(kernel.modules().len(), 2, "{:?}", kernel.notes());
        assert!(
            kernel.notes().iter().any(|note| note.contains(why)),
            "{:?}",
            kernel.notes()
        );
    }
}

#[test]
fn escape_codes_in_a_tag_stay_in_the_dump() {
    let original = bytes(ARTICLE, Kind::BitmapKernel);
    let kernel = open("hostile.dmp", original.to_vec());
    let table = kernel.global_virt("PoolTrackTable").unwrap();
    let layout = kernel
        .table()
        .unwrap()
        .udt("_POOL_TRACKER_TABLE")
        .unwrap()
        .size;
    let slot = (0..4097)
        .map(|slot| table + slot * layout)
        .find(|at| kernel.space().read_u32(*at).unwrap() == u32::from_le_bytes(*b"Leak"));
    let at = place(&kernel, slot.unwrap());
    let mut bytes = original.to_vec();
    bytes[at..at + 4].copy_from_slice(b"\x1b[2J");
    let said = play(bytes, &["!poolused 2"]);
    assert!(!said.contains('\x1b'));
    assert!(said.contains(" .[2J "), "{said}");
}

/// Numbers that are the same in every run.
/// A value that walks, sizes and pointers trip over.
fn nasty(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => u64::MAX,
        1 => random.number(),
        2 => 0xffff_f807_0000_0000 | random.number() >> 32,
        _ => 0,
    }
}

/// Random damage in the pages: nothing may panic or hang. Much of it takes the module list and with it nearly all answers;
/// a little reaches what lies behind.
#[test]
fn random_damage_ends_in_words() {
    let original = bytes(ARTICLE, Kind::BitmapKernel);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut answered = 0;
    for round in 0..12 {
        let mut bytes = original.to_vec();
        for _ in 0..[20, 80, 300, 2000][round % 4] {
            let at = (0x3000 + random.index(bytes.len() - 0x3008)) & !7;
            bytes[at..at + 8].copy_from_slice(&nasty(&mut random).to_le_bytes());
        }
        answered += usize::from(play(bytes, COMMANDS).contains("\nmyfault.sys: "));
    }
    assert!(answered >= 3, "only {answered} dumps had anything to say");
}

/// Damage in the images alone: headers, sections, imports, function tables, code.
#[test]
fn drivers_that_lie_name_nobody_else() {
    let original = bytes(ARTICLE, Kind::BitmapKernel);
    let kernel = open("hostile.dmp", original.to_vec());
    let mut pages = Vec::new();
    for module in kernel.modules() {
        for at in (0..module.size).step_by(0x1000) {
            if kernel.space().slice(module.base + at, 8).is_ok() {
                pages.push(place(&kernel, module.base + at));
            }
        }
    }
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut convicted = 0;
    for count in [1, 4, 16, 64] {
        let mut bytes = original.to_vec();
        for page in &pages {
            for _ in 0..count {
                let at = page + random.index(0xff8);
                let value = nasty(&mut random).to_le_bytes();
                let length = 1 + random.index(8);
                bytes[at..at + length].copy_from_slice(&value[..length]);
            }
        }
        let said = play(bytes, &["!poolowner Leak -v -all", "!poolowner *", "!leak"]);
        let named: Vec<&str> = said
            .lines()
            .filter(|line| line.contains(".sys: proven") || line.contains(".exe: proven"))
            .collect();
        assert!(
            named.iter().all(|line| line.starts_with("myfault.sys: ")),
            "{named:?}"
        );
        convicted += named.len();
    }
    assert!(convicted > 0, "the damage left nothing to be told");
}
