//! Code of x64, x86 and ARM64: bytes become instructions, instructions become functions and callers.
//!
//! An [`Instruction`] says where it leads, what it writes, and on demand how kd prints it; names come through a callback, so that a
//! driver file is read by the same code as the target's memory.
//!
//! ```
//! use rkd_code::{Flow, Instruction, Machine};
//! use rkd_dump::addr::Virt;
//!
//! let code = [0x41, 0xb8, 0x4c, 0x65, 0x61, 0x6b, 0xff, 0x15, 0x0c, 0x10, 0x00, 0x00];
//! let name = |at: Virt| (at == Virt(0x1_4000_201c)).then(|| "drv!_imp_ExAllocatePoolWithTag".to_owned());
//!
//! let mov = Instruction::decode(Machine::X64, Virt(0x1_4000_1004), &code).unwrap();
//! assert_eq!(mov.immediate(), Some(u32::from_le_bytes(*b"Leak")));
//! assert_eq!(mov.writes().general, 1 << 8); // r8
//! assert_eq!(
//!     mov.disassemble(&name).to_string(),
//!     "00000001`40001004 41b84c65616b    mov     r8d,6B61654Ch   ; 'Leak'"
//! );
//!
//! let call = Instruction::decode(Machine::X64, mov.end(), &code[6..]).unwrap();
//! assert_eq!(call.flow, Flow::CallIndirect);
//! assert_eq!(
//!     call.disassemble(&name).to_string(),
//!     "00000001`4000100a ff150c100000    call    qword ptr [drv!_imp_ExAllocatePoolWithTag (00000001`4000201c)]"
//! );
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `machine` | the processors |
//! | `instruction` | an instruction: flow, writes, immediate, operand in memory |
//! | `intel`, `arm64` | how the two families are decoded; below each, `text`: how kd spells them |
//! | `disassembly` | the text of an instruction and kd's line |
//! | `operand` | an operand in memory, when the registers are known |
//! | `function` | the basic blocks of a function |
//! | `unwind` | from a function's registers to its caller's (x64) |
//! | `unwind/pdata`, `unwind/info` | function tables and unwind data |
//! | `unwind/epilog`, `unwind/forward` | callers found by following code |

#![warn(unreachable_pub)]

pub mod arm64;
mod disassembly;
mod function;
mod instruction;
mod intel;
mod machine;
mod operand;
pub mod unwind;

pub use disassembly::Disassembly;
pub use function::Function;
pub use instruction::{Flow, Instruction, Operation, Writes, Written};
pub use machine::Machine;
pub use operand::Operand;

use rkd_dump::addr::Virt;

/// The name of an address with the distance from it (`nt!KiPageFault+0x41e`), if it has one.
pub type Name<'a> = dyn Fn(Virt) -> Option<String> + 'a;

#[cfg(test)]
mod tests;
