//! Regular expressions on bytes, over memory that is in pieces.

use super::coverage::Coverage;
use super::error::PatternError;
use super::serial::{Step, walk};
use super::source::Source;
use super::span::Span;
use ::regex::bytes::RegexBuilder;
use rkd_dump::error::Result;
use std::sync::atomic::AtomicBool;

/// Every match up to this length, in bytes, is found whole; a longer one may be cut.
pub const MAX_MATCH: usize = 4096;

/// A regular expression. Characters are bytes, `.` is any byte, `\x00` a zero; letters have the case that is written
/// (`(?i)` for either).
#[derive(Clone, Debug)]
pub struct Regex(::regex::bytes::Regex);

impl Regex {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`PatternError::Regex`] when it is none, [`PatternError::MatchesNothing`] when it would match everywhere.
    pub fn new(text: &str) -> Result<Regex, PatternError> {
        let regex = RegexBuilder::new(text)
            .unicode(false)
            .dot_matches_new_line(true)
            .build()?;
        if regex.is_match(b"") {
            return Err(PatternError::MatchesNothing(text.to_owned()));
        }
        Ok(Regex(regex))
    }

    /// How it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Hands over the address and the bytes of every match, in order; a match begins where the one before has ended, or later.
    ///
    /// When the flag is set, or `take` answers [`Error::Stopped`](rkd_dump::error::Error::Stopped), the account says where that was.
    ///
    /// # Errors
    /// Whatever else `take` answers.
    pub fn find(
        &self,
        source: &Source,
        spans: &[Span],
        stop: &AtomicBool,
        mut take: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<Coverage> {
        let mut refused = None;
        let mut take = |at: u64, found: &[u8]| take(at, found).inspect_err(|_| refused = Some(at));
        let mut run = Run::default();
        let coverage = walk(source, spans, stop, |step| {
            let Step::Block {
                address,
                bytes,
                follows,
            } = step
            else {
                run.matches(&self.0, true, &mut take)?;
                run = Run::default();
                return Ok(());
            };
            if !follows {
                run.matches(&self.0, true, &mut take)?;
                run = Run {
                    base: address,
                    ..Run::default()
                };
            }
            run.bytes.extend_from_slice(bytes);
            run.matches(&self.0, false, &mut take)
        })?;
        Ok(match refused {
            Some(at) => coverage.cut_at(source, at),
            None => coverage,
        })
    }
}

/// Memory without a hole, of which the end is kept.
#[derive(Default)]
struct Run {
    base: u64,
    bytes: Vec<u8>,
    /// Where in `bytes` the next match may begin. One byte before it is kept: `\b` and `^` look at it.
    next: usize,
}

impl Run {
    /// Hands over the matches of which the end is sure: all when the run has ended, else those with enough bytes behind them.
    fn matches(
        &mut self,
        regex: &::regex::bytes::Regex,
        ended: bool,
        take: &mut impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let sure = if ended {
            self.bytes.len()
        } else {
            self.bytes.len().saturating_sub(MAX_MATCH)
        };
        while self.next < sure
            && let Some(found) = regex.find_at(&self.bytes, self.next)
            && found.start() < sure
        {
            if !found.is_empty() {
                take(
                    self.base.wrapping_add(found.start() as u64),
                    found.as_bytes(),
                )?;
            }
            self.next = found.end().max(found.start() + 1);
        }
        self.next = self.next.max(sure);
        let done = self.next.saturating_sub(1).min(self.bytes.len());
        self.bytes.drain(..done);
        self.base = self.base.wrapping_add(done as u64);
        self.next -= done;
        Ok(())
    }
}
