//! Addresses are types, so that a page frame number can never be taken for a virtual address.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// Bytes in a page on every machine that a 64-bit Windows runs on.
pub const PAGE_SIZE: u64 = 0x1000;

/// A virtual address of the target. Arithmetic wraps, as the processor's does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Virt(pub u64);

/// A physical address, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phys(pub u64);

/// A page frame number: a physical address divided by [`PAGE_SIZE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pfn(pub u64);

impl Virt {
    /// The address of the page that holds this address.
    pub fn page(self) -> Virt {
        Virt(self.0 & !(PAGE_SIZE - 1))
    }

    /// The offset in the page, `0..PAGE_SIZE`.
    pub fn page_offset(self) -> u64 {
        self.0 & (PAGE_SIZE - 1)
    }

    /// Whether the address lies in the upper half, which belongs to the kernel.
    pub fn is_kernel(self) -> bool {
        self.0 >> 63 == 1
    }
}

impl Phys {
    /// The frame that holds this address.
    pub fn pfn(self) -> Pfn {
        Pfn(self.0 / PAGE_SIZE)
    }

    /// The offset in the page, `0..PAGE_SIZE`.
    pub fn page_offset(self) -> u64 {
        self.0 & (PAGE_SIZE - 1)
    }
}

impl Pfn {
    /// The address of the frame's first byte.
    pub fn phys(self) -> Phys {
        Phys(self.0.wrapping_mul(PAGE_SIZE))
    }
}

impl Add<u64> for Virt {
    type Output = Virt;
    fn add(self, offset: u64) -> Virt {
        Virt(self.0.wrapping_add(offset))
    }
}

impl AddAssign<u64> for Virt {
    fn add_assign(&mut self, offset: u64) {
        *self = *self + offset;
    }
}

impl Sub<u64> for Virt {
    type Output = Virt;
    fn sub(self, offset: u64) -> Virt {
        Virt(self.0.wrapping_sub(offset))
    }
}

impl Sub for Virt {
    type Output = u64;
    fn sub(self, other: Virt) -> u64 {
        self.0.wrapping_sub(other.0)
    }
}

impl Add<u64> for Phys {
    type Output = Phys;
    fn add(self, offset: u64) -> Phys {
        Phys(self.0.wrapping_add(offset))
    }
}

/// kd's form: sixteen digits with a back-tick in the middle.
impl fmt::Display for Virt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}`{:08x}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

/// Sixteen digits without a back-tick, as kd's extension commands print (`%p`).
impl fmt::LowerHex for Virt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Phys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Display for Pfn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// An offset from the start of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rva(pub u32);

impl fmt::Display for Rva {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Add<Rva> for Virt {
    type Output = Virt;
    fn add(self, rva: Rva) -> Virt {
        self + u64::from(rva.0)
    }
}
