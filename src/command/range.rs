//! Ranges of memory as kd's commands take them: `addr L n`, `addr L?n`, `addr L-n`, `addr end`.

use super::masm::{self, Scope};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};

/// Above this many bytes a range must be asked for with `L?`; kd has the limit against slips of the finger.
pub const LIMIT: u64 = 256 << 20;

/// A start, and a length if one was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub start: Virt,
    /// Bytes, never 0 and never past the end of the address space; `None` when only a start was given.
    pub length: Option<u64>,
}

impl Range {
    /// Reads the range at the start of `text`; the text after it, without leading blanks, is given back.
    ///
    /// Lengths after `L` count objects of `unit` bytes. The second of two addresses belongs to the range. Errors are kd's `Range error`
    /// for lengths of 0, above [`LIMIT`] without `L?`, or an end before the start, and those of expressions.
    pub fn parse<'t>(scope: &dyn Scope, text: &'t str, unit: u64) -> Result<(Range, &'t str)> {
        Range::read(scope, text, unit, false)
    }

    /// [`parse`](Range::parse) without the limit where both ends are written out: nobody does that by a slip of the finger.
    pub fn parse_to_the_end<'t>(
        scope: &dyn Scope,
        text: &'t str,
        unit: u64,
    ) -> Result<(Range, &'t str)> {
        Range::read(scope, text, unit, true)
    }

    fn read<'t>(
        scope: &dyn Scope,
        text: &'t str,
        unit: u64,
        ends_are_meant: bool,
    ) -> Result<(Range, &'t str)> {
        let (start, rest) = masm::evaluate_prefix(scope, text)?;
        let error = || Error::Range(text.to_string());
        let (start, length, unlimited, rest) = if let Some(after) = rest.strip_prefix(['L', 'l']) {
            let after = after.trim_start();
            if let Some(after) = after.strip_prefix('?') {
                let (count, rest) = masm::evaluate_prefix(scope, after)?;
                (start, count.saturating_mul(unit), true, rest)
            } else if let Some(after) = after.strip_prefix('-') {
                let (count, rest) = masm::evaluate_prefix(scope, after)?;
                let length = count.saturating_mul(unit);
                (
                    start.checked_sub(length).ok_or_else(error)?,
                    length,
                    false,
                    rest,
                )
            } else {
                let (count, rest) = masm::evaluate_prefix(scope, after)?;
                (start, count.saturating_mul(unit), false, rest)
            }
        } else if rest.is_empty() || rest.starts_with('"') {
            return Ok((
                Range {
                    start: Virt(start),
                    length: None,
                },
                rest,
            ));
        } else {
            let (end, rest) = masm::evaluate_prefix(scope, rest)?;
            (
                start,
                end.checked_sub(start).ok_or_else(error)?.saturating_add(1),
                ends_are_meant,
                rest,
            )
        };
        if length == 0 || length > LIMIT && !unlimited {
            return Err(error());
        }
        let room = (u64::MAX - start).saturating_add(1);
        Ok((
            Range {
                start: Virt(start),
                length: Some(length.min(room)),
            },
            rest,
        ))
    }

    /// [`parse`](Range::parse) where a length is a must.
    pub fn parse_bounded<'t>(
        scope: &dyn Scope,
        text: &'t str,
        unit: u64,
    ) -> Result<(Virt, u64, &'t str)> {
        match Range::parse(scope, text, unit)? {
            (
                Range {
                    start,
                    length: Some(length),
                },
                rest,
            ) => Ok((start, length, rest)),
            _ => Err(Error::Range(text.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::masm::Numbers;

    fn read(text: &str, unit: u64) -> Result<(u64, Option<u64>, String), String> {
        Range::parse(&Numbers { radix: 16 }, text, unit)
            .map(|(range, rest)| (range.start.0, range.length, rest.to_string()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_form() {
        for (text, unit, start, length, rest) in [
            ("1000", 1, 0x1000, None, ""),
            ("1000 L20", 1, 0x1000, Some(0x20), ""),
            ("1000 L 20", 4, 0x1000, Some(0x80), ""),
            ("1000l20", 4, 0x1000, Some(0x80), ""),
            (
                "1000 L?0x9000 \"Leak\"",
                1,
                0x1000,
                Some(0x9000),
                "\"Leak\"",
            ),
            (
                "1000 L? 0x9000 \"Leak\"",
                1,
                0x1000,
                Some(0x9000),
                "\"Leak\"",
            ),
            ("1000 L?20000000", 1, 0x1000, Some(0x2000_0000), ""),
            ("1000 L-10", 2, 0xfe0, Some(0x20), ""),
            ("1000 1fff 4c 65", 1, 0x1000, Some(0x1000), "4c 65"),
            ("1000 + 10 L8", 1, 0x1010, Some(8), ""),
            ("1000 \"Leak\"", 1, 0x1000, None, "\"Leak\""),
            (
                "fffff807`47f50000 fffff807`47f59000 \"Leak\"",
                1,
                0xffff_f807_47f5_0000,
                Some(0x9001),
                "\"Leak\"",
            ),
            (
                "ffffffff`ffffff00 L?ffffffff`ffffffff",
                8,
                0xffff_ffff_ffff_ff00,
                Some(0x100),
                "",
            ),
            ("0 ffffffff`ffffffff", 1, 0, None, "refused"),
            ("0 L?ffffffff`ffffffff", 1, 0, Some(u64::MAX), ""),
        ] {
            if rest == "refused" {
                assert_eq!(read(text, unit), Err(format!("Range error in '{text}'")));
            } else {
                assert_eq!(
                    read(text, unit),
                    Ok((start, length, rest.to_string())),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn two_addresses_may_be_far_apart_where_that_is_meant() {
        let scope = Numbers { radix: 16 };
        let read = |text| Range::parse_to_the_end(&scope, text, 1).map(|(range, _)| range.length);
        assert_eq!(read("0 ffffffff`ffffffff").unwrap(), Some(u64::MAX));
        assert_eq!(read("1000 90000fff").unwrap(), Some(0x9000_0000));
        assert!(read("1000 L90000000").is_err() && read("1000 10").is_err());
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "1000 L0",
            "1000 10",
            "1000 L10000001",
            "1000 L-2000",
            "1000 L-0",
        ] {
            assert_eq!(read(text, 1), Err(format!("Range error in '{text}'")));
        }
        assert_eq!(
            read("1000 Leak", 1),
            Err("Couldn't resolve error at 'eak'".into())
        );
        assert_eq!(
            read("", 1),
            Err("Numeric expression missing from '<EOL>'".into())
        );
        assert_eq!(
            read("1000 L", 1),
            Err("Numeric expression missing from '<EOL>'".into())
        );
    }
}
