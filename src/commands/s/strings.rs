//! `s -sa` and `s -su`: every string in a range.

use super::request::{Request, What};
use crate::addr::Virt;
use crate::command::{Record, Row, Sink, sink};
use crate::error::Result;
use crate::kernel::Kernel;
use crate::scan::Coverage;
use crate::session::Session;

/// A string that goes on longer than this is handed on in parts: memory full of one letter would be one string.
const LONGEST: usize = 0x1_0000;

/// Lists the strings.
pub fn list(
    session: &Session,
    kernel: &Kernel,
    request: &Request,
    out: &mut dyn Sink,
) -> Result<Coverage> {
    let What::Strings { wide, shortest } = request.what else {
        return Ok(Coverage::default());
    };
    let mut coverage = Coverage {
        asked: request.length,
        ..Coverage::default()
    };
    let mut tell = |at: Virt, text: String| {
        if request.writable && !super::may_be_written(kernel, at) {
            return Ok(());
        }
        out.row(&Text {
            at,
            text,
            bare: request.bare,
        })
    };
    // UTF-16 text may begin at an even or an odd address: one reader for each.
    let mut readers = if wide {
        vec![Reader::new(shortest), Reader::new(shortest)]
    } else {
        vec![Reader::new(shortest)]
    };
    let mut next = request.start;
    let mut low: Option<u8> = None;
    for piece in kernel.space().mapped(request.start, request.length) {
        if piece.va != next {
            readers
                .iter_mut()
                .try_for_each(|reader| reader.end(&mut tell))?;
            low = None;
            coverage.missing = coverage
                .missing
                .or_else(|| kernel.space().read_u8(next).err());
        }
        for (index, &byte) in piece.bytes.iter().enumerate() {
            if index % 0x1_0000 == 0 {
                sink::check(&session.stop)?;
            }
            let at = piece.va + index as u64;
            if wide {
                if let (Some(first), Some(reader)) = (low, readers.get_mut((at.0 & 1) as usize)) {
                    reader.unit(at - 1, (byte == 0).then_some(first), &mut tell)?;
                }
                low = Some(byte);
            } else if let Some(reader) = readers.first_mut() {
                reader.unit(at, Some(byte), &mut tell)?;
            }
        }
        coverage.read += piece.bytes.len() as u64;
        next = piece.va + piece.bytes.len() as u64;
    }
    readers
        .iter_mut()
        .try_for_each(|reader| reader.end(&mut tell))?;
    if coverage.read < coverage.asked {
        coverage.missing = coverage
            .missing
            .or_else(|| kernel.space().read_u8(next).err());
    }
    Ok(coverage)
}

struct Reader {
    shortest: usize,
    start: Virt,
    text: String,
}

impl Reader {
    fn new(shortest: usize) -> Reader {
        Reader {
            shortest,
            start: Virt(0),
            text: String::new(),
        }
    }

    fn unit(
        &mut self,
        at: Virt,
        byte: Option<u8>,
        tell: &mut impl FnMut(Virt, String) -> Result<()>,
    ) -> Result<()> {
        match byte.filter(|byte| (0x20..0x7f).contains(byte)) {
            Some(byte) => {
                if self.text.is_empty() {
                    self.start = at;
                }
                self.text.push(char::from(byte));
                if self.text.len() >= LONGEST {
                    self.end(tell)
                } else {
                    Ok(())
                }
            }
            None => self.end(tell),
        }
    }

    fn end(&mut self, tell: &mut impl FnMut(Virt, String) -> Result<()>) -> Result<()> {
        let text = std::mem::take(&mut self.text);
        if text.len() >= self.shortest {
            tell(self.start, text)
        } else {
            Ok(())
        }
    }
}

struct Text {
    at: Virt,
    text: String,
    bare: bool,
}

impl Row for Text {
    fn kind(&self) -> &'static str {
        "string"
    }

    fn record(&self) -> Record {
        vec![("va", self.at.into()), ("text", self.text.as_str().into())]
    }

    fn text(&self) -> String {
        if self.bare {
            format!("0x{}", self.at)
        } else {
            format!("{}  \"{}\"", self.at, self.text)
        }
    }
}
