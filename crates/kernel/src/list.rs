//! `LIST_ENTRY` lists. A crash dump is where lists are broken: the walk never loops, and says where a list breaks.

use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_dump::memory::AddressSpace;
use std::collections::HashSet;

/// No list that rkd walks is longer than this on any machine; a longer one has lost its way.
pub const LONGEST: usize = 1 << 20;

/// The entries of a doubly linked list, by the address of their links. Ends after the first error.
pub struct List<'a> {
    space: &'a AddressSpace,
    head: Virt,
    next: Option<Virt>,
    seen: HashSet<Virt>,
    name: &'static str,
}

impl<'a> List<'a> {
    /// The list whose head lies at `head`; `name` is used in errors.
    pub fn new(space: &'a AddressSpace, head: Virt, name: &'static str) -> List<'a> {
        List {
            space,
            head,
            next: Some(head),
            seen: HashSet::new(),
            name,
        }
    }

    fn corrupt(&self, at: Virt, why: &str) -> Error {
        Error::Corrupt {
            what: format!("the list {} (entry {at})", self.name),
            why: why.into(),
        }
    }
}

impl Iterator for List<'_> {
    type Item = Result<Virt>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next.take()?;
        let entry = match self.space.read_virt(at) {
            Ok(entry) => entry,
            Err(fault) => return Some(Err(fault.into())),
        };
        if entry == self.head {
            return None;
        }
        if entry.0 == 0 {
            return Some(Err(self.corrupt(at, "its Flink is zero")));
        }
        if !self.seen.insert(entry) {
            return Some(Err(
                self.corrupt(at, "it leads back into the list instead of to its head")
            ));
        }
        if self.seen.len() > LONGEST {
            return Some(Err(self.corrupt(at, "more than a million entries")));
        }
        self.next = Some(entry);
        Some(Ok(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(links: &[(u64, u64)]) -> AddressSpace {
        let blocks = links
            .iter()
            .map(|(at, flink)| (Virt(*at), flink.to_le_bytes().to_vec()))
            .collect();
        AddressSpace::of_blocks(blocks)
    }

    fn walk(links: &[(u64, u64)]) -> Vec<String> {
        List::new(&space(links), Virt(0x1000), "Test")
            .map(|entry| entry.map_or_else(|e| e.to_string(), |va| va.to_string()))
            .collect()
    }

    #[test]
    fn ends_at_its_head() {
        assert_eq!(
            walk(&[(0x1000, 0x2000), (0x2000, 0x3000), (0x3000, 0x1000)]),
            ["00000000`00002000", "00000000`00003000"]
        );
    }

    #[test]
    fn says_where_it_loops() {
        assert_eq!(
            walk(&[(0x1000, 0x2000), (0x2000, 0x3000), (0x3000, 0x2000)]),
            [
                "00000000`00002000",
                "00000000`00003000",
                "the list Test (entry 00000000`00003000) is corrupt: it leads back into the list instead of to its head"
            ]
        );
    }

    #[test]
    fn keeps_what_it_found_before_a_fault() {
        assert_eq!(walk(&[(0x1000, 0x2000), (0x2000, 0x9000)]).len(), 3);
    }
}
