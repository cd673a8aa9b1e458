//! Figures as people and programs write them: `4991221760`, `4,991,221,760`, `4.991.221.760`, `4 991 221 760`, `760.0 MB`.

use super::heading::{Unit, heading_unit};

/// A figure in a cell, whose unit is that of its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// An integer, grouped or not.
    Whole(u64),
    /// `digits` with so many places behind the mark.
    Decimal {
        digits: u64,
        places: u32,
        mark: char,
    },
    /// One mark before three digits: a group, or places.
    Either { digits: u64, mark: char },
}

/// What separates groups somewhere: comma, full stop, blanks of three widths, apostrophes, underscore.
fn separates(char: char) -> bool {
    " ,.'_\u{a0}\u{202f}\u{2009}\u{2019}".contains(char)
}

/// Reads a cell, with the unit that stands behind the figure if one does.
pub(super) fn figure(text: &str) -> Option<(Figure, Option<Unit>)> {
    let text = text.trim();
    let end = text.find(char::is_alphabetic).unwrap_or(text.len());
    let (number, behind) = text.split_at_checked(end)?;
    let behind = match behind {
        "" => None,
        word => Some(heading_unit(word)?),
    };
    Some((number_of(number.trim_end())?, behind))
}

fn number_of(text: &str) -> Option<Figure> {
    let groups: Vec<&str> = text.split(separates).collect();
    let marks: Vec<char> = text.chars().filter(|&char| separates(char)).collect();
    if groups
        .iter()
        .any(|g| g.is_empty() || !g.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    let digits: u64 = groups.concat().parse().ok()?;
    let (&last, &mark) = match (groups.last(), marks.last()) {
        (Some(last), Some(mark)) => (last, mark),
        _ => return Some(Figure::Whole(digits)),
    };
    let earlier = marks.get(..marks.len() - 1)?;
    let decimal = || Figure::Decimal {
        digits,
        places: u32::try_from(last.len()).unwrap_or(u32::MAX),
        mark,
    };
    let is_mark = mark == '.' || mark == ',';
    let first = groups.first()?;
    match earlier.first() {
        Some(&group) if group != mark => {
            let whole = groups.get(..groups.len() - 1)?;
            let even = earlier.iter().all(|&char| char == group) && grouped(whole);
            (is_mark && even).then(decimal)
        }
        Some(_) => (earlier.iter().all(|&char| char == mark) && grouped(&groups))
            .then_some(Figure::Whole(digits)),
        None if !is_mark => grouped(&groups).then_some(Figure::Whole(digits)),
        None if grouped(&groups) && !first.starts_with('0') => {
            Some(Figure::Either { digits, mark })
        }
        None => Some(decimal()),
    }
}

/// Groups of three, or as in India of two before the last three.
fn grouped(groups: &[&str]) -> bool {
    let Some(([first, middle @ ..], last)) = groups.split_last().map(|(l, rest)| (rest, l)) else {
        return false;
    };
    let even = |size: usize| first.len() <= size && middle.iter().all(|group| group.len() == size);
    last.len() == 3 && (even(3) || even(2))
}

impl Figure {
    /// The character before its places, where it must be one.
    pub(super) fn mark(self) -> Option<char> {
        match self {
            Figure::Decimal { mark, .. } => Some(mark),
            _ => None,
        }
    }

    /// An integer: a number of allocations is no fraction.
    pub(super) fn count(self) -> Option<u64> {
        match self {
            Figure::Whole(number) | Figure::Either { digits: number, .. } => Some(number),
            Figure::Decimal { digits, places, .. } => {
                let one = 10u64.checked_pow(places)?;
                digits.is_multiple_of(one).then_some(digits / one)
            }
        }
    }

    /// The bytes, and by how much they may be off because the figure was rounded. `mark` is what the table has before places,
    /// if that is known.
    pub(super) fn bytes(self, unit: Unit, mark: Option<char>) -> Option<(u64, u64)> {
        let (digits, places) = match self {
            _ if unit.0 == 1 => return Some((self.count()?, 0)),
            Figure::Whole(number) => (number, 0),
            Figure::Decimal { digits, places, .. } => (digits, places),
            Figure::Either { digits, mark: own } => match mark? == own {
                true => (digits, 3),
                false => (digits, 0),
            },
        };
        let one = 10u128.checked_pow(places)?;
        let scaled = u128::from(digits).checked_mul(unit.0.into())? + one / 2;
        let off = u128::from(unit.0).div_ceil(2 * one);
        Some((u64::try_from(scaled / one).ok()?, u64::try_from(off).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_as_people_group_them() {
        for text in [
            "4991221760",
            "4,991,221,760",
            "4.991.221.760",
            "4 991 221 760",
            "4\u{a0}991\u{a0}221\u{a0}760",
            "4\u{202f}991\u{202f}221\u{202f}760",
            "4'991'221'760",
            "4\u{2019}991\u{2019}221\u{2019}760",
            "4,99,12,21,760",
        ] {
            let read = figure(text).unwrap();
            assert_eq!(read, (Figure::Whole(4_991_221_760), None), "{text}");
        }
        for text in [
            "", "-", "1,2,3", "1.2.3,4", "12x", "1,,000", "(3", "0x10", "1 MX",
        ] {
            assert_eq!(figure(text), None, "{text}");
        }
    }

    #[test]
    fn a_figure_with_places_is_scaled_and_says_how_exact_it_is() {
        const MB: Unit = Unit(1 << 20);
        let bytes = |text: &str, mark| figure(text).unwrap().0.bytes(MB, mark);
        assert_eq!(bytes("760.0", None), Some((796_917_760, 52_429)));
        assert_eq!(bytes("1.234,5", None), Some((1_294_467_072, 52_429)));
        assert_eq!(bytes("0.125", None), Some((131_072, 525)));
        assert_eq!(bytes("1.250", None), None);
        assert_eq!(bytes("1.250", Some('.')), Some((1_310_720, 525)));
        assert_eq!(bytes("1.250", Some(',')), Some((1_310_720_000, 524_288)));
        assert_eq!(figure("760.5").unwrap().0.bytes(Unit(1), None), None);
        assert_eq!(
            figure("4874240 KB"),
            Some((Figure::Whole(4_874_240), Some(Unit(1024))))
        );
    }
}
