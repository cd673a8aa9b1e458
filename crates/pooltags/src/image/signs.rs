//! Signs that an image's code is not all there, or not what runs.

use super::{Section, TagImage};
use rkd_dump::addr::PAGE_SIZE;

/// Bits a byte; machine code has about 6, packed code nearly 8.
const PACKED_ENTROPY: f64 = 7.6;

impl TagImage {
    /// A sign that the code on disk is not the code that runs: what is said of such an image would mean nothing.
    pub(crate) fn looks_packed(&self) -> Option<String> {
        let entry = self.section(self.entry).filter(|_| self.entry != 0);
        if let Some(section) = entry.filter(|s| !s.is_code()) {
            return Some(format!(
                "its entry point lies in {}, which is no code",
                section.name
            ));
        }
        let dense =
            |s: &&Section| s.size >= 0x4000 && entropy(self.slice(s.rva, s.size)) > PACKED_ENTROPY;
        let section = self.sections.iter().filter(|s| s.is_code()).find(dense)?;
        Some(format!("{} looks packed or encrypted", section.name))
    }

    /// Bytes of code in the image, and how many of them are there.
    pub(crate) fn code_bytes(&self) -> (u64, u64) {
        let mut all = 0;
        let mut there = 0;
        for section in self.sections.iter().filter(|s| s.is_code()) {
            all += u64::from(section.size);
            let mut at = section.rva;
            while at < section.end() {
                let next = ((u64::from(at) / PAGE_SIZE + 1) * PAGE_SIZE)
                    .min(u64::from(section.end())) as u32;
                if self.has(at) {
                    there += u64::from(next - at);
                }
                at = next;
            }
        }
        (all, there)
    }
}

fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u64; 256];
    bytes.iter().for_each(|&b| counts[usize::from(b)] += 1);
    let share = |&n: &u64| n as f64 / bytes.len().max(1) as f64;
    counts
        .iter()
        .filter(|&&n| n > 0)
        .map(share)
        .map(|p| -p * p.log2())
        .sum()
}
