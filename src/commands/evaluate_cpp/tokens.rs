//! The words and signs of a C++ expression. A symbol with its module is one word.

use rkd_dump::error::{Error, Result};

/// A word, a number or a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    /// As it is written.
    pub text: &'t str,
    /// Where it starts, in bytes.
    pub start: usize,
}

/// Longest first.
const SIGNS: [&str; 27] = [
    "->", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+", "-", "*", "/", "%", "<", ">", "&",
    "^", "|", "(", ")", "[", "]", ".", ",", "~", "!",
];

/// Cuts a text into tokens.
///
/// # Errors
/// At the first character that the language has no use for.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>> {
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let blanks = rest.len() - rest.trim_start().len();
        if blanks > 0 {
            start += blanks;
            continue;
        }
        let length = match length(rest) {
            0 => return Err(Error::Syntax(format!("Syntax error at '{rest}'"))),
            length => length,
        };
        let token = rest.get(..length).unwrap_or_default();
        found.push(Token { text: token, start });
        start += length;
    }
    Ok(found)
}

fn length(rest: &str) -> usize {
    let word = |from: usize| {
        let tail = rest.get(from..).unwrap_or_default();
        from + tail
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '`')))
            .unwrap_or(tail.len())
    };
    // `@@masm( ... )` is one token: the other language has its own.
    if rest.starts_with("@@") {
        return switch(rest);
    }
    let first = rest.chars().next().unwrap_or_default();
    if matches!(first, '@' | '#') {
        let end = word(1);
        return if end > 1 { end } else { 0 };
    }
    if first.is_ascii_digit() {
        return word(0);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let mut end = word(0);
        // `nt!_EPROCESS`, `driver!shapes::Square`; but `a != b`.
        loop {
            let tail = rest.get(end..).unwrap_or_default();
            let joint = ["!", "::"].into_iter().find(|joint| {
                tail.strip_prefix(joint).is_some_and(|next| {
                    next.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$'))
                })
            });
            match joint {
                Some(joint) => end = word(end + joint.len()),
                None => return end,
            }
        }
    }
    SIGNS
        .iter()
        .find(|sign| rest.starts_with(**sign))
        .map_or(0, |sign| sign.len())
}

/// The length of `@@masm(...)` or `@@(...)` with its brackets; 0 when they are never closed.
fn switch(rest: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in rest.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth <= 1 => return at + 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        tokens(text)
            .unwrap()
            .into_iter()
            .map(|token| token.text)
            .collect()
    }

    #[test]
    fn words_numbers_and_signs() {
        assert_eq!(
            cut("((nt!_EPROCESS *)0xffff`1)->Pcb.Header[2] != @$proc"),
            [
                "(",
                "(",
                "nt!_EPROCESS",
                "*",
                ")",
                "0xffff`1",
                ")",
                "->",
                "Pcb",
                ".",
                "Header",
                "[",
                "2",
                "]",
                "!=",
                "@$proc"
            ]
        );
        assert_eq!(
            cut("sizeof(driver!shapes::Square)"),
            ["sizeof", "(", "driver!shapes::Square", ")"]
        );
        assert_eq!(
            cut("@@masm(poi(nt) + 1) >> 2"),
            ["@@masm(poi(nt) + 1)", ">>", "2"]
        );
        assert_eq!(
            cut("#FIELD_OFFSET(nt!_X, A.B)"),
            ["#FIELD_OFFSET", "(", "nt!_X", ",", "A", ".", "B", ")"]
        );
        assert_eq!(cut("a!=b"), ["a", "!=", "b"]);
        assert_eq!(
            tokens("1 \u{1F980}").unwrap_err().to_string(),
            "Syntax error at '\u{1F980}'"
        );
        assert!(tokens("@@masm(1").is_err() && tokens("@").is_err());
    }
}
