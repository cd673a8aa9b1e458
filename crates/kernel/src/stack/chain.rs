//! The calls on a stack of ARM64, by the chain of frame records: nearly every function of Windows keeps fp and lr of its caller
//! below each other, and lets fp point at them (<https://learn.microsoft.com/cpp/build/arm64-windows-abi-conventions>).

use super::{Frame, MAX_FRAMES, Stack};
use crate::Kernel;
use crate::context::Context;
use rkd_code::unwind::How;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};

/// Bytes of a frame record.
const RECORD: u64 = 16;

impl Kernel {
    /// The calls by the chain of frame records, from these registers outwards. A function that keeps no record is not in it.
    pub(super) fn frame_chain(&self, context: &Context, most: usize) -> Stack {
        let register = |name| Virt(context.get(name).unwrap_or(0));
        let (mut at, mut stack, mut record) = (register("pc"), register("sp"), register("fp"));
        let mut frames = Vec::new();
        if self.is_function(at) && frames.len() < most {
            // It is about to begin: its caller is in lr still, and the first record is its caller's.
            let ret = without_signature(register("lr"));
            frames.push(frame(at, stack, Some(ret), How::Entry));
            at = ret;
        }
        let stopped = loop {
            if frames.len() >= most.min(MAX_FRAMES) {
                break None;
            }
            match self.record(record, stack) {
                Ok((next, ret)) => {
                    frames.push(frame(at, stack, Some(ret), How::Chain));
                    if next == Virt(0) {
                        // The outermost function was called by nobody, and its own record is the last.
                        frames.push(frame(ret, record + RECORD, Some(Virt(0)), How::Chain));
                        break None;
                    }
                    (at, stack, record) = (ret, next, next);
                }
                Err(why) => {
                    let mut last = frame(at, stack, None, How::Chain);
                    last.how = None;
                    frames.push(last);
                    break Some(why);
                }
            }
        };
        frames.truncate(most);
        Stack { frames, stopped }
    }

    /// The record at an address of the stack: the next one, and the address that the function returns to.
    fn record(&self, at: Virt, stack: Virt) -> Result<(Virt, Virt)> {
        if !at.is_kernel() || at < stack || !at.0.is_multiple_of(8) {
            return Err(Error::Corrupt {
                what: format!("the stack at {stack}"),
                why: format!("the frame record at {at} does not lie above"),
            });
        }
        let next = self.space().read_virt(at)?;
        let ret = without_signature(self.space().read_virt(at + 8)?);
        if next != Virt(0) && next <= at {
            return Err(Error::Corrupt {
                what: format!("the frame record at {at}"),
                why: format!("the caller's record at {next} does not lie above"),
            });
        }
        Ok((next, ret))
    }

    /// Whether a symbol says that a function begins here.
    fn is_function(&self, at: Virt) -> bool {
        let near = self.nearest(at);
        near.is_some_and(|near| near.symbol.is_some() && near.offset == 0)
    }
}

/// A return address without its signature (pointer authentication), which takes bits that an address does not need.
fn without_signature(at: Virt) -> Virt {
    const UNUSED: u64 = 0xffff << 48;
    match at.0 >> 55 & 1 {
        0 => Virt(at.0 & !UNUSED),
        _ => Virt(at.0 | UNUSED),
    }
}

/// Arguments are passed in registers, and no function of ARM64 has places for them on the stack.
fn frame(at: Virt, stack: Virt, ret: Option<Virt>, how: How) -> Frame {
    Frame {
        stack,
        at,
        ret,
        arguments: [None; 4],
        how: Some(how),
        trap: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_return_addresses() {
        let plain = Virt(0xffff_f803_f334_42a0);
        assert_eq!(without_signature(plain), plain);
        assert_eq!(without_signature(Virt(0x1a9f_f803_f334_42a0)), plain);
        assert_eq!(
            without_signature(Virt(0x0000_7ffe_9d52_4224)),
            Virt(0x7ffe_9d52_4224)
        );
    }
}
