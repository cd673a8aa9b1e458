//! Colours, added to finished text and never changing a character of it.

use owo_colors::{OwoColorize as _, Style};
use std::borrow::Cow;

/// Paints when it is on; otherwise hands the text back as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    /// Whether there is somebody to see colours.
    pub on: bool,
}

impl Paint {
    fn with<'t>(self, style: Style, text: &'t str) -> Cow<'t, str> {
        if !self.on || text.trim().is_empty() {
            return Cow::Borrowed(text);
        }
        // A style must end with its line: pagers and `grep` show lines alone.
        let lines: Vec<String> = text
            .split('\n')
            .map(|line| match line.trim() {
                "" => line.to_string(),
                _ => line.style(style).to_string(),
            })
            .collect();
        Cow::Owned(lines.join("\n"))
    }

    /// The prompt.
    pub fn prompt<'t>(self, text: &'t str) -> Cow<'t, str> {
        self.with(Style::new().green().bold(), text)
    }

    /// Headings: what only kd's look has.
    pub fn heading<'t>(self, text: &'t str) -> Cow<'t, str> {
        self.with(Style::new().dimmed(), text)
    }

    /// A remark beside kd's text.
    pub fn note<'t>(self, text: &'t str) -> Cow<'t, str> {
        self.with(Style::new().yellow().dimmed(), text)
    }

    /// A failure.
    pub fn error<'t>(self, text: &'t str) -> Cow<'t, str> {
        self.with(Style::new().red(), text)
    }

    /// The name of a command, in the line that is being typed.
    pub fn command<'t>(self, text: &'t str) -> Cow<'t, str> {
        self.with(Style::new().bold(), text)
    }

    /// What would be typed next, not typed yet.
    pub fn hint<'t>(self, text: &'t str) -> Cow<'t, str> {
        self.with(Style::new().dimmed(), text)
    }

    /// An explanation between commands, as in the demo.
    pub fn lesson<'t>(self, text: &'t str) -> Cow<'t, str> {
        self.with(Style::new().cyan(), text)
    }

    /// A row's text: addresses in cyan, and bold in a hit of a search, where they are what was asked for.
    pub fn row<'t>(self, kind: &str, text: &'t str) -> Cow<'t, str> {
        if !self.on || !text.contains('`') {
            return Cow::Borrowed(text);
        }
        let style = if kind == "hit" {
            Style::new().cyan().bold()
        } else {
            Style::new().cyan()
        };
        let mut painted = String::with_capacity(text.len() * 2);
        let mut rest = text;
        while let Some(at) = find_address(rest) {
            let (before, from) = rest.split_at(at);
            let (address, after) = from.split_at(ADDRESS_LENGTH);
            painted.push_str(before);
            painted.push_str(&address.style(style).to_string());
            rest = after;
        }
        painted.push_str(rest);
        Cow::Owned(painted)
    }
}

/// Characters in `` fffff807`47f50000 ``.
const ADDRESS_LENGTH: usize = 17;

/// Where the next address begins: eight hexadecimal digits, a back-tick, eight more, and no digit around them.
fn find_address(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digit = |b: &u8| b.is_ascii_hexdigit();
    bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'`')
        .find_map(|(tick, _)| {
            let start = tick.checked_sub(8)?;
            let whole = bytes.get(start..tick)?.iter().all(digit)
                && bytes.get(tick + 1..tick + 9)?.iter().all(digit)
                && !bytes.get(start.wrapping_sub(1)).is_some_and(digit)
                && !bytes.get(tick + 9).is_some_and(digit);
            whole.then_some(start)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    const ON: Paint = Paint { on: true };

    #[test]
    fn painting_changes_no_character() {
        let text = "fffff807`47f50000 fffff807`47f59000   myfault    (deferred)\n  `x` 1`2 fffff807`4 ä`fffff807`47f50000";
        for kind in ["hit", "module"] {
            let painted = ON.row(kind, text);
            assert_ne!(painted, text);
            assert_eq!(strip_str(&painted).to_string(), text);
        }
        for painted in [
            ON.heading("a\nb"),
            ON.note("a\nb"),
            ON.error("a\nb"),
            ON.prompt("a\nb"),
        ] {
            assert_eq!(strip_str(&painted).to_string(), "a\nb");
        }
    }

    #[test]
    fn addresses_are_found_whole() {
        assert_eq!(
            ON.row("module", "a fffff807`47f50000 b"),
            "a \x1b[36mfffff807`47f50000\x1b[0m b"
        );
        assert_eq!(
            ON.row("module", "0fffff807`47f50000 fffff807`47f500000"),
            "0fffff807`47f50000 fffff807`47f500000"
        );
    }

    #[test]
    fn every_line_ends_its_own_colour() {
        assert_eq!(ON.error("a\nb"), "\x1b[31ma\x1b[0m\n\x1b[31mb\x1b[0m");
        assert_eq!(ON.heading(" \n"), " \n");
    }

    #[test]
    fn off_is_off() {
        let off = Paint::default();
        assert_eq!(off.row("hit", "fffff807`47f50000"), "fffff807`47f50000");
        assert_eq!(off.error("x"), "x");
    }
}
