//! Packs what a source of symbols says, piece by piece: each type becomes bytes as it comes.

use super::code;
use super::layout::{DATA, FUNCTION, KIND, PRIVATE, Sections};
use super::types::{Indices, write_enum, write_type, write_udt};
use super::{Head, Packed};
use crate::table::{SymbolInfo, SymbolKind};
use crate::types::{Base, BaseKind, Enum, Type, Udt};
use rkd_dump::map::Map;
use std::collections::{HashMap, HashSet};

/// Collects symbols and types, and makes of them the bytes that [`super::Packed`] reads. What would lie beyond 4 GiB of its part is left out.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// The symbols' names as they come.
    text: String,
    symbols: Vec<Entry>,
    pool: Names,
    udts: List,
    enums: List,
    typedefs: List,
    definitions: code::Writer,
}

/// A symbol: its name's place in the text, and what else is known.
#[derive(Debug)]
struct Entry {
    start: u32,
    end: u32,
    rva: u32,
    flags: u8,
    details: u32,
}

impl Entry {
    /// The compiler says more than the linker, and of what it calls a function as well as data, the function has a size.
    fn exactness(&self) -> (bool, bool) {
        (self.flags & PRIVATE != 0, self.flags & KIND == FUNCTION)
    }
}

/// Names of types and members, and base types, each once.
#[derive(Debug, Default)]
struct Names {
    text: String,
    places: Vec<u32>,
    numbers: HashMap<Box<str>, u32>,
    bases: Vec<Base>,
    base_numbers: HashMap<Base, usize>,
}

impl Indices for Names {
    const SIGNATURES: bool = true;

    fn name(&mut self, name: &str) -> u64 {
        if let Some(&number) = self.numbers.get(name) {
            return u64::from(number);
        }
        let number = self.places.len() as u32;
        self.places.push(self.text.len() as u32);
        self.text.push_str(name);
        self.numbers.insert(name.into(), number);
        u64::from(number)
    }

    fn base(&mut self, base: &Base) -> usize {
        *self.base_numbers.entry(base.clone()).or_insert_with(|| {
            self.bases.push(base.clone());
            self.bases.len() - 1
        })
    }
}

/// What has a name: the name's number and the definition's place.
#[derive(Debug, Default)]
struct List {
    entries: Vec<(u32, u32)>,
    known: HashSet<u32>,
}

impl Writer {
    /// Adds a symbol.
    pub(crate) fn symbol(&mut self, name: &str, rva: u32, info: &SymbolInfo) {
        let end = self.text.len().saturating_add(name.len());
        let (Ok(start), Ok(end)) = (u32::try_from(self.text.len()), u32::try_from(end)) else {
            return;
        };
        self.text.push_str(name);
        let kind = match info.kind {
            SymbolKind::Unknown => 0,
            SymbolKind::Data => DATA,
            SymbolKind::Function => FUNCTION,
        };
        let details = self.details(info);
        self.symbols.push(Entry {
            start,
            end,
            rva,
            flags: kind | if info.private { PRIVATE } else { 0 },
            details,
        });
    }

    fn details(&mut self, info: &SymbolInfo) -> u32 {
        if info.size.is_none() && info.ty.is_none() {
            return 0;
        }
        let place = self.definitions.0.len();
        let size = info.size.map_or(0, |size| u64::from(size) + 1);
        self.definitions.number(size);
        self.definitions.0.push(u8::from(info.ty.is_some()));
        let written = info.ty.as_ref().map_or(Ok(()), |ty| {
            write_type(ty, &mut self.pool, &mut self.definitions)
        });
        match u32::try_from(place + 1) {
            Ok(details) if written.is_ok() => details,
            _ => {
                self.definitions.0.truncate(place);
                0
            }
        }
    }

    /// Adds a structure or union. The first of a name stays.
    pub(crate) fn udt(&mut self, udt: &Udt) {
        self.define(
            |w| &mut w.udts,
            &udt.name,
            |pool, out| write_udt(udt, pool, out).is_ok(),
        );
    }

    /// Adds an enumeration. The first of a name stays.
    pub(crate) fn enumeration(&mut self, e: &Enum) {
        self.define(
            |w| &mut w.enums,
            &e.name,
            |pool, out| {
                write_enum(e, pool, out);
                true
            },
        );
    }

    /// Adds a name for a type. The first of a name stays.
    pub(crate) fn typedef(&mut self, name: &str, ty: &Type) {
        self.define(
            |w| &mut w.typedefs,
            name,
            |pool, out| write_type(ty, pool, out).is_ok(),
        );
    }

    fn define(
        &mut self,
        list: impl Fn(&mut Writer) -> &mut List,
        name: &str,
        write: impl FnOnce(&mut Names, &mut code::Writer) -> bool,
    ) {
        let number = self.pool.name(name) as u32;
        if !list(self).known.insert(number) {
            return;
        }
        let place = self.definitions.0.len();
        match u32::try_from(place) {
            Ok(start) if write(&mut self.pool, &mut self.definitions) => {
                list(self).entries.push((number, start));
            }
            _ => self.definitions.0.truncate(place),
        }
    }

    /// Everything in its order.
    pub(crate) fn finish(mut self, mut head: Head) -> Option<Packed> {
        let symbols = self.in_order();
        let name = |entry: &Entry| &self.text[entry.start as usize..entry.end as usize];
        let mut text = String::with_capacity(self.text.len());
        let mut places = Vec::with_capacity(symbols.len() + 1);
        for symbol in &symbols {
            places.push(text.len() as u32);
            text.push_str(name(symbol));
        }
        places.push(text.len() as u32);
        let mut by_rva: Vec<_> = symbols
            .iter()
            .zip(0u32..)
            .map(|(symbol, i)| (symbol.rva, name(symbol).contains(['?', '$', '@']), i))
            .collect();
        by_rva.sort_unstable();
        let has_details = symbols.iter().any(|symbol| symbol.details != 0);
        let details = symbols.iter().filter(|_| has_details);
        let flags: Vec<u8> = symbols.iter().map(|symbol| symbol.flags).collect();
        head.bases = std::mem::take(&mut self.pool.bases);
        self.pool.places.push(self.pool.text.len() as u32);
        let sorted = |list: &List| self.pool.sorted(list);
        let image = Sections::write([
            &write_head(&head),
            text.as_bytes(),
            &bytes(places),
            &bytes(symbols.iter().map(|symbol| symbol.rva)),
            &bytes(by_rva.into_iter().map(|(_, _, i)| i)),
            &flags,
            &bytes(details.map(|symbol| symbol.details)),
            self.pool.text.as_bytes(),
            &bytes(self.pool.places.iter().copied()),
            &sorted(&self.udts),
            &sorted(&self.enums),
            &sorted(&self.typedefs),
            &self.definitions.0,
        ]);
        Packed::open(Map::Owned(image), 0)
    }

    /// The symbols in the order of their names; those of one name in the order in which they came. What was said twice of
    /// one place is there once.
    fn in_order(&mut self) -> Vec<Entry> {
        let mut sorted = std::mem::take(&mut self.symbols);
        let name = |entry: &Entry| &self.text[entry.start as usize..entry.end as usize];
        sorted.sort_by(|a, b| name(a).cmp(name(b)));
        let mut symbols: Vec<Entry> = Vec::with_capacity(sorted.len());
        // Where the symbols of the present name are, by their addresses.
        let mut places: HashMap<u32, usize> = HashMap::new();
        for next in sorted {
            if symbols.last().is_none_or(|last| name(last) != name(&next)) {
                places.clear();
            }
            match places.get(&next.rva).and_then(|&at| symbols.get_mut(at)) {
                Some(known) if next.exactness() > known.exactness() => *known = next,
                Some(_) => {}
                None => {
                    places.insert(next.rva, symbols.len());
                    symbols.push(next);
                }
            }
        }
        symbols
    }
}

impl Names {
    fn text_of(&self, number: u32) -> &str {
        let at = |i: usize| self.places.get(i).map_or(0, |&at| at as usize);
        let number = number as usize;
        self.text
            .get(at(number)..at(number + 1))
            .unwrap_or_default()
    }

    fn sorted(&self, list: &List) -> Vec<u8> {
        let mut entries = list.entries.clone();
        entries.sort_by(|a, b| self.text_of(a.0).cmp(self.text_of(b.0)));
        bytes(entries.into_iter().flat_map(|(name, place)| [name, place]))
    }
}

fn bytes(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn write_head(head: &Head) -> Vec<u8> {
    let mut out = code::Writer::default();
    out.0.push(u8::from(head.identity.is_some()));
    if let Some(id) = &head.identity {
        out.0.extend(id.guid.0.to_be_bytes());
        out.number(u64::from(id.age)).bytes(id.name.as_bytes());
    }
    out.0.push(u8::from(head.version.is_some()));
    if let Some(version) = &head.version {
        out.bytes(version.as_bytes());
    }
    out.number(head.machine.map_or(0, |machine| u64::from(machine) + 1));
    out.0.extend([head.pointer_size, u8::from(head.private)]);
    out.number(head.bases.len() as u64);
    for base in &head.bases {
        let kind = match base.kind {
            BaseKind::Int => 0,
            BaseKind::Char => 1,
            BaseKind::Bool => 2,
            BaseKind::Float => 3,
        };
        out.bytes(base.name.as_bytes());
        out.0.extend([base.size, u8::from(base.signed), kind]);
    }
    out.0
}
