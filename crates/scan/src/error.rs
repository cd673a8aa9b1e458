//! What cannot be searched for, and why.

use super::engine::{MAX_BYTES, MAX_PATTERNS};
use super::pattern::MAX_LEN;
use rkd_dump::error::Error;

/// Why something cannot be searched for. The text is a whole sentence without a full stop.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A set without patterns.
    #[error("there is no pattern to search for")]
    NoPattern,
    /// A pattern of no bytes.
    #[error("an empty pattern would match everywhere: give at least one byte")]
    Empty,
    /// A pattern of which every bit may be anything.
    #[error("a pattern without one fixed bit would match everywhere")]
    NoFixedBit,
    /// A pattern of so many bytes: more than [`MAX_LEN`].
    #[error("a pattern of {0} bytes is too long: at most {MAX_LEN} bytes can be searched for")]
    TooLong(usize),
    /// A set of more than [`MAX_PATTERNS`], or of more than [`MAX_BYTES`].
    #[error(
        "{patterns} patterns of {bytes} bytes together are too many: at most {MAX_PATTERNS} patterns of {MAX_BYTES} bytes"
    )]
    TooMany {
        /// How many there are.
        patterns: usize,
        /// The sum of their lengths.
        bytes: usize,
    },
    /// Bytes and their mask differ in length.
    #[error("a pattern of {bytes} bytes cannot have a mask of {mask}")]
    MaskLength {
        /// How many bytes there are.
        bytes: usize,
        /// How many bytes the mask has.
        mask: usize,
    },
    /// The hexadecimal text has an odd number of digits.
    #[error("half a byte at the end of the pattern '{0}'")]
    HalfByte(String),
    /// Something in the hexadecimal text is neither a digit nor `?`.
    #[error("'{digit}' is no digit in the pattern '{pattern}'")]
    NoDigit {
        /// The character.
        digit: char,
        /// The whole text.
        pattern: String,
    },
    /// What is no regular expression.
    #[error(transparent)]
    Regex(#[from] ::regex::Error),
    /// A regular expression that matches no bytes at all.
    #[error(
        "the expression '{0}' matches nothing at all, and so everywhere: let it match at least one byte"
    )]
    MatchesNothing(String),
}

impl From<PatternError> for Error {
    fn from(error: PatternError) -> Error {
        Error::Syntax(error.to_string())
    }
}
