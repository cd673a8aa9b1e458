//! One entry of an x64 page table: what the processor reads in it, and what Windows writes into those that the
//! processor ignores because their valid bit is clear.

use crate::addr::{Pfn, Phys, Virt};
use crate::error::{Level, Why};

/// The frame of an entry: bits 12 to 51.
const FRAME: u64 = 0x000f_ffff_ffff_f000;

/// What a kernel does with entries that are not valid; it differs between builds and machines, and symbols tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PteRules {
    /// The bits that Windows sets in entries which are not valid, so that speculation through them (L1TF) finds no
    /// memory: `MiState.Hardware.InvalidPteMask`, or `MiInvalidPteMask` before Windows 10. `None` if nobody knows:
    /// then the bits above the machine's last frame are taken for it where a frame is expected.
    pub invalid_mask: Option<u64>,
    /// Where the page file's number begins: bit 12, or bit 1 in kernels older than the L1TF fixes of August 2018.
    pub page_file_low_bit: u8,
    /// The number of the page file that stands for the memory compression store.
    pub virtual_store_file: Option<u8>,
}

impl Default for PteRules {
    fn default() -> PteRules {
        PteRules {
            invalid_mask: None,
            page_file_low_bit: 12,
            virtual_store_file: None,
        }
    }
}

/// The state of the page at the end of a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The processor would find it.
    Valid,
    /// On its way out: on the standby or modified list, its contents still in place.
    Transition,
    /// Shared, and found through a prototype PTE.
    Prototype {
        /// The address of the prototype PTE.
        at: Virt,
        /// What it holds.
        raw: u64,
    },
}

/// An entry as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(pub u64);

/// What an entry that is not valid says of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Soft {
    /// The page still is in this frame.
    Transition(Pfn),
    /// Ask the prototype PTE: its address as unswizzled, and as stored.
    Prototype(Virt, Virt),
    /// There is no page to be had.
    Gone(Why),
}

impl Entry {
    /// Bit 0: the processor uses the entry.
    pub(crate) fn valid(self) -> bool {
        self.0 & 1 != 0
    }

    /// Bit 7 of a valid entry above the last level: it maps a large page.
    pub(crate) fn large(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// The frame of a valid entry for a page or table of `size` bytes. In the entry of a large page the lowest bits of
    /// the frame mean something else (bit 12 is PAT), hence the size.
    pub(crate) fn frame(self, size: u64) -> Phys {
        Phys(self.0 & FRAME & !(size - 1))
    }

    /// Bit 1 of a valid entry; of others what their protection says.
    pub(crate) fn writable(self) -> bool {
        if self.valid() {
            self.0 & 2 != 0
        } else {
            self.protection() & 4 != 0
        }
    }

    /// Bit 63 of a valid entry, inverted; of others what their protection says.
    pub(crate) fn executable(self) -> bool {
        if self.valid() {
            self.0 >> 63 == 0
        } else {
            self.protection() & 2 != 0
        }
    }

    /// The protection of an entry that is not valid: bit 1 execute, bit 2 write (4 and up are all writable).
    fn protection(self) -> u64 {
        (self.0 >> 5) & 7
    }

    /// The value without the bits that guard it from speculation.
    ///
    /// They are cleared, not flipped: an entry which never had them (a bare protection for demand-zero pages) would
    /// otherwise come out as a page of the page file.
    fn unswizzled(self, mask: u64) -> u64 {
        if self.0 & 0x10 == 0 {
            self.0 & !mask
        } else {
            self.0
        }
    }

    /// What Windows means by an entry that is not valid. `machine` has the bits that a frame of this machine can have.
    pub(crate) fn decode(self, level: Level, rules: &PteRules, machine: u64) -> Soft {
        if self.0 == 0 {
            return Soft::Gone(Why::NotMapped(level));
        }
        let mask = rules.invalid_mask.unwrap_or(0);
        let value = self.unswizzled(mask);
        // Prototype wins over transition: bit 11 of a prototype means "combined".
        if self.0 & 0x400 != 0 {
            if self.0 >> 32 == 0xffff_ffff {
                return Soft::Gone(Why::SeeVad);
            }
            return Soft::Prototype(prototype_address(value), prototype_address(self.0));
        }
        if self.0 & 0x800 != 0 {
            let frame = match rules.invalid_mask {
                None if self.0 & 0x10 == 0 => value & FRAME & machine,
                _ => value & FRAME,
            };
            return Soft::Transition(Phys(frame).pfn());
        }
        let page = value >> 32;
        let file = (value >> rules.page_file_low_bit.min(60) & 0xf) as u8;
        let stored = rules.virtual_store_file == Some(file);
        Soft::Gone(match level {
            _ if page == 0 && file == 0 => Why::DemandZero,
            Level::Pte if stored => Why::Compressed { page },
            Level::Pte => Why::PagedOut { file, page },
            level if stored => Why::TableCompressed { level, page },
            level => Why::TablePagedOut { level, file, page },
        })
    }

    /// What a prototype PTE at `at` says, which is not valid itself. Here bit 10 has another meaning: the page is one of
    /// a mapped file, and not in memory.
    pub(crate) fn decode_prototype(self, at: Virt, rules: &PteRules, machine: u64) -> Soft {
        if self.0 & 0x400 != 0 {
            return Soft::Gone(Why::MappedFile(at));
        }
        self.decode(Level::Pte, rules, machine)
    }
}

/// Bits 16 to 63 of the entry are bits 0 to 47 of the address, which is sign-extended.
fn prototype_address(raw: u64) -> Virt {
    Virt((raw.cast_signed() >> 16).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: u64 = 1 << 45;

    fn rules(mask: Option<u64>) -> PteRules {
        PteRules {
            invalid_mask: mask,
            virtual_store_file: Some(2),
            ..PteRules::default()
        }
    }

    #[test]
    fn every_state_of_an_entry_that_is_not_valid() {
        let store = |page| Soft::Gone(Why::Compressed { page });
        let file = |file, page| Soft::Gone(Why::PagedOut { file, page });
        let proto = |value, stored| Soft::Prototype(Virt(value), Virt(stored));
        let cases = [
            // (entry, mask known, what it is)
            (0, true, Soft::Gone(Why::NotMapped(Level::Pte))),
            (0x80, true, Soft::Gone(Why::DemandZero)),
            (MASK | 0x80, true, Soft::Gone(Why::DemandZero)),
            (0x0000_1234_0000_0080, true, file(0, 0x1234)),
            (MASK | 0x0000_1234_0000_1080, true, file(1, 0x1234)),
            (MASK | 0x0000_1234_0000_2080, true, store(0x1234)),
            (MASK | 0x0000_1234_0000_2090, true, store(0x3234)),
            (0x0000_0000_0000_3080, true, file(3, 0)),
            (
                MASK | 0x0000_0001_2345_6880,
                true,
                Soft::Transition(Pfn(0x12_3456)),
            ),
            (
                MASK | 0x0000_0001_2345_6890,
                true,
                Soft::Transition(Pfn(0x2_0012_3456)),
            ),
            // Nobody knows the mask: the frame must fit the machine, of 2^36 bytes here.
            (
                MASK | 0x0000_0001_2345_6880,
                false,
                Soft::Transition(Pfn(0x12_3456)),
            ),
            (
                0xa000_0000_0000_0400,
                true,
                proto(0xffff_a000_0000_0000, 0xffff_a000_0000_0000),
            ),
            (
                0xa00f_2000_1234_0400,
                true,
                proto(0xffff_a00f_0000_1234, 0xffff_a00f_2000_1234),
            ),
            (
                0xa00f_2000_1234_0c10,
                true,
                proto(0xffff_a00f_2000_1234, 0xffff_a00f_2000_1234),
            ),
            (0xffff_ffff_0000_0480, true, Soft::Gone(Why::SeeVad)),
        ];
        for (raw, known, expected) in cases {
            let rules = rules(known.then_some(MASK));
            assert_eq!(
                Entry(raw).decode(Level::Pte, &rules, (1 << 36) - 1),
                expected,
                "{raw:016x}"
            );
        }
    }

    #[test]
    fn the_page_files_number_moved_with_the_l1tf_fixes() {
        let old = PteRules {
            page_file_low_bit: 1,
            ..rules(Some(0))
        };
        let raw = 0x0000_1234_0000_0084;
        assert_eq!(
            Entry(raw).decode(Level::Pte, &old, 0),
            Soft::Gone(Why::Compressed { page: 0x1234 })
        );
        let decoded = Entry(raw).decode(Level::Pte, &rules(Some(0)), 0);
        assert_eq!(
            decoded,
            Soft::Gone(Why::PagedOut {
                file: 0,
                page: 0x1234
            })
        );
    }

    #[test]
    fn a_prototype_pte_that_names_a_subsection_is_a_page_of_a_file() {
        let at = Virt(0xffff_a000_0000_1000);
        let rules = PteRules::default();
        assert_eq!(
            Entry(0xa000_1234_0000_04c0).decode_prototype(at, &rules, 0),
            Soft::Gone(Why::MappedFile(at))
        );
        assert_eq!(
            Entry(0).decode_prototype(at, &rules, 0),
            Soft::Gone(Why::NotMapped(Level::Pte))
        );
    }

    #[test]
    fn the_frame_of_a_large_page_leaves_out_the_pat_bit() {
        let raw = Entry(0x8000_0001_4020_11e3);
        assert_eq!(
            (raw.frame(0x1000), raw.frame(0x20_0000)),
            (Phys(0x1_4020_1000), Phys(0x1_4020_0000))
        );
        assert_eq!(
            (raw.writable(), raw.executable(), raw.large()),
            (true, false, true)
        );
    }
}
