//! Makes text that stood in a dump safe to show: nothing in it may command the terminal or a spreadsheet.
//!
//! Module names, pool tags and command lines are written by whoever crashed the machine. A terminal obeys escape codes
//! in them (titles, colours, on some terminals even answers that look typed), bidirectional marks turn `exe.fdp`
//! round, and a spreadsheet runs a cell that begins with `=`.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character would act on a terminal, or hide, instead of being shown.
///
/// The C0 and C1 controls (C1 too: `U+009B` is an escape sequence's start for terminals that know UTF-8), and the
/// invisible and direction-changing characters of Unicode. Newline and tab stay: they are kd's own.
fn acts(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        c if c.is_control() => true,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => {
            true
        }
        '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

/// Whether there is nothing but letters, signs and kd's own controls of ASCII: nearly all lines, of which there may be millions.
fn is_harmless(text: &str) -> bool {
    let harmless = |byte: &u8| matches!(byte, 0x20..0x7f | b'\n' | b'\t');
    text.as_bytes()
        .iter()
        .fold(true, |all, byte| all & harmless(byte))
}

/// Text for a terminal: what would act is shown as `.`, as kd shows unprintable bytes.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !is_harmless(text) && text.contains(acts) {
        Cow::Owned(
            text.chars()
                .map(|c| if acts(c) { '.' } else { c })
                .collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// A cell of text for a spreadsheet: [`plain`], and a leading apostrophe before what would be taken for a formula
/// (`=`, `+`, `-`, `@`, or a tab or line break in front of one).
pub fn cell(text: &str) -> Cow<'_, str> {
    let text = plain(text);
    if text.starts_with(['=', '+', '-', '@', '\t', '\n']) {
        Cow::Owned(format!("'{text}"))
    } else {
        text
    }
}

/// The inside of a JSON string whose quotes and C0 controls are already escaped: also escapes what [`plain`] would
/// hide, so that a document shown on a terminal is harmless and still says exactly what stood in the dump.
pub fn json_fragment(fragment: &str) -> Cow<'_, str> {
    if !fragment.contains(acts) {
        return Cow::Borrowed(fragment);
    }
    let mut escaped = String::with_capacity(fragment.len() + 8);
    for c in fragment.chars() {
        if acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shown_dots() {
        for (text, shown) in [
            ("Leak", "Leak"),
            ("\tUNKNOWN pooltag 'Leak'\n", "\tUNKNOWN pooltag 'Leak'\n"),
            ("\x1b[2J\x1b]0;owned\x07", ".[2J.]0;owned."),
            ("a\rb\x08c\x7fd\0e", "a.b.c.d.e"),
            ("csi \u{9b}31m", "csi .31m"),
            ("exe\u{202e}fdp.\u{200b}", "exe.fdp.."),
            ("tag \u{e0041}", "tag ."),
            ("Größe 日本語 😀", "Größe 日本語 😀"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn a_spreadsheet_gets_no_formulas() {
        for (text, shown) in [
            ("Leak", "Leak"),
            ("", ""),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", ".=1"),
            ("a=1", "a=1"),
        ] {
            assert_eq!(cell(text), shown);
        }
    }

    #[test]
    fn json_keeps_what_it_escapes() {
        let text = "a\u{9b}b\u{7f}c\u{202e}d\u{e0041}e";
        let json = format!("\"{}\"", json_fragment(text));
        assert_eq!(json, r#""a\u009bb\u007fc\u202ed\udb40\udc41e""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
