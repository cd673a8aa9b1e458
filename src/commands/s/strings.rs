//! `s -sa` and `s -su`: every string in a range.

use super::request::Request;
use super::{Kept, source};
use crate::command::{KdLine, Row, Sink};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::Kernel;
use rkd_scan::{Coverage, Strings};

/// Lists the strings.
pub(super) fn list(
    session: &Session,
    kernel: &Kernel,
    request: &Request,
    strings: Strings,
    kept: &mut Kept,
    out: &mut dyn Sink,
) -> Result<Coverage> {
    out.table(Text::SCHEMA)?;
    strings.find(
        &source(kernel, request)?,
        &request.spans(kernel),
        &session.control.stop,
        |at, text| {
            kept.keep(Virt(at));
            out.row(&Text {
                va: Virt(at),
                text,
                bare: request.bare,
            })
        },
    )
}

/// A string of the target.
#[derive(Row)]
#[row(kind = "string")]
pub(super) struct Text<'a> {
    /// Where it begins.
    va: Virt,
    /// Its characters.
    text: &'a str,
    #[row(skip)]
    bare: bool,
}

impl KdLine for Text<'_> {
    fn line(&self) -> String {
        if self.bare {
            format!("0x{}", self.va)
        } else {
            format!("{}  \"{}\"", self.va, self.text)
        }
    }
}
