//! The calls on a stack, by the unwind data of the images they are in.

mod chain;

use super::Kernel;
use super::context::Context;
use rkd_code::Flow;
use rkd_code::Machine;
use rkd_code::unwind::{self, How, Registers};
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_dump::error::{Error, Result};

/// More frames than the largest kernel stack has room for.
pub const MAX_FRAMES: usize = 4096;

/// Bytes of the longest call: `call qword ptr gs:[rax*8+disp32]`, with prefixes.
const LONGEST_CALL: u64 = 9;

/// Where in a trap frame (`_KTRAP_FRAME`) the processor pushes rip: the same since the first x64 Windows.
const RIP_IN_TRAP_FRAME: u64 = 0x168;

/// The general registers by their numbers in instructions.
const GENERAL: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

/// The registers that pass the first four arguments, by their numbers.
const RCX: usize = 1;
const RDX: usize = 2;
const R8: usize = 8;
const R9: usize = 9;

/// A call that has not returned.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The stack pointer in the function.
    pub stack: Virt,
    /// The instruction: the current one, or the one behind a call.
    pub at: Virt,
    /// Where it returns to: 0 where the stack ends, `None` where nothing in the dump says so.
    pub ret: Option<Virt>,
    /// What lies in the places that a function may keep its first four arguments in; nothing forces it to.
    pub arguments: [Option<u64>; 4],
    /// How the caller was found; `None` when it was not.
    pub how: Option<How>,
    /// The trap frame, if the function was entered by an exception or interrupt.
    pub trap: Option<Virt>,
}

/// The calls on a stack.
#[derive(Debug)]
pub struct Stack {
    /// The innermost call first.
    pub frames: Vec<Frame>,
    /// Why there are no more, when the stack did not simply end.
    pub stopped: Option<Error>,
}

impl Context {
    /// What unwinding on x64 needs of the registers.
    pub fn unwind_registers(&self) -> Registers {
        Registers {
            rip: Virt(self.get("rip").unwrap_or(0)),
            general: GENERAL.map(|name| self.get(name).unwrap_or(0)),
        }
    }
}

impl Kernel {
    /// The calls on the stack of a processor with these registers, the innermost first, `most` of them at the most.
    pub fn calls(&self, context: &Context, most: usize) -> Stack {
        match context.machine() {
            Machine::Arm64 => self.frame_chain(context, most),
            Machine::X64 | Machine::X86 => self.stack(context.unwind_registers(), most),
        }
    }

    /// The calls on the stack, from these registers outwards, `most` of them at the most.
    pub fn stack(&self, registers: Registers, most: usize) -> Stack {
        let mut registers = registers;
        let mut frames = Vec::new();
        let stopped = loop {
            if registers.rip == Virt(0) || frames.len() >= most.min(MAX_FRAMES) {
                break None;
            }
            let (stack, at) = (registers.rsp(), registers.rip);
            let outcome = self.unwind(&mut registers, frames.is_empty());
            let how = outcome.as_ref().ok().copied();
            let trap = match outcome {
                Ok(How::Interrupt(rip)) => Some(rip - RIP_IN_TRAP_FRAME),
                _ => None,
            };
            let found = outcome.is_ok();
            let argument = |n: u64| self.space.read_u64(registers.rsp() + n * 8).ok();
            frames.push(Frame {
                stack,
                at,
                ret: found.then_some(registers.rip),
                arguments: if found {
                    [0, 1, 2, 3].map(argument)
                } else {
                    [None; 4]
                },
                how,
                trap,
            });
            if let Err(why) = outcome {
                // Nobody knows the stacks of user mode from a dump of the kernel, and there the kernel's calls end.
                break at.is_kernel().then_some(why);
            }
            // Stacks grow downwards, so callers lie higher; only an interrupt may have come from another stack.
            if registers.rsp() <= stack && trap.is_none() || registers.rsp() == stack {
                break Some(Error::Corrupt {
                    what: format!("the stack at {stack}"),
                    why: format!(
                        "the caller's frame at {} does not lie above",
                        registers.rsp()
                    ),
                });
            }
            if !registers.rip.is_kernel() && !at.is_kernel() {
                break None;
            }
        };
        Stack { frames, stopped }
    }

    /// One step outwards.
    fn unwind(&self, registers: &mut Registers, is_first: bool) -> Result<How> {
        let at = registers.rip;
        let Some(module) = self.module_at(at) else {
            // A call through a bad pointer ends here with the caller's address on top of the stack. Further out it is nonsense.
            return match is_first || !at.is_kernel() {
                true => unwind::leaf(&self.space, registers),
                false => Err(Error::NotFound(format!("{at} lies in no module"))),
            };
        };
        let by_data = match self.function_entry(module, at) {
            Ok(None) => return unwind::leaf(&self.space, registers),
            Ok(Some(function)) => {
                let whole = |piece| self.first_piece(module, piece).ok();
                let own = whole(function);
                let belongs = |to: Virt| {
                    let piece = self.function_entry(module, to).ok().flatten();
                    own.is_some() && piece.and_then(whole) == own
                };
                unwind::step(&self.space, module.base, function, &belongs, registers)
            }
            Err(why) => Err(missing(why, &module.name)),
        };
        by_data.or_else(|why| {
            if is_first && self.is_entry(registers) {
                unwind::leaf(&self.space, registers)?;
                return Ok(How::Entry);
            }
            // Unwind data that is there and lies would lead astray again; what is not there can be worked out.
            let is_missing = matches!(
                why,
                Error::NotInDump(_) | Error::NotFound(_) | Error::Fault(_)
            );
            let returns = |to: Virt| self.is_behind_call(to) != Some(false);
            is_missing
                .then(|| unwind::by_code(&self.space, is_first, &returns, registers))
                .flatten()
                .ok_or(why)
        })
    }

    /// Whether the registers stand on a function's first instruction, where nothing has been pushed yet. Symbols tell, and so
    /// does a bug check: Windows writes the registers into the dump as they were when `KeBugCheckEx` was entered, with the
    /// code and the first parameters in the registers for arguments.
    fn is_entry(&self, registers: &Registers) -> bool {
        let near = self.nearest(registers.rip);
        if near.is_some_and(|near| near.symbol.is_some() && near.offset == 0) {
            return true;
        }
        let Ok(crash) = self.crash() else {
            return false;
        };
        let [first, second, third, _] = crash.parameters;
        let passed = [RCX, RDX, R8, R9].map(|number| registers.general[number]);
        let is_nt = self
            .module_at(registers.rip)
            .is_some_and(|module| self.is_nt(module.base));
        is_nt && passed == [u64::from(crash.code), first, second, third]
    }

    /// Whether a call stands before an address: `None` when the code there is not in the dump, false outside all modules.
    pub fn is_behind_call(&self, at: Virt) -> Option<bool> {
        let Some(module) = self.module_at(at) else {
            return Some(false);
        };
        // The headers are no code.
        if at - module.base < PAGE_SIZE {
            return Some(false);
        }
        let mut readable = false;
        for length in 2..=LONGEST_CALL {
            let Ok(instruction) = self.instruction_at(at - length) else {
                continue;
            };
            readable = true;
            let is_call = matches!(instruction.flow, Flow::Call(_) | Flow::CallIndirect);
            if is_call && instruction.end() == at {
                return Some(true);
            }
        }
        readable.then_some(false)
    }
}

/// Says what was wanted of a place that is not there.
fn missing(why: Error, module: &str) -> Error {
    match why {
        Error::Fault(fault) => Error::NotInDump(format!(
            "the function table (.pdata) of {module} cannot be had from the dump: {fault}"
        )),
        why => why,
    }
}
