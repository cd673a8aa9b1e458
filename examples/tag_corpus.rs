//! How often the tag reader convicts the innocent, and how many sites it resolves: the tables of `docs/tags.md`.
//!
//! `tests/golden/fetch --innocent` gets the drivers and hundreds of innocent PE files; then
//! `cargo run --release --example tag_corpus -- target/golden` counts.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use rayon::prelude::*;
use rkd_pooltags::{Class, Machine, Options, Report, TagImage, UNTAGGED, analyse};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// Tags of Windows that every investigation meets. Many are the beginnings of words, which is what makes a search for their
/// bytes worthless.
const KNOWN: &str = "Thre Proc File Even None Devi Sema Toke Pool Driv Key_ Irp_ MmSt MmCa CM31 CM25 NtfF NtFs Ntfx FMfn FMsl \
    ObNm ObSq ObDi SeTl SeAt AfdE AfdX TcpE UdpA Ipng Usbp HidU VadS Vad_ Wait Mdl_ LSwn Smb2 FIcs Fat_ EtwB EtwR WfpF NDnd ScPa \
    PcCr Whea IoNm Io__";
/// Tags that the makers of these drivers use, from their sources.
const MAKERS: [(&str, &[&str]); 3] = [
    ("wintun", &["wtun"]),
    ("wireguard", &["wgnt"]),
    ("WinDivert", &["WDiv"]),
];
const CLASSES: [Class; 7] = [
    Class::E1,
    Class::E2,
    Class::E3,
    Class::E4,
    Class::E5,
    Class::E6,
    Class::E7,
];

fn number(tag: &str) -> u32 {
    let mut bytes = [b' '; 4];
    for (to, from) in bytes.iter_mut().zip(tag.bytes()) {
        *to = if from == b'_' { b' ' } else { from };
    }
    u32::from_le_bytes(bytes)
}

/// Two hundred tags of letters and digits, always the same.
fn random_tags() -> Vec<u32> {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        letters[(state % letters.len() as u64) as usize]
    };
    (0..200)
        .map(|_| u32::from_le_bytes([letter(), letter(), letter(), letter()]))
        .collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// What one image says of each tag: the strongest class.
fn convictions(image: &TagImage, report: &Report, tags: &HashSet<u32>) -> BTreeMap<u32, Class> {
    let mut found: BTreeMap<u32, Class> = BTreeMap::new();
    let mut add = |tag: u32, class: Class| {
        let known = found.entry(tag).or_insert(class);
        *known = class.min(*known);
    };
    for site in &report.sites {
        if let (Some(tag), Some(class)) = (site.tag, site.class)
            && tags.contains(&tag)
        {
            add(tag, class);
        }
    }
    if !report.untagged.is_empty() && tags.contains(&UNTAGGED) {
        add(UNTAGGED, Class::E4);
    }
    // most pairs of bytes begin no tag: a look into a small table saves the search in the set
    let mut begins = vec![false; 1 << 16];
    tags.iter()
        .for_each(|tag| begins[(tag & 0xffff) as usize] = true);
    let allocates = !report.sites.is_empty() || !report.untagged.is_empty();
    for section in &image.sections {
        let bytes = image.slice(section.rva, section.size);
        for four in bytes.windows(4) {
            let value = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            if begins[(value & 0xffff) as usize] && tags.contains(&value) {
                add(value, Class::E7);
            }
        }
        if section.is_code() && image.machine != Machine::Arm64 {
            let bits = if image.machine == Machine::X64 {
                64
            } else {
                32
            };
            let mut decoder =
                Decoder::with_ip(bits, bytes, section.rva.into(), DecoderOptions::NONE);
            let mut instruction = Instruction::default();
            while decoder.can_decode() {
                decoder.decode_out(&mut instruction);
                let Some(value) = immediate(&instruction).filter(|v| tags.contains(v)) else {
                    continue;
                };
                add(
                    value,
                    if allocates && is_argument(&instruction) {
                        Class::E5
                    } else {
                        Class::E6
                    },
                );
            }
        }
    }
    found
}

fn immediate(instruction: &Instruction) -> Option<u32> {
    let of_four = |kind| matches!(kind, OpKind::Immediate32 | OpKind::Immediate32to64);
    let operand = (0..instruction.op_count()).find(|&i| of_four(instruction.op_kind(i)))?;
    Some(instruction.immediate(operand) as u32)
}

fn is_argument(instruction: &Instruction) -> bool {
    let registers = [Register::EDX, Register::R8D, Register::R9D];
    match instruction.mnemonic() {
        Mnemonic::Push => true,
        Mnemonic::Mov => registers.contains(&instruction.op0_register()),
        _ => false,
    }
}

fn innocence(paths: &[PathBuf], title: &str, tags: &[u32]) {
    let wanted: HashSet<u32> = tags.iter().copied().collect();
    let per_image: Vec<(PathBuf, BTreeMap<u32, Class>)> = paths
        .par_iter()
        .filter_map(|path| {
            let image = TagImage::open(path).ok()?;
            let report = analyse(&image, &Options::default());
            Some((path.clone(), convictions(&image, &report, &wanted)))
        })
        .collect();
    let pairs = per_image.len() * wanted.len();
    print!("| {title}, {} images, {pairs} pairs |", per_image.len());
    for class in CLASSES {
        let count: usize = per_image
            .iter()
            .map(|(_, c)| c.values().filter(|&&c| c == class).count())
            .sum();
        print!(
            " {count} ({:.4} %) |",
            100.0 * count as f64 / pairs.max(1) as f64
        );
    }
    println!();
    for (path, found) in &per_image {
        for (tag, class) in found.iter().filter(|(_, c)| **c <= Class::E4) {
            let text = rkd_pooltags::tag_text(*tag);
            eprintln!("{class:?} {text} {}", path.display());
        }
    }
}

#[derive(Default)]
struct Recall {
    drivers: usize,
    sites: usize,
    by_class: BTreeMap<Class, usize>,
    wrappers: usize,
    none: usize,
    unresolved: usize,
    references: u32,
    followed: u32,
}

fn recall(paths: &[PathBuf]) {
    let mut machines: BTreeMap<&str, Recall> = BTreeMap::new();
    let mut makers: BTreeMap<&str, (usize, usize, BTreeSet<u32>)> = BTreeMap::new();
    for path in paths {
        let Ok(image) = TagImage::open(path) else {
            continue;
        };
        let report = analyse(&image, &Options::default());
        if report.sites.is_empty() {
            continue;
        }
        let machine = machines.entry(report.machine.name()).or_default();
        machine.drivers += 1;
        machine.references += report.coverage.references;
        machine.followed += report.coverage.followed;
        for site in report.sites.iter().filter(|s| s.kind.allocates()) {
            machine.sites += 1;
            match (site.class, site.is_unresolved()) {
                (Some(class), _) => *machine.by_class.entry(class).or_default() += 1,
                (None, true) => machine.unresolved += 1,
                (None, false) if site.tag.is_some() => machine.none += 1,
                (None, false) => machine.wrappers += 1,
            }
        }
        let maker = MAKERS
            .iter()
            .find(|(name, _)| report.file.to_lowercase().starts_with(&name.to_lowercase()));
        if let Some((name, tags)) = maker {
            let (right, wrong, others) = makers.entry(name).or_default();
            for tag in report
                .sites
                .iter()
                .filter(|s| s.class.is_some())
                .filter_map(|s| s.tag)
                .filter(|&t| t != 0)
            {
                if tags.iter().any(|t| number(t) == tag) {
                    *right += 1;
                } else {
                    *wrong += 1;
                    others.insert(tag);
                }
            }
        }
    }
    println!(
        "| machine | drivers | references followed | alloc sites | E1 | E2 | E4 | wrapper bodies | tag 0 | unresolved | E1+E2 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (name, r) in &machines {
        let class = |c| r.by_class.get(&c).copied().unwrap_or(0);
        let proven = class(Class::E1) + class(Class::E2);
        println!(
            "| {name} | {} | {} of {} | {} | {} | {} | {} | {} | {} | {} | {:.1} % |",
            r.drivers,
            r.followed,
            r.references,
            r.sites,
            class(Class::E1),
            class(Class::E2),
            class(Class::E4),
            r.wrappers,
            r.none,
            r.unresolved,
            100.0 * proven as f64 / r.sites.max(1) as f64
        );
    }
    println!();
    for (name, (right, wrong, others)) in &makers {
        let others: Vec<String> = others.iter().map(|t| rkd_pooltags::tag_text(*t)).collect();
        println!(
            "{name}: {right} sites with the tag of its source, {wrong} with another {}",
            others.join(" ")
        );
    }
}

fn main() {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: tag_corpus FOLDER (that tests/golden/fetch --innocent has filled)");
        return;
    };
    let mut all = Vec::new();
    files(&folder, &mut all);
    let (innocent, drivers): (Vec<PathBuf>, Vec<PathBuf>) = all
        .into_iter()
        .partition(|path| path.components().any(|c| c.as_os_str() == "innocent"));
    // the same driver lies in several packages
    let mut seen = HashSet::new();
    let drivers: Vec<PathBuf> = drivers
        .into_iter()
        .filter(|path| seen.insert(path.parent().map(Path::to_path_buf)))
        .collect();
    println!("| innocent | E1 | E2 | E3 | E4 | E5 | E6 | E7 |\n|---|---|---|---|---|---|---|---|");
    let known: Vec<u32> = KNOWN.split_whitespace().map(number).collect();
    innocence(&innocent, "50 well-known tags", &known);
    innocence(&innocent, "200 random tags", &random_tags());
    println!();
    recall(&drivers);
}
