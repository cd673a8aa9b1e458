//! What the analysis asks of a processor: decode an instruction, say where it leads, and apply it to a state.

use super::image::TagImage;
use super::memory::Memory;
use super::state::State;
use super::value::{Atom, How, Place, Value};

/// Where an instruction leads. Offsets are of the image, and may lie outside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// To the next one.
    Next,
    /// There.
    Jump(i64),
    /// There, or to the next one.
    Branch(i64),
    /// To where a register or memory says.
    JumpIndirect,
    /// Calls a function.
    Call(i64),
    /// Calls what a register or memory says.
    CallIndirect,
    /// Back to the caller.
    Return,
    /// Nowhere: a breakpoint, a trap, something that never returns.
    Stop,
}

/// How functions call each other on a machine under Windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abi {
    /// Bytes in a pointer.
    pub pointer: u32,
    /// General registers.
    pub registers: u8,
    /// The stack pointer's number.
    pub stack_pointer: u8,
    /// The registers of the first arguments.
    pub arguments: &'static [u8],
    /// Where the first argument lies that has no register, in bytes above the stack pointer when a function begins.
    pub first_on_stack: i32,
    /// Bytes that a call pushes.
    pub pushed: i32,
    /// The register of the result.
    pub result: u8,
    /// Registers that a function leaves as they were.
    pub preserved: &'static [u8],
    /// The register with the target of a call through a guard's dispatcher.
    pub guarded: u8,
}

impl Abi {
    /// Where a function finds its argument.
    pub(crate) fn place(&self, argument: u8) -> Place {
        match self.arguments.get(usize::from(argument)) {
            Some(&register) => Place::Register(register),
            None => {
                let behind = i32::from(argument) - self.arguments.len() as i32;
                Place::Stack(self.first_on_stack + behind * self.pointer as i32)
            }
        }
    }

    /// The name of a place, for a person: `argument 2`.
    pub(crate) fn describe(&self, place: Place) -> String {
        let number = match place {
            Place::Register(register) => self.arguments.iter().position(|&r| r == register),
            Place::Stack(offset) => {
                let words = (offset - self.first_on_stack).div_euclid(self.pointer as i32);
                usize::try_from(words)
                    .ok()
                    .map(|w| w + self.arguments.len())
            }
        };
        match number {
            Some(number) => format!("argument {}", number + 1),
            None => "a register that its caller sets".to_owned(),
        }
    }

    /// The state when a function begins: everything is the caller's.
    pub(crate) fn entry(&self) -> State {
        let mut state = State::new(
            usize::from(self.registers),
            self.pointer,
            self.first_on_stack,
        );
        for register in 0..self.registers {
            state.set(
                register,
                Value::one(Atom::Entry(Place::Register(register)), 0, How::Other),
            );
        }
        state.set(
            self.stack_pointer,
            Value::one(Atom::Stack(0, 0), 0, How::Other),
        );
        state
    }

    /// A state in the middle of a function of which nothing is known.
    pub(crate) fn anywhere(&self, at: u32) -> State {
        let mut state = State::new(
            usize::from(self.registers),
            self.pointer,
            self.first_on_stack,
        );
        state.pristine = false;
        state.set(
            self.stack_pointer,
            Value::one(Atom::Stack(at, 0), at, How::Other),
        );
        state
    }
}

/// A processor.
pub(crate) trait Machine {
    /// A decoded instruction.
    type Code: Clone;

    /// The calling convention.
    fn abi(&self) -> &'static Abi;

    /// The instruction at this offset and its length in bytes; `None` if there is none, or its bytes are missing.
    fn decode(&self, image: &TagImage, rva: u32) -> Option<(Self::Code, u32)>;

    /// Where the instruction leads.
    fn flow(&self, code: &Self::Code) -> Flow;

    /// Applies everything that the instruction does, except for calling or jumping.
    fn step(&self, code: &Self::Code, rva: u32, state: &mut State, memory: &Memory<'_>);

    /// Where an indirect call or jump leads.
    fn target(&self, code: &Self::Code, rva: u32, state: &State, memory: &Memory<'_>) -> Value;

    /// The place in the image that the instruction names as memory, if it is fixed; `None` where several instructions do so.
    fn names(&self, code: &Self::Code, image: &TagImage) -> Option<u32>;

    /// The most that a number can be behind these two instructions, if they compare it and leave when it is larger: how
    /// compilers guard a jump through a table.
    fn bound(&self, image: &TagImage, compare: u32, branch: u32) -> Option<u64>;

    /// Bytes that a `ret` takes off the stack besides the return address; `None` for other instructions.
    fn popped(&self, code: &Self::Code) -> Option<u32>;

    /// Whether a call of a function that only makes room on the stack stands before this instruction, so that registers
    /// survive the call (`__chkstk`).
    fn follows_stack_probe(&self, code: &Self::Code) -> bool;
}
