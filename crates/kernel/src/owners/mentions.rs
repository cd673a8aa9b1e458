//! Tags that stand in a module and reach no call that takes one: as the operand of an instruction, or as bytes.
//!
//! Measured over kernel drivers: a number that is moved into an argument register is a tag of the driver in 87 of 100 cases,
//! any other operand in 15 of 100, and bytes in data say nothing – one of ten well-known tags stands in a module by chance.

use super::account::plural;
use super::agents::Importers;
use super::gate::Hit;
use super::readings::{Origin, Reading};
use super::suspect::{Claim, Confidence, Explains, Instruction, LONGEST, Role, Suspect};
use crate::{Kernel, Module};
use iced_x86::{Code, Mnemonic, OpKind, Register};
use rkd_code::{Instruction as Decoded, Operation};
use rkd_dump::addr::Virt;
use rkd_pooltags::{Class, Machine, Site, TagImage, Verdict, api::Kind};

/// Functions longer than this are not decoded up to a mention.
const MAX_FUNCTION_BYTES: u32 = 0x10_0000;

/// The module as a suspect, if its mentions of the tag are worth showing.
pub(super) fn suspect(
    kernel: &Kernel,
    module: &Module,
    reading: &Reading,
    hits: &[&Hit],
    tag: u32,
    bytes_too: bool,
) -> Option<Suspect> {
    let image =
        TagImage::from_memory(&module.image_name, kernel.space(), module.base, &|_| None).ok()?;
    let allocates = match &reading.report {
        Ok(report) => !matches!(report.verdict, Verdict::NoInterface),
        Err(_) => false,
    };
    let mut claims: Vec<Claim> = hits
        .iter()
        .map(|hit| claim(&image, module, hit.rva, tag, allocates))
        .filter(|claim| bytes_too || claim.class < Class::E7)
        .collect();
    claims.sort_by_key(|claim| claim.class);
    let class = claims.first()?.class;
    let best = claims.iter().filter(|claim| claim.class == class).count();
    let times = plural(best, "time");
    let reason = match class {
        Class::E5 => format!(
            "it imports an interface of the pool and puts the tag into the register of an argument {times}, and no call was found that takes it"
        ),
        Class::E6 => format!(
            "the tag is an operand of its code {times}, and not where an argument is passed"
        ),
        _ => format!("the four bytes stand in it {times}; that happens by chance"),
    };
    Some(Suspect {
        module: module.clone(),
        arch: image.machine,
        class,
        confidence: Confidence::of(class, false),
        explains: Explains::Unknown,
        role: Role::Allocates,
        shared_with: Vec::new(),
        claims,
        reason,
        remarks: Vec::new(),
        exported: Vec::new(),
        importers: Importers::default(),
        origin: Origin::Dump,
    })
}

fn claim(image: &TagImage, module: &Module, rva: u32, tag: u32, allocates: bool) -> Claim {
    let (class, start) = match operand(image, rva) {
        Some((start, true)) if allocates => (Class::E5, start),
        Some((start, _)) => (Class::E6, start),
        None => (Class::E7, rva),
    };
    let section = image
        .section(rva)
        .map_or("the headers", |s| s.name.as_str());
    let note = match class {
        Class::E7 => format!("in {section}"),
        _ => String::new(),
    };
    Claim {
        class,
        proof: vec![Instruction {
            va: module.base + u64::from(start),
            bytes: image.slice(start, LONGEST).to_vec(),
            is_call: false,
            is_data: class == Class::E7,
        }],
        site: Site {
            call_rva: start,
            function_rva: image.piece(rva).map_or(start, |piece| piece.owner),
            constant_rvas: vec![start],
            api: "",
            kind: Kind::Mapping,
            tag: Some(tag),
            class: Some(class),
            pool: None,
            pool_kind: None,
            size: None,
            wrapper: None,
            exported: None,
            note,
            unresolved: None,
        },
    }
}

/// The instruction whose operand begins at `rva`, and whether it moves that into the register of an argument.
fn operand(image: &TagImage, rva: u32) -> Option<(u32, bool)> {
    if image.machine == Machine::Arm64 {
        return None;
    }
    if !image.is_code(rva) {
        return None;
    }
    match image.piece(rva) {
        Some(piece) if rva - piece.begin < MAX_FUNCTION_BYTES => {
            let bytes = image.slice(piece.begin, rva - piece.begin + LONGEST);
            let mut at = 0;
            while let Some(found) = bytes.get(at..).and_then(|rest| {
                let rva = u64::from(piece.begin) + at as u64;
                Decoded::decode(image.machine, Virt(rva), rest)
            }) {
                at += found.bytes().len().max(1);
                let begin = found.address.0 as u32;
                if piece.begin as usize + at <= rva as usize {
                    continue;
                }
                let Operation::Intel {
                    instruction,
                    fields,
                } = found.operation
                else {
                    return None;
                };
                let whole = fields.has_immediate() && fields.immediate_size() == 4;
                let is_it = whole && begin + fields.immediate_offset() as u32 == rva;
                return is_it.then(|| (begin, is_argument(&instruction)));
            }
            None
        }
        // A function without an entry in the table: only the plainest forms can be told from other bytes.
        _ => {
            let before = |count: u32| image.slice(rva.saturating_sub(count), count);
            match (image.machine, before(2), before(1)) {
                (Machine::X64, [0x41, 0xb8 | 0xb9], _) => Some((rva - 2, true)),
                (Machine::X64, _, [0xba]) | (Machine::X86, _, [0x68]) => Some((rva - 1, true)),
                _ => None,
            }
        }
    }
}

fn is_argument(instruction: &iced_x86::Instruction) -> bool {
    let target = instruction.op0_kind() == OpKind::Register
        && matches!(
            instruction.op0_register(),
            Register::EDX | Register::R8D | Register::R9D
        );
    match instruction.mnemonic() {
        Mnemonic::Mov => target,
        Mnemonic::Push => instruction.code() == Code::Pushd_imm32,
        _ => false,
    }
}
