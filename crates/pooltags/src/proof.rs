//! The instructions that prove a site, for a person to read: the one that holds the tag, and the one that calls.

use super::image::TagImage;
use super::report::Site;
use rkd_code::Instruction;
use rkd_dump::addr::Virt;

/// An instruction, or a number in data, that proves something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Where it lies in the image.
    pub rva: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// It, in kd's look; calls through the import table are named.
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
        let digits = format!("{:08X}h", u32::from_le_bytes(bytes));
        Some(Proof {
            rva,
            bytes: bytes.to_vec(),
            text: self.machine.aligned("dd", &digits),
        })
    }

    fn va(&self, rva: u32) -> Virt {
        Virt(self.base.wrapping_add(u64::from(rva)))
    }

    /// The instruction that begins here; `None` where the bytes are missing or are none.
    fn instruction(&self, rva: u32) -> Option<Proof> {
        let bytes = self.slice(rva, self.machine.longest() as u32);
        let instruction = Instruction::decode(self.machine, self.va(rva), bytes)?;
        let name = |va: Virt| {
            let slot = self.import(self.rva_of(va.0)?)?;
            Some(format!("_imp_{}", slot.name))
        };
        (!instruction.is_invalid()).then(|| Proof {
            rva,
            text: instruction.disassemble(&name).text(),
            bytes: instruction.bytes().to_vec(),
        })
    }
}
