//! The bytes of an image by their RVA: straight from the target's memory, or found through the sections of a file.

use super::corrupt;
use super::headers::{Headers, Section};
use rkd_dump::addr::{PAGE_SIZE, Rva, Virt};
use rkd_dump::error::{Error, Result};
use rkd_dump::memory::AddressSpace;

/// Where an image lies.
#[derive(Clone)]
pub(super) enum Bytes<'a> {
    /// Mapped, as the loader lays it out.
    Memory {
        space: &'a AddressSpace,
        base: Virt,
        /// `SizeOfImage`, once it is known.
        size: u32,
    },
    /// Packed, as the linker writes it.
    File {
        file: &'a [u8],
        sections: Vec<Section>,
        /// `SizeOfHeaders`, once it is known.
        headers: u32,
    },
}

impl Bytes<'_> {
    /// Takes from the headers what says how far the image goes.
    pub(super) fn limit(&mut self, of: &Headers) {
        match self {
            Bytes::Memory { size, .. } => *size = of.size_of_image,
            Bytes::File {
                sections, headers, ..
            } => {
                sections.clone_from(&of.sections);
                // The loader rounds down to a disk sector, unless the file was linked for less.
                if of.file_alignment >= 0x200 {
                    sections
                        .iter_mut()
                        .for_each(|section| section.raw_offset &= !0x1ff);
                }
                *headers = of.size_of_headers;
            }
        }
    }

    /// Whether the loader has been at work: import addresses are filled in, and discarded sections are gone.
    pub(super) fn is_mapped(&self) -> bool {
        matches!(self, Bytes::Memory { .. })
    }

    /// Fills as much of `buf` as there is from `rva` on: how many bytes, and what stopped it.
    pub(super) fn prefix(&self, rva: u32, buf: &mut [u8]) -> (usize, Option<Error>) {
        match self {
            Bytes::Memory { space, base, size } => {
                let inside = usize::try_from(size.saturating_sub(rva))
                    .unwrap_or(usize::MAX)
                    .min(buf.len());
                let beyond = (inside < buf.len()).then(|| outside(rva, inside));
                let inside = buf.get_mut(..inside).unwrap_or_default();
                let (read, fault) = space.read_prefix(*base + Rva(rva), inside);
                (read, fault.map(Error::Fault).or(beyond))
            }
            Bytes::File {
                file,
                sections,
                headers,
            } => {
                let mut done = 0;
                while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
                    let at = u32::try_from(done)
                        .ok()
                        .and_then(|done| rva.checked_add(done));
                    let read = at.map_or(0, |at| file_piece(file, sections, *headers, at, rest));
                    if read == 0 {
                        return (done, Some(outside(rva, done)));
                    }
                    done += read;
                }
                (done, None)
            }
        }
    }

    /// Fills all of `buf`.
    pub(super) fn exact(&self, rva: u32, buf: &mut [u8]) -> Result<()> {
        self.prefix(rva, buf).1.map_or(Ok(()), Err)
    }

    /// The first `count` numbers of `N` bytes of a list, or as many of them as there are. Nobody may ask for more than a
    /// million: `count` comes from the image.
    pub(super) fn list<const N: usize>(
        &self,
        rva: u32,
        count: u32,
    ) -> (Vec<[u8; N]>, Option<Error>) {
        let claimed = count as usize;
        let mut buf = vec![0; claimed.min(1 << 20) * N];
        let (read, missing) = self.prefix(rva, &mut buf);
        buf.truncate(read);
        let (items, _) = buf.as_chunks();
        (items.to_vec(), missing)
    }

    /// The bytes up to a zero. `text` is what all strings together may still take, and is lowered.
    pub(super) fn string(&self, rva: u32, text: &mut usize) -> Result<String> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 64];
        loop {
            let at = u32::try_from(bytes.len())
                .ok()
                .and_then(|length| rva.checked_add(length));
            let at = at.ok_or_else(|| corrupt(format!("the string at {} has no end", Rva(rva))))?;
            // Not beyond the page: what follows may be missing, and need not be read.
            let in_page = (PAGE_SIZE - u64::from(at) % PAGE_SIZE).min(chunk.len() as u64) as usize;
            let (read, missing) = self.prefix(at, chunk.get_mut(..in_page).unwrap_or_default());
            let read = chunk.get(..read).unwrap_or_default();
            let end = memchr::memchr(0, read);
            bytes.extend_from_slice(read.get(..end.unwrap_or(read.len())).unwrap_or_default());
            *text = text.saturating_sub(end.unwrap_or(read.len()) + 1);
            match (end, missing) {
                (Some(_), _) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                (None, Some(why)) => return Err(why),
                (None, None) if *text == 0 || bytes.len() > MAX_STRING => {
                    return Err(corrupt(format!("the string at {} has no end", Rva(rva))));
                }
                (None, None) => {}
            }
        }
    }
}

/// The longest string that is believed, in bytes: a C++ name with templates.
const MAX_STRING: usize = 16 << 10;

/// What all strings of one table may take together, in bytes. The kernel's exports are 80 kB.
pub(super) const MAX_TEXT: usize = 4 << 20;

fn outside(rva: u32, after: usize) -> Error {
    corrupt(format!(
        "{} lies outside of it",
        Rva(rva.saturating_add(u32::try_from(after).unwrap_or(u32::MAX)))
    ))
}

/// Copies what the file has of one section (or of the headers) from `rva` on; the number of bytes, 0 if there is nothing.
fn file_piece(file: &[u8], sections: &[Section], headers: u32, rva: u32, buf: &mut [u8]) -> usize {
    let mut copy = |from: usize, available: usize| {
        let available = available.min(buf.len());
        let source = file.get(from..).unwrap_or_default();
        let source = source
            .get(..available.min(source.len()))
            .unwrap_or_default();
        let target = buf.get_mut(..source.len()).unwrap_or_default();
        target.copy_from_slice(source);
        source.len()
    };
    if rva < headers {
        return copy(rva as usize, (headers - rva) as usize);
    }
    let inside = |section: &Section| {
        let at = rva.checked_sub(section.rva.0)?;
        (at < section.virtual_size.max(section.raw_size)).then_some(at)
    };
    let found = sections
        .iter()
        .find_map(|section| Some((section, inside(section)?)));
    let Some((section, at)) = found else {
        return 0;
    };
    if at < section.raw_size {
        let from = u64::from(section.raw_offset) + u64::from(at);
        return usize::try_from(from)
            .map_or(0, |from| copy(from, (section.raw_size - at) as usize));
    }
    // Uninitialised data: the file has no bytes for it, and the loader makes zeroes.
    let zeroes = ((section.virtual_size - at) as usize).min(buf.len());
    buf.get_mut(..zeroes).unwrap_or_default().fill(0);
    zeroes
}
