//! The instructions that prove a site, for a person to read: the one that holds the tag, and the one that calls.

use super::image::{Arch, TagImage};
use super::report::Site;
use iced_x86::{
    Decoder, DecoderOptions, Formatter as _, Instruction, MasmFormatter, SymbolResolver,
    SymbolResult,
};
use yaxpeax_arch::{Decoder as _, U8Reader};

/// The longest instruction of any machine.
const LONGEST: u32 = 15;
/// Columns of the mnemonic, as kd pads it.
const MNEMONIC: usize = 8;

/// An instruction, or a number in data, that proves something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Where it lies in the image.
    pub rva: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// It, in the machine's language.
    pub text: String,
}

impl TagImage {
    /// What proves a site, in the order of the image: the instructions (or the data) that hold the tag, then the call.
    pub fn proofs(&self, site: &Site) -> Vec<Proof> {
        let mut constants = site.constant_rvas.clone();
        constants.sort_unstable();
        constants.dedup();
        let holds = constants.into_iter().filter_map(|rva| match site.tag {
            // a table of contexts or a constant beside the code: the bytes are the tag
            Some(tag) if self.u32(rva) == Some(tag) => self.number(rva),
            _ if self.is_code(rva) => self.instruction(rva),
            _ => self.number(rva),
        });
        holds.chain(self.instruction(site.call_rva)).collect()
    }

    fn number(&self, rva: u32) -> Option<Proof> {
        let bytes: [u8; 4] = self.array(rva)?;
        Some(Proof {
            rva,
            bytes: bytes.to_vec(),
            text: format!(
                "{:MNEMONIC$}{}",
                "dd",
                masm_number(u32::from_le_bytes(bytes))
            ),
        })
    }

    /// The instruction that begins here; `None` where the bytes are missing or are none.
    pub fn instruction(&self, rva: u32) -> Option<Proof> {
        let bytes = self.slice(rva, LONGEST);
        let (length, text) = match self.arch {
            Arch::Arm64 => (4, arm64(bytes.get(..4)?)?),
            Arch::X64 => x86(self, 64, bytes, rva)?,
            Arch::X86 => x86(self, 32, bytes, rva)?,
        };
        Some(Proof {
            rva,
            bytes: bytes.get(..length)?.to_vec(),
            text,
        })
    }
}

fn masm_number(number: u32) -> String {
    let digits = format!("{number:X}");
    let zero = if digits.starts_with(|c: char| c.is_ascii_alphabetic()) {
        "0"
    } else {
        ""
    };
    format!("{zero}{digits}h")
}

fn x86(image: &TagImage, bits: u32, bytes: &[u8], rva: u32) -> Option<(usize, String)> {
    let address = image.base.wrapping_add(u64::from(rva));
    let instruction = Decoder::with_ip(bits, bytes, address, DecoderOptions::NONE).decode();
    if instruction.is_invalid() {
        return None;
    }
    let mut formatter = MasmFormatter::with_options(Some(Box::new(Names::of(image))), None);
    let options = formatter.options_mut();
    options.set_first_operand_char_index(MNEMONIC as u32);
    options.set_rip_relative_addresses(false);
    options.set_branch_leading_zeros(false);
    let mut text = String::new();
    formatter.format(&instruction, &mut text);
    Some((instruction.len(), text))
}

/// Names the slots of the import table.
struct Names {
    base: u64,
    slots: Vec<(u32, String)>,
}

impl Names {
    fn of(image: &TagImage) -> Names {
        let slots = image
            .imports
            .iter()
            .map(|i| (i.slot, format!("_imp_{}", i.name)));
        Names {
            base: image.base,
            slots: slots.collect(),
        }
    }
}

impl SymbolResolver for Names {
    fn symbol(
        &mut self,
        _instruction: &Instruction,
        _operand: u32,
        _instruction_operand: Option<u32>,
        address: u64,
        _address_size: u32,
    ) -> Option<SymbolResult<'_>> {
        let rva = u32::try_from(address.checked_sub(self.base)?).ok()?;
        let at = self
            .slots
            .binary_search_by_key(&rva, |(slot, _)| *slot)
            .ok()?;
        let (_, name) = self.slots.get(at)?;
        Some(SymbolResult::with_str(address, name))
    }
}

fn arm64(word: &[u8]) -> Option<String> {
    let mut reader = U8Reader::new(word);
    let instruction = yaxpeax_arm::armv8::a64::InstDecoder::default()
        .decode(&mut reader)
        .ok()?;
    let text = instruction.to_string();
    Some(match text.split_once(' ') {
        Some((mnemonic, operands)) => format!(
            "{mnemonic:MNEMONIC$}{}",
            operands.trim_start().replace(", ", ",")
        ),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_masm_writes_them() {
        assert_eq!(masm_number(0x6b61_654c), "6B61654Ch");
        assert_eq!(masm_number(0xa000_0000), "0A0000000h");
    }

    #[test]
    fn arm64_looks_like_the_rest() {
        // movk w21, #0x6e75, lsl #16
        assert_eq!(
            arm64(&[0xb5, 0xce, 0xad, 0x72]).unwrap(),
            "movk    w21,#0x6e75,lsl #16"
        );
        assert_eq!(arm64(&[0xc0, 0x03, 0x5f, 0xd6]).unwrap(), "ret");
    }
}
