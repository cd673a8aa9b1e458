//! The account of a search: what was asked for, what was read, and why the rest could not be.

use super::source::Source;
use super::span::Span;
use rkd_dump::addr::PAGE_SIZE;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many holes' reasons are looked up for one span; page tables can have millions of holes.
const MAX_EXPLAINED_HOLES: u32 = 100_000;

/// How much of a span was searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Bytes that were to be searched.
    pub asked: u64,
    /// Bytes that were there, and were searched.
    pub read: u64,
    /// Bytes that were not there, by reason, the first reason first.
    pub missing: Vec<(&'static str, u64)>,
    /// The first missing address as it is written, and the whole reason.
    pub first_missing: Option<(String, String)>,
    /// Where the search was stopped, as it is written; everything before was searched.
    pub stopped_at: Option<String>,
    /// Whether the tables mapped so much more than the dump holds that the search gave up.
    pub gave_up: bool,
    reasons: u32,
}

impl Coverage {
    /// An account of nothing yet.
    pub(super) fn of(span: Span) -> Coverage {
        let asked = span
            .last()
            .map_or(0, |last| (last - span.start).saturating_add(1));
        Coverage {
            asked,
            ..Coverage::default()
        }
    }

    /// Accounts for a hole, both ends inclusive. Somebody who has set the flag does not wait for the reasons.
    pub(super) fn hole(&mut self, source: &Source, first: u64, last: u64, stop: &AtomicBool) {
        if self.first_missing.is_none() {
            self.first_missing = Some((source.name(first), source.fault(first)));
        }
        let mut at = first;
        loop {
            let (why, end) = if self.reasons < MAX_EXPLAINED_HOLES && !stop.load(Ordering::Relaxed)
            {
                source.explain(at)
            } else {
                ("not looked into", u64::MAX)
            };
            self.reasons = self.reasons.saturating_add(1);
            let end = end.clamp(at, last);
            let bytes = (end - at).saturating_add(1);
            match self.missing.iter_mut().find(|(known, _)| *known == why) {
                Some((_, sum)) => *sum = sum.saturating_add(bytes),
                None => self.missing.push((why, bytes)),
            }
            if end == last {
                return;
            }
            at = end + 1;
        }
    }

    /// The same when what was found at an address was not taken any more.
    pub(super) fn cut_at(self, source: &Source, at: u64) -> Coverage {
        Coverage {
            stopped_at: Some(source.name(at)),
            ..self
        }
    }

    /// Whether everything that was asked for was searched.
    pub fn is_complete(&self) -> bool {
        self.read >= self.asked
    }

    /// The sum of two accounts; the first reasons and stops are kept.
    pub fn plus(mut self, other: &Coverage) -> Coverage {
        self.asked = self.asked.saturating_add(other.asked);
        self.read = self.read.saturating_add(other.read);
        for &(why, bytes) in &other.missing {
            match self.missing.iter_mut().find(|(known, _)| *known == why) {
                Some((_, sum)) => *sum = sum.saturating_add(bytes),
                None => self.missing.push((why, bytes)),
            }
        }
        self.first_missing = self.first_missing.or_else(|| other.first_missing.clone());
        self.stopped_at = self.stopped_at.or_else(|| other.stopped_at.clone());
        self.gave_up |= other.gave_up;
        self
    }
}

/// `9 of 9 pages searched`, or `3 of 9 pages searched (4 paged out, 2 not in the dump); the first missing address is …: why`.
/// In bytes where a figure is not a number of whole pages.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut figures = self
            .missing
            .iter()
            .map(|(_, bytes)| *bytes)
            .chain([self.asked, self.read]);
        let in_pages = self.asked > 0 && figures.all(|bytes| bytes.is_multiple_of(PAGE_SIZE));
        let count = |bytes: u64| {
            if in_pages {
                (bytes / PAGE_SIZE).to_string()
            } else {
                format!("{bytes:#x}")
            }
        };
        let unit = match (in_pages, self.asked) {
            (true, PAGE_SIZE) => "page",
            (true, _) => "pages",
            (false, 1) => "byte",
            (false, _) => "bytes",
        };
        write!(
            f,
            "{} of {} {unit} searched",
            count(self.read),
            count(self.asked)
        )?;
        for (i, (why, bytes)) in self.missing.iter().enumerate() {
            write!(
                f,
                "{}{} {why}",
                if i == 0 { " (" } else { ", " },
                count(*bytes)
            )?;
        }
        if !self.missing.is_empty() {
            f.write_str(")")?;
        }
        if let Some((at, why)) = &self.first_missing {
            write!(f, "; the first missing address is {at}: {why}")?;
        }
        if let Some(at) = &self.stopped_at {
            write!(f, "; stopped at {at}, everything before it was searched")?;
        }
        if self.gave_up {
            f.write_str(
                "; given up: the page tables are damaged and map the same memory again and again",
            )?;
        }
        Ok(())
    }
}
