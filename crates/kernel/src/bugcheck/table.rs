//! The table of bug checks, `bugchecks.txt`: people read and correct it; its head says how it is written.

use super::{Argument, BugCheck, Case, Lead};
use rkd_dump::error::{Error, Result};
use std::sync::LazyLock;

const TEXT: &str = include_str!("bugchecks.txt");

/// All bug checks, by code. A line of the table that breaks its rules would cut it short here; a test sees to it that there is
/// none.
pub(super) static TABLE: LazyLock<Vec<BugCheck>> = LazyLock::new(|| {
    let mut checks = Vec::new();
    let _ = parse(TEXT, &mut checks);
    checks
});

/// What a line says of arguments: `3 text`, or `2-4 text` of several at once.
struct Said {
    arguments: std::ops::RangeInclusive<usize>,
    argument: Argument,
}

/// Reads the table into `checks`, as far as its rules are kept.
///
/// # Errors
/// [`Error::Corrupt`] with the number of the first line that breaks a rule.
fn parse(text: &'static str, checks: &mut Vec<BugCheck>) -> Result<()> {
    for (number, line) in text.lines().enumerate() {
        let broken = |rule| Error::Corrupt {
            what: format!("line {} of the table of bug checks", number + 1),
            why: format!("here stands {rule}"),
        };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(inner) = line.strip_prefix("  ") else {
            let check = heading(line).ok_or_else(|| broken("a code and a name"))?;
            checks.push(check);
            continue;
        };
        let check = checks
            .last_mut()
            .ok_or_else(|| broken("a code and a name first"))?;
        if !inner.starts_with(|first: char| first.is_ascii_digit()) {
            check.what = inner;
        } else if let Some(said) = said(inner) {
            set(&mut check.arguments, said);
        } else {
            let case = case(inner).ok_or_else(|| broken("an argument, or a case of one"))?;
            check.cases.push(case);
        }
    }
    Ok(())
}

fn heading(line: &'static str) -> Option<BugCheck> {
    let (code, name) = line.split_once(' ')?;
    Some(BugCheck {
        code: u32::from_str_radix(code, 16).ok()?,
        name,
        what: "",
        arguments: [Argument::default(); 4],
        cases: Vec::new(),
    })
}

fn said(text: &'static str) -> Option<Said> {
    let (numbers, text) = text.split_once(' ')?;
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    let is_right = (1..=4).contains(&first) && (first..=4).contains(&last);
    is_right.then_some(Said {
        arguments: first..=last,
        argument: argument(text)?,
    })
}

fn set<T: From<Argument>>(arguments: &mut [T; 4], said: Said) {
    for (number, place) in arguments.iter_mut().enumerate() {
        if said.arguments.contains(&(number + 1)) {
            *place = said.argument.into();
        }
    }
}

fn case(text: &'static str) -> Option<Case> {
    let mut parts = text.split(" | ");
    let (condition, meaning) = parts.next()?.split_once(' ')?;
    let (selector, values) = condition.split_once('=')?;
    let mut case = Case {
        selector: selector.parse().ok()?,
        values: values
            .split(',')
            .map(|value| u64::from_str_radix(value, 16).ok())
            .collect::<Option<_>>()?,
        arguments: [None; 4],
    };
    let place = case.arguments.get_mut(case.selector.checked_sub(1)?)?;
    *place = Some(argument(meaning)?);
    for part in parts {
        set(&mut case.arguments, said(part)?);
    }
    Some(case)
}

/// The text of an argument without the mark of what leads from it.
fn argument(text: &'static str) -> Option<Argument> {
    let Some((text, mark)) = text
        .strip_suffix(']')
        .and_then(|text| text.rsplit_once(" ["))
    else {
        return Some(Argument { text, lead: None });
    };
    let lead = match mark {
        "code" => Lead::Code,
        "exception" => Lead::Exception,
        "context" => Lead::Context,
        "irp" => Lead::Request,
        "device" => Lead::Device,
        "driver" => Lead::Driver,
        "name" => Lead::Name,
        _ => return None,
    };
    Some(Argument {
        text,
        lead: Some(lead),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<BugCheck> {
        let mut checks = Vec::new();
        parse(TEXT, &mut checks).unwrap();
        checks
    }

    #[test]
    fn every_line_keeps_the_rules() {
        let checks = table();
        assert!(checks.is_sorted_by(|a, b| a.code < b.code));
        for check in &checks {
            assert!(check.what.ends_with('.'), "{}: {}", check.name, check.what);
            let texts = check.arguments.iter().map(|argument| argument.text);
            for text in texts.chain(check.cases.iter().flat_map(|case| {
                let texts = case.arguments.iter().flatten();
                texts.map(|argument| argument.text)
            })) {
                assert!(!text.is_empty(), "{} lacks an argument", check.name);
                assert!(!text.contains([']', '|', '=']), "{}: {text}", check.name);
            }
            let values: Vec<_> = check
                .cases
                .iter()
                .flat_map(|case| case.values.iter().map(|value| (case.selector, *value)))
                .collect();
            let mut once = values.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), values.len(), "{} says a case twice", check.name);
        }
    }

    #[test]
    fn broken_lines_are_found() {
        for (text, line) in [
            ("  1 no name before it\n", 1),
            ("1 A\n  What.\n  5 no such argument\n", 3),
            ("1 A\n  1-9 no such argument\n", 2),
            ("1 A\n  1 text [nothing]\n", 2),
            ("XYZ A\n", 1),
            ("1 A\n  1=zz text\n", 2),
            ("1 A\n  5=1 text\n", 2),
            ("1 A\n  1=1 text | nothing\n", 2),
        ] {
            let mistake = parse(text, &mut Vec::new()).unwrap_err();
            assert!(
                mistake.to_string().contains(&format!("line {line} ")),
                "{text}: {mistake}"
            );
        }
    }
}
