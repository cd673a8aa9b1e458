//! What an expression may ask of the world around it. A session answers for a dump; a test answers for itself.

use rkd_dump::addr::{Phys, Virt};
use rkd_dump::error::{Error, Result};

/// Bytes that a memory operator reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// `by`: one byte.
    Byte,
    /// `wo`: two bytes.
    Word,
    /// `dwo`: four bytes.
    Dword,
    /// `qwo`: eight bytes.
    Qword,
    /// `poi`: as many as a pointer of the target has.
    Pointer,
}

/// The names and the memory that expressions are evaluated against.
pub trait Scope {
    /// The base of numbers without a prefix: 16, 10 or 8.
    fn radix(&self) -> u32;

    /// Bytes in a pointer of the target, 8 or 4.
    fn pointer_size(&self) -> u32 {
        8
    }

    /// The base of the module of this name (`nt`), in any case.
    fn module_base(&self, name: &str) -> Option<Virt>;

    /// The address of a symbol: `nt!Name`, `!Name` or `Name`.
    fn symbol(&self, name: &str) -> Result<Virt>;

    /// The value of a register of the current processor, by its name in lower case; `None` for no such register.
    fn register(&self, name: &str) -> Option<Result<u64>>;

    /// The value of a pseudo-register, by its name in lower case without the dollar sign (`t0`, `proc`, `ip`);
    /// `None` for a name that is no pseudo-register.
    fn pseudo(&self, name: &str) -> Option<Result<u64>>;

    /// Reads an unsigned number from virtual memory.
    fn read(&self, at: Virt, width: Width) -> Result<u64>;

    /// Reads an unsigned number from physical memory.
    fn read_physical(&self, at: Phys, width: Width) -> Result<u64>;

    /// Whether every byte of `[at, at + length)` can be read.
    fn is_valid(&self, at: Virt, length: u64) -> bool;

    /// The entry point of the image at `base`, from its header.
    fn entry_point(&self, base: Virt) -> Result<Virt>;
}

impl Width {
    /// The width in bytes on a machine with pointers of `pointer_size` bytes.
    pub fn bytes(self, pointer_size: u32) -> u32 {
        match self {
            Width::Byte => 1,
            Width::Word => 2,
            Width::Dword => 4,
            Width::Qword => 8,
            Width::Pointer => pointer_size,
        }
    }
}

/// Nothing but numbers: for arguments that must not depend on a target, and for a prompt without one.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// See [`Scope::radix`].
    pub radix: u32,
}

fn no_target<T>() -> Result<T> {
    Err(Error::NotFound("there is no target".into()))
}

impl Scope for Numbers {
    fn radix(&self) -> u32 {
        self.radix
    }
    fn module_base(&self, _: &str) -> Option<Virt> {
        None
    }
    fn symbol(&self, name: &str) -> Result<Virt> {
        Err(Error::NoSymbol(name.to_string()))
    }
    fn register(&self, _: &str) -> Option<Result<u64>> {
        None
    }
    fn pseudo(&self, _: &str) -> Option<Result<u64>> {
        None
    }
    fn read(&self, _: Virt, _: Width) -> Result<u64> {
        no_target()
    }
    fn read_physical(&self, _: Phys, _: Width) -> Result<u64> {
        no_target()
    }
    fn is_valid(&self, _: Virt, _: u64) -> bool {
        false
    }
    fn entry_point(&self, _: Virt) -> Result<Virt> {
        no_target()
    }
}
