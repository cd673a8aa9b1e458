//! Every string in a range: runs of printable characters, ASCII or UTF-16.

use super::coverage::Coverage;
use super::serial::{Step, walk};
use super::source::Source;
use super::span::Span;
use rkd_dump::error::Result;
use std::sync::atomic::AtomicBool;

/// A string that goes on longer than this is handed on in parts: memory full of one letter would be one string.
const LONGEST: usize = 0x1_0000;

/// Which strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strings {
    /// UTF-16 instead of single bytes, at even and odd addresses.
    pub wide: bool,
    /// The least length, in characters; 0 counts as 1.
    pub shortest: usize,
}

impl Strings {
    /// Hands over the address and the text of every string, in the order in which they end. Printable are 0x20 to 0x7e.
    ///
    /// When the flag is set, or `take` answers [`Error::Stopped`](rkd_dump::error::Error::Stopped), the account says where that was.
    ///
    /// # Errors
    /// Whatever else `take` answers.
    pub fn find(
        self,
        source: &Source,
        spans: &[Span],
        stop: &AtomicBool,
        mut take: impl FnMut(u64, &str) -> Result<()>,
    ) -> Result<Coverage> {
        let mut refused = None;
        let mut take = |at: u64, found: &str| take(at, found).inspect_err(|_| refused = Some(at));
        // One reader for each byte of a character: texts at odd addresses are texts too.
        let mut readers: Vec<Reader> = (0..if self.wide { 2 } else { 1 })
            .map(|_| Reader::default())
            .collect();
        let mut low = None;
        let coverage = walk(source, spans, stop, |step| {
            let (address, bytes, follows) = match step {
                Step::Block {
                    address,
                    bytes,
                    follows,
                } => (address, bytes, follows),
                Step::End => (0, &[][..], false),
            };
            if !follows {
                low = None;
                readers
                    .iter_mut()
                    .try_for_each(|reader| reader.end(self.shortest, &mut take))?;
            }
            for (at, &byte) in bytes.iter().enumerate() {
                let at = address.wrapping_add(at as u64);
                let (start, character) = match (self.wide, low.replace(byte)) {
                    (false, _) => (at, byte),
                    (true, Some(low)) => (at.wrapping_sub(1), if byte == 0 { low } else { 0 }),
                    (true, None) => continue,
                };
                let reader = if self.wide { start & 1 } else { 0 };
                if let Some(reader) = readers.get_mut(reader as usize) {
                    reader.read(start, character, self.shortest, &mut take)?;
                }
            }
            Ok(())
        })?;
        Ok(match refused {
            Some(at) => coverage.cut_at(source, at),
            None => coverage,
        })
    }
}

/// The string that is being read.
#[derive(Default)]
struct Reader {
    start: u64,
    text: String,
}

impl Reader {
    fn read(
        &mut self,
        at: u64,
        character: u8,
        shortest: usize,
        take: &mut impl FnMut(u64, &str) -> Result<()>,
    ) -> Result<()> {
        if !(0x20..0x7f).contains(&character) {
            return self.end(shortest, take);
        }
        if self.text.is_empty() {
            self.start = at;
        }
        self.text.push(char::from(character));
        if self.text.len() >= LONGEST {
            self.end(shortest, take)
        } else {
            Ok(())
        }
    }

    fn end(
        &mut self,
        shortest: usize,
        take: &mut impl FnMut(u64, &str) -> Result<()>,
    ) -> Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let long_enough = self.text.len() >= shortest;
        let result = if long_enough {
            take(self.start, &self.text)
        } else {
            Ok(())
        };
        self.text.clear();
        result
    }
}
