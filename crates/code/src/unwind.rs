//! Unwinding on x64: from the registers inside a function to those of its caller, by the data that every image carries for it
//! (`.pdata` and `UNWIND_INFO`, <https://learn.microsoft.com/cpp/build/exception-handling-x64>).

mod epilog;
mod forward;
mod info;
mod pdata;

pub use forward::run as by_code;
pub use info::UnwindInfo;
pub use pdata::{FunctionTable, RuntimeFunction};

use info::{Operation, UnwindCode};
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::{Error, Fault, Result};

/// How many records may be chained to each other; Windows stops at 32.
const MAX_CHAIN: usize = 32;

/// Where the image and the stack are read.
pub trait Memory {
    /// Fills `into`.
    ///
    /// # Errors
    /// The first address that cannot be read.
    fn read(&self, at: Virt, into: &mut [u8]) -> Result<(), Fault>;
}

/// The registers that matter for unwinding, by their numbers in instructions (0 is rax, 4 rsp, 5 rbp).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The instruction.
    pub rip: Virt,
    /// The general registers. After the first step only the non-volatile ones still hold what they held in that function.
    pub general: [u64; 16],
}

/// The number of rsp.
const RSP: usize = 4;

impl Registers {
    /// The stack pointer.
    pub fn rsp(&self) -> Virt {
        Virt(self.general[RSP])
    }

    fn set_rsp(&mut self, to: Virt) {
        self.general[RSP] = to.0;
    }

    fn get(&self, number: u8) -> Virt {
        Virt(self.general[usize::from(number & 15)])
    }

    fn set(&mut self, number: u8, to: u64) {
        self.general[usize::from(number & 15)] = to;
    }
}

/// How the caller was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The function has no unwind data, and so has moved nothing: the return address lies on top of the stack.
    Leaf,
    /// It is about to begin, and the return address lies on top of the stack.
    Entry,
    /// By its unwind data.
    Unwound,
    /// By what is left of its epilogue.
    Epilogue,
    /// By following its code to its end, because its unwind data is not there.
    Code,
    /// By the chain of frame records, which ARM64's functions keep.
    Chain,
    /// Nobody called it: the processor interrupted something, and pushed its rip and rsp to the frame at this address.
    Interrupt(Virt),
}

impl Memory for rkd_dump::memory::AddressSpace {
    fn read(&self, at: Virt, into: &mut [u8]) -> Result<(), Fault> {
        rkd_dump::memory::AddressSpace::read(self, at, into)
    }
}

fn u64_at(memory: &dyn Memory, at: Virt) -> Result<u64> {
    let mut bytes = [0; 8];
    memory.read(at, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Pops the return address.
///
/// # Errors
/// A stack that cannot be read.
pub fn leaf(memory: &dyn Memory, registers: &mut Registers) -> Result<How> {
    let rsp = registers.rsp();
    registers.rip = Virt(u64_at(memory, rsp)?);
    registers.set_rsp(rsp + 8);
    Ok(How::Leaf)
}

/// Goes from the function, which belongs to the image at `base`, to its caller. `belongs` says whether an address is in another
/// piece of the same function: a jump there does not leave it.
///
/// # Errors
/// [`Error::Fault`] for unwind data or a stack that cannot be read, [`Error::Corrupt`] for unwind data that contradicts itself.
pub fn step(
    memory: &dyn Memory,
    base: Virt,
    function: RuntimeFunction,
    belongs: &dyn Fn(Virt) -> bool,
    registers: &mut Registers,
) -> Result<How> {
    let mut info = UnwindInfo::read(memory, base, function.unwind)?;
    let offset = (registers.rip - base).wrapping_sub(u64::from(function.begin.0));
    let is_behind_prologue = offset >= u64::from(info.prologue);
    let leaves = |to: Virt| {
        let inside = u32::try_from(to - base).is_ok_and(|to| function.contains(Rva(to)));
        !(inside && to != base + function.begin || belongs(to))
    };
    if is_behind_prologue && epilog::run(memory, &leaves, &info, registers)? {
        return Ok(How::Epilogue);
    }
    let mut passed = if is_behind_prologue { u64::MAX } else { offset };
    // Where saved registers are counted from.
    let sets_frame = |code: &UnwindCode| {
        code.operation == Operation::SetFrame && u64::from(code.offset) <= passed
    };
    let has_frame = info.frame.is_some_and(|_| {
        passed == u64::MAX || info.chained.is_some() || info.codes.iter().any(sets_frame)
    });
    let frame = match info.frame {
        Some((register, distance)) if has_frame => registers.get(register) - u64::from(distance),
        _ => registers.rsp(),
    };
    for _ in 0..MAX_CHAIN {
        for code in info
            .codes
            .iter()
            .filter(|code| u64::from(code.offset) <= passed)
        {
            if let Some(how) = undo(memory, code, &info, frame, registers)? {
                return Ok(how);
            }
        }
        match info.chained {
            None => {
                leaf(memory, registers)?;
                return Ok(How::Unwound);
            }
            Some(next) => {
                info = UnwindInfo::read(memory, base, next.unwind)?;
                passed = u64::MAX;
            }
        }
    }
    Err(Error::Corrupt {
        what: format!("the unwind data at {}", base + function.unwind),
        why: format!("more than {MAX_CHAIN} records are chained to each other"),
    })
}

/// Takes back what one instruction of a prologue did.
fn undo(
    memory: &dyn Memory,
    code: &UnwindCode,
    info: &UnwindInfo,
    frame: Virt,
    registers: &mut Registers,
) -> Result<Option<How>> {
    match code.operation {
        Operation::Push(register) => {
            let rsp = registers.rsp();
            let value = u64_at(memory, rsp)?;
            registers.set(register, value);
            // What rsp itself was pushed as does not count: the pop moves it.
            registers.set_rsp(rsp + 8);
        }
        Operation::Allocate(bytes) => registers.set_rsp(registers.rsp() + u64::from(bytes)),
        Operation::SetFrame => {
            if let Some((register, distance)) = info.frame {
                registers.set_rsp(registers.get(register) - u64::from(distance));
            }
        }
        Operation::Save(register, at) => {
            let value = u64_at(memory, frame + u64::from(at))?;
            registers.set(register, value);
        }
        Operation::MachineFrame { has_error_code } => {
            let at = registers.rsp() + if has_error_code { 8 } else { 0 };
            registers.rip = Virt(u64_at(memory, at)?);
            registers.set_rsp(Virt(u64_at(memory, at + 24)?));
            return Ok(Some(How::Interrupt(at)));
        }
        // Floating point registers do not matter here, and epilogues are found by their instructions.
        Operation::SaveXmm | Operation::Epilogue => {}
    }
    Ok(None)
}
