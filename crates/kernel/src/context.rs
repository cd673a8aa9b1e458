//! The registers of a processor, as Windows saves them in a `CONTEXT` record, which is another one on each kind of processor.

use super::Kernel;
use rkd_code::Machine;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};

/// Bytes of a `CONTEXT` record up to the floating point state (winnt.h), on x64 and on ARM64.
const NEEDED_X64: usize = 0x100;
const NEEDED_ARM64: usize = 0x110;

/// The whole registers in the order in which kd prints them, with their offsets in `CONTEXT` (winnt.h).
const WHOLE: [(&str, usize); 17] = [
    ("rax", 0x78),
    ("rbx", 0x90),
    ("rcx", 0x80),
    ("rdx", 0x88),
    ("rsi", 0xa8),
    ("rdi", 0xb0),
    ("rip", 0xf8),
    ("rsp", 0x98),
    ("rbp", 0xa0),
    ("r8", 0xb8),
    ("r9", 0xc0),
    ("r10", 0xc8),
    ("r11", 0xd0),
    ("r12", 0xd8),
    ("r13", 0xe0),
    ("r14", 0xe8),
    ("r15", 0xf0),
];

/// The same on ARM64, where x29 is fp and x30 is lr.
const WHOLE_ARM64: [(&str, usize); 33] = [
    ("x0", 0x08),
    ("x1", 0x10),
    ("x2", 0x18),
    ("x3", 0x20),
    ("x4", 0x28),
    ("x5", 0x30),
    ("x6", 0x38),
    ("x7", 0x40),
    ("x8", 0x48),
    ("x9", 0x50),
    ("x10", 0x58),
    ("x11", 0x60),
    ("x12", 0x68),
    ("x13", 0x70),
    ("x14", 0x78),
    ("x15", 0x80),
    ("x16", 0x88),
    ("x17", 0x90),
    ("x18", 0x98),
    ("x19", 0xa0),
    ("x20", 0xa8),
    ("x21", 0xb0),
    ("x22", 0xb8),
    ("x23", 0xc0),
    ("x24", 0xc8),
    ("x25", 0xd0),
    ("x26", 0xd8),
    ("x27", 0xe0),
    ("x28", 0xe8),
    ("fp", 0xf0),
    ("lr", 0xf8),
    ("sp", 0x100),
    ("pc", 0x108),
];

/// Where ARM64's `CONTEXT` has the flags (`Cpsr`).
const PSR: usize = 4;

/// Registers of other widths: name, offset, bytes.
const OTHERS: [(&str, usize, usize); 15] = [
    ("efl", 0x44, 4),
    ("mxcsr", 0x34, 4),
    ("cs", 0x38, 2),
    ("ds", 0x3a, 2),
    ("es", 0x3c, 2),
    ("fs", 0x3e, 2),
    ("gs", 0x40, 2),
    ("ss", 0x42, 2),
    ("dr0", 0x48, 8),
    ("dr1", 0x50, 8),
    ("dr2", 0x58, 8),
    ("dr3", 0x60, 8),
    ("dr6", 0x68, 8),
    ("dr7", 0x70, 8),
    ("eflags", 0x44, 4),
];

/// The flags by their names, with their bits in `EFlags`.
const FLAGS: [(&str, u32); 8] = [
    ("cf", 0),
    ("pf", 2),
    ("af", 4),
    ("zf", 6),
    ("sf", 7),
    ("if", 9),
    ("df", 10),
    ("of", 11),
];

/// A processor's registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    machine: Machine,
    bytes: Vec<u8>,
}

impl Context {
    /// Takes the bytes of a `CONTEXT` record; `None` when there are too few, when they are a dump header's filler, and for
    /// processors whose record is not known.
    pub fn parse(machine: Machine, bytes: &[u8]) -> Option<Context> {
        let whole = bytes.get(..needed(machine)?)?;
        let filler = whole.chunks_exact(4).all(|word| word == b"PAGE");
        (!filler).then(|| Context {
            machine,
            bytes: whole.to_vec(),
        })
    }

    /// The kind of processor.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// The whole registers with their values, in the order in which kd prints them.
    pub fn whole(&self) -> impl Iterator<Item = (&'static str, u64)> {
        whole(self.machine)
            .iter()
            .map(|(name, offset)| (*name, self.number(*offset, 8)))
    }

    /// The instruction that the processor stands before.
    pub fn instruction(&self) -> Virt {
        self.address("rip", "pc")
    }

    /// The stack pointer.
    pub fn stack_pointer(&self) -> Virt {
        self.address("rsp", "sp")
    }

    /// Where a function leaves its value.
    pub fn returned(&self) -> u64 {
        self.address("rax", "x0").0
    }

    fn address(&self, x64: &str, arm64: &str) -> Virt {
        let name = match self.machine {
            Machine::Arm64 => arm64,
            Machine::X64 | Machine::X86 => x64,
        };
        Virt(self.get(name).unwrap_or(0))
    }

    /// The value of a register by its name in lower case, parts (`eax`, `r8d`, `al`, `ah`; `w0` on ARM64) and flags (`zf`)
    /// included; `None` for a name that is none.
    pub fn get(&self, name: &str) -> Option<u64> {
        if let Some((_, offset)) = whole(self.machine).iter().find(|(whole, _)| *whole == name) {
            return Some(self.number(*offset, 8));
        }
        match self.machine {
            Machine::Arm64 => self.get_arm64(name),
            Machine::X64 | Machine::X86 => self.get_x64(name),
        }
    }

    fn get_arm64(&self, name: &str) -> Option<u64> {
        match name {
            "x29" => self.get("fp"),
            "x30" => self.get("lr"),
            "psr" | "cpsr" => Some(self.number(PSR, 4)),
            name => {
                let number = name.strip_prefix('w')?;
                self.get(&format!("x{number}"))
                    .map(|value| value & 0xffff_ffff)
            }
        }
    }

    fn get_x64(&self, name: &str) -> Option<u64> {
        if let Some((_, offset, bytes)) = OTHERS.iter().find(|(other, _, _)| *other == name) {
            return Some(self.number(*offset, *bytes));
        }
        if let Some((_, bit)) = FLAGS.iter().find(|(flag, _)| *flag == name) {
            return Some(self.number(0x44, 4) >> bit & 1);
        }
        if name == "iopl" {
            return Some(self.number(0x44, 4) >> 12 & 3);
        }
        let (whole, shift, mask) = part(name)?;
        Some(self.get(&whole)? >> shift & mask)
    }

    /// Whether a name in lower case is a register's of such a processor, whatever its value.
    pub fn is_register(machine: Machine, name: &str) -> bool {
        let blank = needed(machine).map(|length| Context {
            machine,
            bytes: vec![0; length],
        });
        blank.is_some_and(|context| context.get(name).is_some())
    }

    fn number(&self, offset: usize, bytes: usize) -> u64 {
        let bytes = self.bytes.get(offset..offset + bytes).unwrap_or_default();
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

/// Bytes that must be there of a record; `None` where it is not known.
fn needed(machine: Machine) -> Option<usize> {
    match machine {
        Machine::X64 => Some(NEEDED_X64),
        Machine::Arm64 => Some(NEEDED_ARM64),
        Machine::X86 => None,
    }
}

fn whole(machine: Machine) -> &'static [(&'static str, usize)] {
    match machine {
        Machine::X64 => &WHOLE,
        Machine::Arm64 => &WHOLE_ARM64,
        Machine::X86 => &[],
    }
}

/// The whole register that a name is a part of, how far it lies from bit 0, and its mask.
fn part(name: &str) -> Option<(String, u32, u64)> {
    const LETTERS: [&str; 4] = ["a", "b", "c", "d"];
    const POINTERS: [&str; 5] = ["si", "di", "sp", "bp", "ip"];
    if let Some(wide) = name.strip_prefix('e') {
        let known = POINTERS.contains(&wide)
            || wide
                .strip_suffix('x')
                .is_some_and(|letter| LETTERS.contains(&letter));
        return known.then(|| (format!("r{wide}"), 0, 0xffff_ffff));
    }
    if let Some(digits) = name.strip_prefix('r') {
        let number = digits.trim_end_matches(['d', 'w', 'b']);
        let mask = match digits.strip_prefix(number)? {
            "d" => 0xffff_ffff,
            "w" => 0xffff,
            "b" => 0xff,
            _ => return None,
        };
        return Some((format!("r{number}"), 0, mask));
    }
    if let Some(pointer) = name
        .strip_suffix('l')
        .filter(|pointer| POINTERS[..4].contains(pointer))
    {
        return Some((format!("r{pointer}"), 0, 0xff));
    }
    if POINTERS.contains(&name) {
        return Some((format!("r{name}"), 0, 0xffff));
    }
    let (letter, kind) = name.split_at_checked(1)?;
    if !LETTERS.contains(&letter) {
        return None;
    }
    match kind {
        "x" => Some((format!("r{letter}x"), 0, 0xffff)),
        "l" => Some((format!("r{letter}x"), 0, 0xff)),
        "h" => Some((format!("r{letter}x"), 8, 0xff)),
        _ => None,
    }
}

impl Kernel {
    /// The registers of a processor: those that the dump has of the one that wrote it, and for the others what they saved in
    /// their control blocks when they were stopped.
    ///
    /// # Errors
    /// Why they cannot be had: an image of memory alone, whose processors were not stopped; a processor that is not there,
    /// missing symbols, a fault.
    pub fn context(&self, processor: u32) -> Result<Context> {
        let written = self.written_context()?;
        if let Some(context) = written.filter(|_| processor == self.current_processor()) {
            return Ok(context);
        }
        self.context_at(self.saved_context(processor)?)
            .map_err(|why| match why {
                Error::NotInDump(_) => {
                    Error::NotInDump(format!("processor {processor} saved no registers"))
                }
                why => why,
            })
    }

    /// The registers that the dump itself has, if any: those of the processor that wrote it.
    ///
    /// # Errors
    /// An image of memory alone.
    pub(crate) fn written_context(&self) -> Result<Option<Context>> {
        let bytes = self.crash()?.context.as_deref();
        Ok(bytes.and_then(|bytes| Context::parse(self.code_machine(), bytes)))
    }

    /// Where a processor saved its registers when it was stopped.
    ///
    /// # Errors
    /// A processor that is not there, missing symbols, a fault.
    pub(crate) fn saved_context(&self, processor: u32) -> Result<Virt> {
        let prcb = self.processor_block(processor)?;
        // ContextFrame lies in the block up to Windows 7; later a pointer leads to a record that has room for AVX state.
        match self
            .debugger_data()
            .and_then(|block| block.u16(0x338))
            .filter(|offset| *offset != 0)
        {
            Some(offset) => Ok(self.space().read_virt(prcb + u64::from(offset))?),
            None => self.field_address(prcb, "_KPRCB", "ProcessorState.ContextFrame"),
        }
    }

    /// The `CONTEXT` record at an address.
    ///
    /// # Errors
    /// A fault, or a processor whose record is not known.
    pub fn context_at(&self, at: Virt) -> Result<Context> {
        let machine = self.code_machine();
        let length = needed(machine).ok_or_else(|| {
            Error::NotSupported(format!("registers of {} are not read", machine.name()))
        })?;
        let mut bytes = vec![0; length];
        self.space().read(at, &mut bytes)?;
        Context::parse(machine, &bytes)
            .ok_or_else(|| Error::NotInDump(format!("there is no context record at {at}")))
    }

    /// The address of a processor's control block (`_KPRCB`).
    ///
    /// # Errors
    /// A processor that is not there, missing symbols, a fault.
    pub fn processor_block(&self, processor: u32) -> Result<Virt> {
        if processor >= self.processors() {
            return Err(Error::NotFound(format!(
                "there is no processor {processor}: this machine has {}",
                self.processors()
            )));
        }
        let block = self
            .space()
            .read_virt(self.symbol("KiProcessorBlock")? + u64::from(processor) * 8)?;
        if block.is_kernel() {
            Ok(block)
        } else {
            Err(Error::NotInDump(format!(
                "processor {processor} has no control block"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record whose every byte is its own offset, so that each register's value says where it was read.
    fn offsets() -> Context {
        Context::parse(Machine::X64, &(0..=255u8).collect::<Vec<_>>()).expect("long enough")
    }

    #[test]
    fn registers_and_their_parts() {
        let context = offsets();
        for (name, value) in [
            ("rax", 0x7f7e_7d7c_7b7a_7978u64),
            ("rip", 0xfffe_fdfc_fbfa_f9f8),
            ("r15", 0xf7f6_f5f4_f3f2_f1f0),
            ("eax", 0x7b7a_7978),
            ("ax", 0x7978),
            ("al", 0x78),
            ("ah", 0x79),
            ("esi", 0xabaa_a9a8),
            ("si", 0xa9a8),
            ("sil", 0xa8),
            ("eip", 0xfbfa_f9f8),
            ("r8d", 0xbbba_b9b8),
            ("r8w", 0xb9b8),
            ("r8b", 0xb8),
            ("r10b", 0xc8),
            ("efl", 0x4746_4544),
            ("cs", 0x3938),
            ("ss", 0x4342),
            ("gs", 0x4140),
            ("dr7", 0x7776_7574_7372_7170),
            ("cf", 0),
            ("pf", 1),
            ("zf", 1),
            ("iopl", 0),
        ] {
            assert_eq!(context.get(name), Some(value), "{name}");
        }
        for name in [
            "", "rzx", "ex", "eex", "r16x", "r8x", "r", "rd", "xl", "zz", "ipl", "é",
        ] {
            assert_eq!(context.get(name), None, "{name}");
        }
    }

    #[test]
    fn filler_is_no_context() {
        assert_eq!(Context::parse(Machine::X64, &b"PAGE".repeat(64)), None);
        assert_eq!(Context::parse(Machine::X64, &[0; 0xff]), None);
        assert!(Context::parse(Machine::X64, &[0; 0x100]).is_some());
        assert_eq!(Context::parse(Machine::Arm64, &[0; 0x10f]), None);
        assert_eq!(Context::parse(Machine::X86, &[0; 0x400]), None);
    }

    #[test]
    fn registers_of_arm64() {
        let bytes: Vec<u8> = (0..0x110u32).map(|n| n as u8).collect();
        let context = Context::parse(Machine::Arm64, &bytes).expect("long enough");
        for (name, value) in [
            ("x0", 0x0f0e_0d0c_0b0a_0908u64),
            ("w0", 0x0b0a_0908),
            ("x28", 0xefee_edec_ebea_e9e8),
            ("fp", 0xf7f6_f5f4_f3f2_f1f0),
            ("x29", 0xf7f6_f5f4_f3f2_f1f0),
            ("lr", 0xfffe_fdfc_fbfa_f9f8),
            ("sp", 0x0706_0504_0302_0100),
            ("pc", 0x0f0e_0d0c_0b0a_0908),
            ("psr", 0x0706_0504),
        ] {
            assert_eq!(context.get(name), Some(value), "{name}");
        }
        for name in ["rip", "eax", "x31", "w", "x", "zf"] {
            assert_eq!(context.get(name), None, "{name}");
        }
    }
}
