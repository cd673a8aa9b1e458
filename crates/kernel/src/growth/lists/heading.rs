//! What the headings of a table say: which column holds what, of which pool, and in which unit.

/// So many bytes is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unit(pub u64);

/// Bytes of a column.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    /// Where it is.
    pub at: usize,
    /// Its heading.
    pub heading: String,
    /// Its unit; nothing when the heading names none, as `Used`.
    pub unit: Option<Unit>,
}

/// The columns of one pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    pub allocs: Option<usize>,
    pub frees: Option<usize>,
    pub outstanding: Option<usize>,
    pub bytes: Option<Bytes>,
    /// A heading that speaks of memory in a unit that nobody knows here.
    pub strange: Option<String>,
}

/// Where a table has what.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub tag: Option<usize>,
    pub tag_bytes: Option<usize>,
    /// Which pool a row is about, where it is about one.
    pub kind: Option<usize>,
    /// Figures of the pool that the kind names.
    pub by_kind: Pool,
    pub nonpaged: Pool,
    pub paged: Pool,
}

impl Columns {
    /// The columns under headings; nothing if they are none, or do not speak of tags.
    pub(super) fn of<'a>(headings: impl Iterator<Item = &'a str>) -> Option<Columns> {
        let mut columns = Columns::default();
        for (at, heading) in headings.enumerate() {
            columns.take(at, heading.trim());
        }
        (columns.tag.is_some() || columns.tag_bytes.is_some()).then_some(columns)
    }

    /// Whether the bytes of a pool can be told.
    pub(super) fn useful(&self) -> bool {
        self.nonpaged.bytes.is_some()
            || self.paged.bytes.is_some()
            || (self.by_kind.bytes.is_some() && self.kind.is_some())
    }

    /// A heading in a unit that is not known, where no other column has the pool's bytes.
    pub(super) fn strange(&self) -> Option<&str> {
        [&self.nonpaged, &self.paged, &self.by_kind]
            .into_iter()
            .filter(|pool| pool.bytes.is_none())
            .find_map(|pool| pool.strange.as_deref())
    }

    fn take(&mut self, at: usize, heading: &str) {
        let words = words(heading);
        let joined = words.concat();
        let place = match joined.as_str() {
            "tag" | "tagname" | "pooltag" => Some(&mut self.tag),
            "tagbytes" => Some(&mut self.tag_bytes),
            "type" | "pool" | "pooltype" => Some(&mut self.kind),
            _ => None,
        };
        if let Some(place) = place {
            place.get_or_insert(at);
            return;
        }
        let has = |some: &[&str]| words.iter().any(|word| some.contains(&word.as_str()));
        // a mean, a change since the last refresh, a share
        if has(&[
            "per", "avg", "average", "mean", "delta", "change", "percent", "share", "peak",
        ]) {
            return;
        }
        let pool = match () {
            () if has(&["np"]) || joined.contains("nonp") => &mut self.nonpaged,
            () if has(&["pp"]) || joined.contains("paged") => &mut self.paged,
            () => &mut self.by_kind,
        };
        let unit = unit(&words);
        let allocs = words.iter().any(|word| word.starts_with("alloc"));
        let memory = has(&["used", "usage", "size", "memory", "consumed"]);
        match () {
            () if allocs && unit.is_some() => {}
            () if joined.contains("outstanding") || joined.contains("diff") => {
                pool.outstanding.get_or_insert(at);
            }
            () if allocs => {
                pool.allocs.get_or_insert(at);
            }
            () if words.iter().any(|word| word.starts_with("free")) => {
                pool.frees.get_or_insert(at);
            }
            () if has(&["page", "pages"]) => pool.strange = Some(heading.to_owned()),
            () if unit.is_some() || memory => {
                let better =
                    |have: &Bytes| unit.is_some_and(|unit| have.unit.is_none_or(|own| own > unit));
                if pool.bytes.as_ref().is_none_or(better) {
                    pool.bytes = Some(Bytes {
                        at,
                        heading: heading.to_owned(),
                        unit,
                    });
                }
            }
            () => {
                // NP_XB: two letters of which the second is a B are a unit
                let odd = |word: &String| word.len() <= 3 && word.ends_with('b');
                if words.iter().any(odd) {
                    pool.strange = Some(heading.to_owned());
                }
            }
        }
    }
}

/// The words of a heading, in small letters: `NPUsedGB` is np, used, gb; `KBytes` is k, bytes.
fn words(heading: &str) -> Vec<String> {
    let chars: Vec<char> = heading.chars().collect();
    let mut words = vec![String::new()];
    for (at, &char) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let small = |char: Option<&char>| char.is_some_and(|char| char.is_lowercase());
        let begins = char.is_uppercase()
            && (small(before)
                || (before.is_some_and(|char| char.is_uppercase()) && small(chars.get(at + 1))));
        if begins || !char.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| char.is_alphanumeric()) {
            word.extend(char.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The unit that a heading, or a word behind a figure, names.
pub(super) fn heading_unit(heading: &str) -> Option<Unit> {
    unit(&words(heading))
}

/// The unit that words in small letters name. A kilobyte has 1024 bytes, as everywhere on Windows.
fn unit(words: &[String]) -> Option<Unit> {
    let at = words.iter().position(|word| unit_word(word).is_some())?;
    let own = words.get(at).and_then(|word| unit_word(word))?;
    // `KBytes` and `MiB` come in two words
    let before = at.checked_sub(1).and_then(|at| words.get(at));
    let prefix = before.and_then(|word| {
        ["k", "m", "g", "t"]
            .iter()
            .position(|p| word.trim_end_matches('i') == *p)
    });
    match prefix {
        Some(power) if own.0 == 1 => Some(Unit(1024 << (10 * power))),
        _ => Some(own),
    }
}

fn unit_word(word: &str) -> Option<Unit> {
    Some(Unit(match word {
        "b" | "byte" | "bytes" => 1,
        "kb" | "kib" | "kbytes" | "kilobytes" => 1 << 10,
        "mb" | "mib" | "mbytes" | "megabytes" => 1 << 20,
        "gb" | "gib" | "gbytes" | "gigabytes" => 1 << 30,
        "tb" | "tib" | "tbytes" | "terabytes" => 1 << 40,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_name_pool_and_unit() {
        let bytes = |heading: &str| {
            let columns = Columns::of(["Tag", heading].into_iter()).unwrap();
            let pool = |pool: &Pool| {
                pool.bytes
                    .as_ref()
                    .map(|bytes| bytes.unit.map(|unit| unit.0))
            };
            (pool(&columns.nonpaged), pool(&columns.paged))
        };
        for (heading, nonpaged, paged) in [
            ("NP_MB", Some(Some(1 << 20)), None),
            ("NPUsedGB", Some(Some(1 << 30)), None),
            ("NonPagedUsedMB", Some(Some(1 << 20)), None),
            ("PagedUsed", None, Some(None)),
            ("Paged KBytes", None, Some(Some(1 << 10))),
            ("Non-paged (MiB)", Some(Some(1 << 20)), None),
            ("nonpaged_bytes", Some(Some(1)), None),
            ("Nonpaged bytes per alloc", None, None),
            ("Nonpaged B / Alloc", None, None),
            ("NP_share", None, None),
        ] {
            assert_eq!(bytes(heading), (nonpaged, paged), "{heading}");
        }
        let columns = Columns::of(["Tag", "NP_XB"].into_iter()).unwrap();
        assert_eq!(
            (columns.useful(), columns.strange()),
            (false, Some("NP_XB"))
        );
    }
}
