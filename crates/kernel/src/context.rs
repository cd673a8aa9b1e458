//! The registers of a processor, as Windows saves them in an x64 `CONTEXT` record, and what a processor was running.

use super::Kernel;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};

/// Bytes of a `CONTEXT` record up to and including `Rip` (winnt.h); floating point state follows.
const NEEDED: usize = 0x100;

/// The whole registers in the order in which kd prints them, with their offsets in `CONTEXT` (winnt.h).
pub const WHOLE: [(&str, usize); 17] = [
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
pub struct Context(Vec<u8>);

impl Context {
    /// Takes the bytes of a `CONTEXT` record; `None` when there are too few, or when they are a dump header's filler.
    pub fn parse(bytes: &[u8]) -> Option<Context> {
        let whole = bytes.get(..NEEDED)?;
        let filler = whole.chunks_exact(4).all(|word| word == b"PAGE");
        (!filler).then(|| Context(whole.to_vec()))
    }

    /// The value of a register by its name in lower case, parts (`eax`, `r8d`, `al`, `ah`) and flags (`zf`) included;
    /// `None` for a name that is none.
    pub fn get(&self, name: &str) -> Option<u64> {
        if let Some((_, offset)) = WHOLE.iter().find(|(whole, _)| *whole == name) {
            return Some(self.number(*offset, 8));
        }
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

    /// Whether a name in lower case is a register's, whatever its value.
    pub fn is_register(name: &str) -> bool {
        Context(vec![0; NEEDED]).get(name).is_some()
    }

    fn number(&self, offset: usize, bytes: usize) -> u64 {
        let bytes = self.0.get(offset..offset + bytes).unwrap_or_default();
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
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
        let saved = self.crash()?.context.as_deref().and_then(Context::parse);
        if let Some(context) = saved.filter(|_| processor == self.current_processor()) {
            return Ok(context);
        }
        let prcb = self.processor_block(processor)?;
        // ContextFrame lies in the block up to Windows 7; later a pointer leads to a record that has room for AVX state.
        let at = match self
            .debugger_data()
            .and_then(|block| block.u16(0x338))
            .filter(|offset| *offset != 0)
        {
            Some(offset) => self.space().read_virt(prcb + u64::from(offset))?,
            None => self.field_address(prcb, "_KPRCB", "ProcessorState.ContextFrame")?,
        };
        let mut bytes = [0; NEEDED];
        self.space().read(at, &mut bytes)?;
        Context::parse(&bytes)
            .ok_or_else(|| Error::NotInDump(format!("processor {processor} saved no registers")))
    }

    /// The `CONTEXT` record at an address.
    ///
    /// # Errors
    /// A fault.
    pub fn context_at(&self, at: Virt) -> Result<Context> {
        let mut bytes = [0; NEEDED];
        self.space().read(at, &mut bytes)?;
        Context::parse(&bytes)
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

    /// The thread (`_KTHREAD`) that a processor was running.
    ///
    /// # Errors
    /// Those of [`Kernel::processor_block`] and of reading its fields.
    pub fn current_thread(&self, processor: u32) -> Result<Virt> {
        self.field_u64(self.processor_block(processor)?, "_KPRCB", "CurrentThread")
            .map(Virt)
    }

    /// The process (`_KPROCESS`) whose address space a processor was in.
    ///
    /// # Errors
    /// Those of [`Kernel::current_thread`] and of reading its fields.
    pub fn current_process(&self, processor: u32) -> Result<Virt> {
        self.field_u64(
            self.current_thread(processor)?,
            "_KTHREAD",
            "ApcState.Process",
        )
        .map(Virt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record whose every byte is its own offset, so that each register's value says where it was read.
    fn offsets() -> Context {
        Context::parse(&(0..=255u8).collect::<Vec<_>>()).expect("long enough")
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
        assert_eq!(Context::parse(&b"PAGE".repeat(64)), None);
        assert_eq!(Context::parse(&[0; 0xff]), None);
        assert!(Context::parse(&[0; 0x100]).is_some());
    }
}
