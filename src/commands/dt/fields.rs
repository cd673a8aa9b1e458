//! Which fields of a structure are meant: `Flags`, `Ldr.`, `TypeInfo.PoolType`, `Ima*`, `WaitBlock[2].Thread`.

use super::options::Word;
use crate::command::wildcard::Wildcard;
use rkd_symbols::{Field, Source, SymbolTable, Type, Udt};

/// One field that was asked for, with what is wanted of its inside.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    parts: Vec<Part>,
    /// kd lines up the colons behind as many characters as were typed.
    pub width: usize,
}

#[derive(Clone, Debug)]
struct Part {
    name: Name,
    index: Option<u64>,
}

#[derive(Clone, Debug)]
enum Name {
    Exact(String),
    Prefix(String),
    Pattern(Wildcard),
    All,
}

/// A member of a structure, members of members without a name among them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    /// In bytes from the start of the structure.
    pub offset: u64,
    /// The member.
    pub field: &'a Field,
}

impl Spec {
    /// Reads a word. Every word is one.
    pub(super) fn new(word: &Word) -> Spec {
        let texts: Vec<&str> = word.text.split('.').collect();
        let last = texts.len().saturating_sub(1);
        let part = |(number, text): (usize, &&str)| {
            let (name, index) = index(text);
            let name = if name.is_empty() {
                Name::All
            } else if name.contains(['*', '?', '[', '#', '+']) {
                Name::Pattern(Wildcard::new(name))
            } else if word.is_prefix || number < last {
                Name::Prefix(name.to_string())
            } else {
                Name::Exact(name.to_string())
            };
            Part { name, index }
        };
        Spec {
            parts: texts.iter().enumerate().map(part).collect(),
            width: word.text.chars().count(),
        }
    }

    /// Whether anything is wanted of the inside of what fits the part at `level`.
    pub(super) fn goes_on(&self, level: usize) -> bool {
        level + 1 < self.parts.len()
    }

    /// The element that is wanted of an array that fits the part at `level`.
    pub(super) fn index(&self, level: usize) -> Option<u64> {
        self.parts.get(level)?.index
    }

    /// Whether the part at `level` means this member. A name that is there in full is not the beginning of another one.
    pub(super) fn means(&self, level: usize, member: Member<'_>, all: &[Member<'_>]) -> bool {
        let Some(part) = self.parts.get(level) else {
            return false;
        };
        let name = &*member.field.name;
        match &part.name {
            Name::All => true,
            Name::Exact(wanted) => name.eq_ignore_ascii_case(wanted),
            Name::Pattern(pattern) => pattern.matches(name),
            Name::Prefix(wanted) => {
                let is_whole = |member: &Member<'_>| member.field.name.eq_ignore_ascii_case(wanted);
                match all.iter().any(is_whole) {
                    true => name.eq_ignore_ascii_case(wanted),
                    false => begins(name, wanted),
                }
            }
        }
    }
}

/// Whether a name begins with a text, in any case.
pub(super) fn begins(name: &str, with: &str) -> bool {
    name.get(..with.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(with))
}

/// `Name[3]` is an element of an array: kd takes the number for a decimal one.
pub(super) fn index(text: &str) -> (&str, Option<u64>) {
    let inside = text
        .strip_suffix(']')
        .and_then(|text| text.rsplit_once('['));
    match inside.and_then(|(name, digits)| Some((name, digits.parse().ok()?))) {
        Some((name, index)) => (name, Some(index)),
        None => (text, None),
    }
}

/// The members of a structure in the order in which they are shown. Each type is opened once, so that types that contain each
/// other come to an end.
pub(super) fn members<'a>(table: &'a SymbolTable, udt: &'a Udt) -> Vec<Member<'a>> {
    let mut found = Vec::new();
    open(table, udt, 0, &mut vec![&udt.name], &mut found);
    // A number reads better before its bits than in the midst of them, where the order of the source is lost anyway.
    if matches!(
        table.source(),
        Source::Isf(_) | Source::Facts | Source::OwnFacts
    ) {
        found.sort_by_key(|member| {
            let bit = match member.field.ty {
                Type::Bitfield { position, .. } => Some(position),
                _ => None,
            };
            (member.offset, bit)
        });
    }
    found
}

fn open<'a>(
    table: &'a SymbolTable,
    udt: &'a Udt,
    base: u64,
    opened: &mut Vec<&'a str>,
    found: &mut Vec<Member<'a>>,
) {
    for field in &udt.fields {
        let offset = base.wrapping_add(field.offset);
        if let (true, Type::Udt(name)) = (field.anonymous, &field.ty)
            && let Some(inner) = table.udt(name)
            && !opened.contains(&&*inner.name)
        {
            opened.push(&inner.name);
            open(table, inner, offset, opened, found);
        } else {
            found.push(Member { offset, field });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rkd_symbols::{TableBuilder, UdtKind};

    fn field(name: &str, offset: u64, ty: Type, anonymous: bool) -> Field {
        Field {
            name: name.into(),
            offset,
            ty,
            anonymous,
        }
    }

    fn table() -> SymbolTable {
        let mut table = TableBuilder::new(Source::Exports);
        let hidden = || Type::Udt("_HIDDEN".into());
        let fields = vec![
            field("Flags", 0, Type::Void, false),
            field("Flags2", 4, Type::Void, false),
            field("u", 8, hidden(), true),
        ];
        table.udt(Udt::new("_T".into(), UdtKind::Struct, 16, fields));
        // A type that contains itself without a name.
        let fields = vec![
            field("Deep", 2, Type::Void, false),
            field("v", 4, hidden(), true),
        ];
        table.udt(Udt::new("_HIDDEN".into(), UdtKind::Union, 8, fields));
        table.build()
    }

    fn fits(spec: &str, is_prefix: bool) -> Vec<String> {
        let table = table();
        let all = members(&table, table.udt("_T").unwrap());
        let spec = Spec::new(&Word {
            text: spec.into(),
            is_name: false,
            is_prefix,
        });
        let fit = all.iter().filter(|member| spec.means(0, **member, &all));
        fit.map(|member| format!("{}@{}", member.field.name, member.offset))
            .collect()
    }

    #[test]
    fn members_without_a_name_are_opened_once() {
        assert_eq!(fits("", false), ["Flags@0", "Flags2@4", "Deep@10", "v@12"]);
    }

    #[test]
    fn names_beginnings_and_patterns() {
        assert_eq!(fits("flags", false), ["Flags@0"]);
        assert_eq!(fits("Flag", false), [""; 0]);
        assert_eq!(fits("Flag", true), ["Flags@0", "Flags2@4"]);
        assert_eq!(fits("Flag.", false), ["Flags@0", "Flags2@4"]);
        assert_eq!(fits("Flags.", false), ["Flags@0"]);
        assert_eq!(fits("*ag*", false), ["Flags@0", "Flags2@4"]);
        assert_eq!(fits("Fl?gs", false), ["Flags@0"]);
    }

    #[test]
    fn parts_and_elements() {
        let spec = Spec::new(&Word {
            text: "A[12].B.".into(),
            is_name: false,
            is_prefix: false,
        });
        assert_eq!(
            (spec.index(0), spec.index(1), spec.width),
            (Some(12), None, 8)
        );
        assert!(spec.goes_on(0) && spec.goes_on(1) && !spec.goes_on(2));
        assert_eq!(index("A[x]"), ("A[x]", None));
        assert_eq!(
            index("A[99999999999999999999]"),
            ("A[99999999999999999999]", None)
        );
    }
}
