//! `s -sa` and `s -su`: every string in a range.

use super::request::Request;
use super::{Kept, source};
use crate::command::{Record, Row, Sink};
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
    strings.find(
        &source(kernel, request)?,
        &request.spans(kernel),
        &session.control.stop,
        |at, text| {
            kept.keep(Virt(at));
            out.row(&Text {
                at: Virt(at),
                text,
                bare: request.bare,
            })
        },
    )
}

struct Text<'a> {
    at: Virt,
    text: &'a str,
    bare: bool,
}

impl Row for Text<'_> {
    fn kind(&self) -> &'static str {
        "string"
    }

    fn record(&self) -> Record {
        vec![("va", self.at.into()), ("text", self.text.into())]
    }

    fn text(&self) -> String {
        if self.bare {
            format!("0x{}", self.at)
        } else {
            format!("{}  \"{}\"", self.at, self.text)
        }
    }
}
