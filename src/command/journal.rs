//! What the search for symbols has to tell, handed to whoever shows it. Symbols are read in the midst of other work, where there
//! is no sink.

use super::Sink;
use crate::session::Session;
use rkd_dump::error::Result;
use rkd_symbols::server::Entry;

/// Hands over what waits: the noise as kd's text, the remarks as notes.
///
/// # Errors
/// Those of the sink.
pub fn show_journal(session: &Session, out: &mut dyn Sink) -> Result<()> {
    for entry in session.target.servers.journal().take() {
        match entry {
            Entry::Noise(line) => out.text(&line)?,
            Entry::Remark(remark) => out.note(&remark)?,
        }
    }
    Ok(())
}
