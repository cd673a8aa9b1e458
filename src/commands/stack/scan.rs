//! What looks like a return address on a stack: rkd's own way when a stack cannot be unwound.

use super::row::site;
use crate::command::sink::check;
use crate::command::{KdLine, Row, Sink};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::Kernel;

/// Bytes of the largest kernel stack (a large one on x64).
const LARGEST: u64 = 0x12000;

/// Shows the numbers on the stack from `from` on that point behind a call.
pub(super) fn run(
    session: &Session,
    kernel: &Kernel,
    from: Virt,
    most: usize,
    out: &mut dyn Sink,
) -> Result<()> {
    out.table(Candidate::SCHEMA)?;
    out.text(" # Stack             Value                 Behind the call at (not unwound)")?;
    let (mut shown, mut unproved, mut end) = (0, 0, from);
    for at in (0..LARGEST / 8).map(|n| from + n * 8) {
        if at.page_offset() == 0 {
            check(&session.control.stop)?;
        }
        let Ok(value) = kernel.space().read_virt(at) else {
            break;
        };
        end = at + 8;
        if shown >= most {
            break;
        }
        let is_proved = match kernel.is_behind_call(value) {
            Some(false) => continue,
            proof => proof.is_some(),
        };
        unproved += usize::from(!is_proved);
        out.row(&Candidate {
            number: shown,
            stack: at,
            address: value,
            site: site(kernel, value),
            is_behind_call: is_proved,
        })?;
        shown += 1;
    }
    out.note(&format!(
        "these are numbers that were found between {from} and {end}, not calls that were unwound: some may be left over from calls that have returned"
    ))?;
    if unproved > 0 {
        out.note(&format!(
            "{unproved} of them, marked with ?, lie in modules whose code is not in the dump, so that nobody can say whether a call stands before them"
        ))?;
    }
    Ok(())
}

/// A number on the stack that may be a return address.
#[derive(Row)]
#[row(kind = "return_address")]
pub(super) struct Candidate {
    /// From 0.
    number: usize,
    /// Where it lies.
    stack: Virt,
    /// The number.
    address: Virt,
    /// What the place is called that it points at.
    site: String,
    /// Whether a call is seen to stand before that place.
    is_behind_call: bool,
}

impl KdLine for Candidate {
    fn line(&self) -> String {
        let doubt = if self.is_behind_call { "" } else { " ?" };
        format!(
            "{:02x} {} {}     {}{doubt}",
            self.number, self.stack, self.address, self.site
        )
    }
}
