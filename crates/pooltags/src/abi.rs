//! How functions call each other under Windows, on each processor.

use super::lattice::{Atom, How, Location, Value};
use super::state::State;
use rkd_code::{Machine, arm64};

static X64: Abi = Abi {
    pointer: 8,
    registers: 16,
    stack_pointer: 4,
    arguments: &[1, 2, 8, 9],
    first_on_stack: 0x28,
    pushed: 8,
    result: 0,
    preserved: &[3, 5, 6, 7, 12, 13, 14, 15],
    guarded: 0,
};

static X86: Abi = Abi {
    pointer: 4,
    registers: 8,
    stack_pointer: 4,
    arguments: &[],
    first_on_stack: 4,
    pushed: 4,
    result: 0,
    preserved: &[3, 5, 6, 7],
    guarded: 1,
};

static ARM64: Abi = Abi {
    pointer: 8,
    registers: 32,
    stack_pointer: arm64::SP,
    arguments: &[0, 1, 2, 3, 4, 5, 6, 7],
    first_on_stack: 0,
    pushed: 0,
    result: 0,
    // x18 is the processor's own block in the kernel
    preserved: &[18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29],
    guarded: 15,
};

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
    /// The calling convention of a processor's kernel.
    pub(crate) fn of(machine: Machine) -> &'static Abi {
        match machine {
            Machine::X64 => &X64,
            Machine::X86 => &X86,
            Machine::Arm64 => &ARM64,
        }
    }

    /// Where a function finds its argument.
    pub(crate) fn location(&self, argument: u8) -> Location {
        match self.arguments.get(usize::from(argument)) {
            Some(&register) => Location::Register(register),
            None => {
                let index = i32::from(argument) - self.arguments.len() as i32;
                Location::Stack(self.first_on_stack + index * self.pointer as i32)
            }
        }
    }

    /// The name of a location, for a person: `argument 2`.
    pub(crate) fn describe(&self, location: Location) -> String {
        let number = match location {
            Location::Register(register) => self.arguments.iter().position(|&r| r == register),
            Location::Stack(offset) => {
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
                Value::one(Atom::Initial(Location::Register(register)), 0, How::Other),
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
