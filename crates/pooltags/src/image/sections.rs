//! The sections in order.

use super::Section;
use rkd_symbols::pe;

/// The sections in order, cut where they run into one another.
pub(super) fn in_order(header: &pe::Headers, image: u32, notes: &mut Vec<String>) -> Vec<Section> {
    let mut sections: Vec<Section> = header
        .sections
        .iter()
        .map(|s| Section {
            name: s.name.clone(),
            rva: s.rva.0,
            size: if s.virtual_size == 0 {
                s.raw_size
            } else {
                s.virtual_size
            },
            flags: s.flags,
        })
        .filter(|s| s.rva < image)
        .collect();
    sections.sort_by_key(|s| s.rva);
    let starts: Vec<u32> = sections
        .iter()
        .map(|s| s.rva)
        .skip(1)
        .chain([image])
        .collect();
    for (section, limit) in sections.iter_mut().zip(starts) {
        if section.end() > limit {
            if limit < image {
                notes.push(format!(
                    "the section {} runs into the next one",
                    section.name
                ));
            }
            section.size = limit - section.rva;
        }
    }
    sections
}
