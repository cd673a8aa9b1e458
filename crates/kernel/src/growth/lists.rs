//! Looks that other programs took: logs of PoolMon, kd's `!poolused` from a pasted log, tables of PoolMonX, of System Informer, of
//! scripts, and of rkd itself as CSV, JSON and JSON Lines.
//!
//! A list may be a part of one: what it does not name is not known.

mod figure;
mod heading;
mod lines;
mod table;

use super::{Held, Look, TagHeld};
use crate::file_text;
use crate::pool::Tag;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A list of tags that a program wrote.
#[derive(Clone, Debug)]
pub struct List {
    /// What it says of the pools.
    pub look: Look,
    /// What is to be known before it is believed.
    pub remarks: Vec<Remark>,
}

/// What is to be known of a list before it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The file holds several lists, one after the other, and this one (from 1) was taken.
    Snapshot {
        /// Which one.
        taken: usize,
        /// How many there are.
        of: usize,
    },
    /// The bytes of a column were scaled from rounded figures, and may be off by so many bytes.
    Rounded {
        /// The heading of the column.
        heading: String,
        /// At most so many bytes.
        by: u64,
    },
    /// So many lines name a tag and a pool, and their figures cannot be told apart.
    Unread(usize),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::Snapshot { taken, of } if taken == of => write!(
                f,
                "the file holds {of} lists, one after the other: the last is used (FILE#1 names the first)"
            ),
            Remark::Snapshot { taken, of } => {
                write!(f, "list {taken} of the {of} in the file is used")
            }
            Remark::Rounded { heading, by } => write!(
                f,
                "the figures under {heading} are rounded: they may be off by {by} bytes, and a smaller change says nothing"
            ),
            Remark::Unread(lines) => write!(
                f,
                "{lines} lines of the file name a tag and a pool, and their figures cannot be told apart: they are left out"
            ),
        }
    }
}

/// Why a file is no list of tags that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing of it looks like a list.
    #[error(
        "no line of it reads like one of PoolMon (Tag Type Allocs Frees Diff Bytes) or of !poolused below its headings, and it is no table with a column of tags"
    )]
    NoList,
    /// The headings of a table do not say where the bytes are, or of which pool.
    #[error("no heading says where the bytes of nonpaged or paged pool are: {0}")]
    NoBytes(String),
    /// The unit of a column is not known.
    #[error("the heading {0} names a unit that is not known: bytes, KB, MB, GB or TB are")]
    Unit(String),
    /// A fraction below a heading that names no unit.
    #[error(
        "the heading {heading} names no unit, and {figure} is no number of bytes: name it {heading}MB, or whatever it is"
    )]
    Fraction {
        /// The heading.
        heading: String,
        /// The first such figure.
        figure: String,
    },
    /// A mark before three digits, in a column that has places and groups.
    #[error(
        "under {heading}, {figure} may have three places or a group of thousands: no other figure tells which"
    )]
    Ambiguous {
        /// The heading.
        heading: String,
        /// The first such figure.
        figure: String,
    },
    /// There is no list of that number.
    #[error("there is no list {asked} in it, but {there}")]
    NoSnapshot {
        /// The number, from 1.
        asked: usize,
        /// How many there are.
        there: usize,
    },
}

/// Reads what a program wrote, in any of the encodings that Windows programs save in. Several lists in it are counted from 1:
/// `which` is taken, or the last. `near` is a look at the same machine: by it a table without headings is understood, and a
/// tag that a program printed with full stops for what is no letter.
///
/// # Errors
/// [`Unreadable`] says why it cannot be compared.
pub fn read(bytes: &[u8], near: &Look, which: Option<usize>) -> Result<List, Unreadable> {
    let text = file_text::decode(bytes);
    let mut found = lines::read(&text);
    if found.is_empty() {
        found = table::read(&text, near)?;
    }
    found.take(near, which)
}

/// What stands in a file: one list after the other.
#[derive(Debug, Default)]
struct Found {
    lists: Vec<BTreeMap<Tag, TagHeld>>,
    /// What the last of them has.
    seen: BTreeSet<(Tag, bool)>,
    /// By how much the figures below a heading may be off.
    rounded: BTreeMap<String, u64>,
    unread: usize,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.lists.iter().all(BTreeMap::is_empty)
    }

    /// A heading: what follows is another list.
    fn begin(&mut self) {
        self.seen.clear();
        if self.lists.last().is_none_or(|list| !list.is_empty()) {
            self.lists.push(BTreeMap::new());
        }
    }

    fn add(&mut self, tag: Tag, paged: bool, held: Held) {
        // A list has a tag once; those with full stops may be several, which a program did not tell apart.
        let again = !self.seen.insert((tag, paged));
        if self.lists.is_empty() || (again && !tag.0.contains(&b'.')) {
            self.begin();
            self.seen.insert((tag, paged));
        }
        let Some(list) = self.lists.last_mut() else {
            return;
        };
        let none = TagHeld {
            tag,
            nonpaged: Held::default(),
            paged: Held::default(),
        };
        let entry = list.entry(tag).or_insert(none);
        match paged {
            true => entry.paged = held,
            false => entry.nonpaged = held,
        }
    }

    fn look(list: &BTreeMap<Tag, TagHeld>) -> Look {
        Look {
            tags: list.values().copied().collect(),
            ..Look::default()
        }
    }

    fn take(mut self, near: &Look, which: Option<usize>) -> Result<List, Unreadable> {
        self.lists.retain(|list| !list.is_empty());
        let of = self.lists.len();
        let taken = which.unwrap_or(of);
        let list = taken.checked_sub(1).and_then(|at| self.lists.get(at));
        let list = match list {
            Some(list) => list,
            None if of == 0 => return Err(Unreadable::NoList),
            None => {
                return Err(Unreadable::NoSnapshot {
                    asked: taken,
                    there: of,
                });
            }
        };
        let mut look = Found::look(list);
        for held in &mut look.tags {
            held.tag = as_in(near, held.tag, list);
        }
        let mut remarks = Vec::new();
        if of > 1 {
            remarks.push(Remark::Snapshot { taken, of });
        }
        let rounded = self.rounded.into_iter();
        remarks.extend(rounded.map(|(heading, by)| Remark::Rounded { heading, by }));
        if self.unread != 0 {
            remarks.push(Remark::Unread(self.unread));
        }
        Ok(List { look, remarks })
    }
}

/// The tag of the machine that is printed like this one, with full stops for bytes that are no letters, if it is the only one.
fn as_in(near: &Look, tag: Tag, list: &BTreeMap<Tag, TagHeld>) -> Tag {
    let known = |tag: Tag| near.tags.iter().any(|held| held.tag == tag);
    if !tag.0.contains(&b'.') || known(tag) {
        return tag;
    }
    let shown = tag.to_string();
    let mut alike = near
        .tags
        .iter()
        .map(|held| held.tag)
        .filter(|other| other.to_string() == shown && !list.contains_key(other));
    match (alike.next(), alike.next()) {
        (Some(only), None) => only,
        _ => tag,
    }
}

#[cfg(test)]
mod tests;
