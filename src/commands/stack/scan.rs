//! What looks like a return address on a stack: rkd's own way when a stack cannot be unwound.

use super::row::site;
use crate::command::sink::check;
use crate::command::{Record, Row, Sink};
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
            at,
            value,
            site: site(kernel, value),
            is_proved,
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

struct Candidate {
    number: usize,
    at: Virt,
    value: Virt,
    site: String,
    is_proved: bool,
}

impl Row for Candidate {
    fn kind(&self) -> &'static str {
        "return_address"
    }

    fn record(&self) -> Record {
        vec![
            ("number", (self.number as u64).into()),
            ("stack", self.at.into()),
            ("address", self.value.into()),
            ("site", self.site.as_str().into()),
            ("is_behind_call", self.is_proved.into()),
        ]
    }

    fn text(&self) -> String {
        let doubt = if self.is_proved { "" } else { " ?" };
        format!(
            "{:02x} {} {}     {}{doubt}",
            self.number, self.at, self.value, self.site
        )
    }
}
