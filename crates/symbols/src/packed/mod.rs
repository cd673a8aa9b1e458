//! Symbols and types as bytes. What stands behind every table is one run of them, in memory or in a mapped cache file, in
//! which names are found by halving and types are made when they are asked for: a table costs what is used of it, wherever
//! it came from. The facts that the program carries spell their types in the same way.
//!
//! Bytes from a cache file may be anything: what does not fit is left out, never believed.

pub(crate) mod code;
mod layout;
pub(crate) mod types;
mod write;

use layout::Sections;
pub(crate) use write::Writer;

use super::table::{SymbolInfo, SymbolKind};
use super::{Guid, PdbId};
use crate::types::{Base, BaseKind, Enum, Name, Type, Udt};
use code::{Reader, corrupt};
use layout::Section;
use rkd_dump::bytes::ReadAt;
use rkd_dump::error::Result;
use rkd_dump::map::Map;
use std::ops::Range;
use std::sync::OnceLock;
use types::{Definition, Pool, read_definition, read_type};

/// A type that is made when it is first asked for; `None` when its bytes are none.
type Slot<T> = OnceLock<Option<Box<T>>>;

/// Symbols and types of one build, read from bytes when they are asked for.
pub(crate) struct Packed {
    bytes: Map,
    sections: Sections,
    head: Head,
    udts: Box<[Slot<Udt>]>,
    enums: Box<[Slot<Enum>]>,
    typedefs: Box<[Slot<Type>]>,
}

/// What is read at once.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub identity: Option<PdbId>,
    pub version: Option<Name>,
    pub machine: Option<u16>,
    pub pointer_size: u8,
    pub private: bool,
    pub bases: Vec<Base>,
}

impl Packed {
    /// What begins at `start` and goes to the end of the bytes; `None` when its parts contradict each other.
    pub(crate) fn open(bytes: Map, start: usize) -> Option<Packed> {
        let sections = Sections::read(bytes.bytes(), start)?;
        let head = read_head(&mut Reader(sections.get(bytes.bytes(), Section::Head)?)).ok()?;
        let count = |section| sections.length(section) / layout::ENTRY;
        let (udts, enums, typedefs) = (
            slots(count(Section::Udts)),
            slots(count(Section::Enums)),
            slots(count(Section::Typedefs)),
        );
        Some(Packed {
            bytes,
            sections,
            head,
            udts,
            enums,
            typedefs,
        })
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// All the bytes, as [`Packed::open`] takes them.
    pub(crate) fn image(&self) -> &[u8] {
        self.bytes
            .bytes()
            .get(self.sections.start()..)
            .unwrap_or_default()
    }

    /// The bytes before them.
    pub(crate) fn before(&self) -> &[u8] {
        self.bytes
            .bytes()
            .get(..self.sections.start())
            .unwrap_or_default()
    }

    /// How many symbols there are.
    pub(crate) fn len(&self) -> usize {
        self.sections.length(Section::Rvas) / 4
    }

    fn section(&self, section: Section) -> &[u8] {
        self.sections
            .get(self.bytes.bytes(), section)
            .unwrap_or_default()
    }

    fn number(&self, section: Section, index: usize) -> Option<u32> {
        self.section(section).u32_at(index.checked_mul(4)?)
    }

    /// The bytes between two neighbouring numbers of a list of places.
    fn between(&self, places: Section, text: Section, index: usize) -> &[u8] {
        let range = || -> Option<Range<usize>> {
            let start = self.number(places, index)?;
            Some(start as usize..self.number(places, index.checked_add(1)?)? as usize)
        };
        range()
            .and_then(|range| self.section(text).get(range))
            .unwrap_or_default()
    }

    /// The name of a symbol.
    pub(crate) fn name(&self, index: usize) -> &str {
        let bytes = self.between(Section::Places, Section::Text, index);
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The address of a symbol.
    pub(crate) fn rva(&self, index: usize) -> Option<u32> {
        self.number(Section::Rvas, index)
    }

    /// The index of a symbol by its place in the order of addresses.
    pub(crate) fn by_rva(&self, place: usize) -> Option<usize> {
        let index = self.number(Section::ByRva, place)? as usize;
        (index < self.len()).then_some(index)
    }

    /// The first symbol whose name is not less than `name`.
    pub(crate) fn lower_bound(&self, name: &str) -> usize {
        halve(self.len(), |index| {
            self.between(Section::Places, Section::Text, index) < name.as_bytes()
        })
    }

    /// How many symbols lie at or below an address.
    pub(crate) fn at_or_below(&self, rva: u32) -> usize {
        halve(self.len(), |place| {
            self.by_rva(place)
                .and_then(|index| self.rva(index))
                .is_some_and(|at| at <= rva)
        })
    }

    /// What is known of a symbol beyond its name and address.
    pub(crate) fn info(&self, index: usize) -> SymbolInfo {
        let flags = self.section(Section::Flags).get(index).copied();
        let flags = flags.unwrap_or_default();
        let mut info = SymbolInfo {
            kind: match flags & layout::KIND {
                layout::DATA => SymbolKind::Data,
                layout::FUNCTION => SymbolKind::Function,
                _ => SymbolKind::Unknown,
            },
            private: flags & layout::PRIVATE != 0,
            size: None,
            ty: None,
        };
        let place = self.number(Section::Details, index).unwrap_or(0);
        if let Some(place) = place.checked_sub(1) {
            let details = self.section(Section::Definitions).get(place as usize..);
            let mut r = Reader(details.unwrap_or_default());
            let size = r.number().ok().and_then(|size| size.checked_sub(1));
            info.size = size.and_then(|size| u32::try_from(size).ok());
            if r.byte().is_ok_and(|has_type| has_type != 0) {
                info.ty = read_type(self, &mut r).ok();
            }
        }
        info
    }

    fn pooled(&self, index: usize) -> &str {
        let bytes = self.between(Section::NamePlaces, Section::Names, index);
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The name of a list's entry, and the bytes that define it.
    fn entry(&self, list: Section, index: usize) -> Option<(&str, &[u8])> {
        let name = self.number(list, index.checked_mul(2)?)? as usize;
        let place = self.number(list, index.checked_mul(2)?.checked_add(1)?)? as usize;
        let bytes = self.section(Section::Definitions).get(place..)?;
        Some((self.pooled(name), bytes))
    }

    /// The index of a name in a list that is in the order of its names.
    fn find(&self, list: Section, name: &str) -> Option<usize> {
        let count = self.sections.length(list) / layout::ENTRY;
        let named = |index| self.entry(list, index).map_or("", |(name, _)| name);
        let index = halve(count, |index| named(index) < name);
        (index < count && named(index) == name).then_some(index)
    }

    pub(crate) fn udt(&self, name: &str) -> Option<&Udt> {
        self.udt_at(self.find(Section::Udts, name)?)
    }

    fn udt_at(&self, index: usize) -> Option<&Udt> {
        let make = || match self.definition(Section::Udts, index)? {
            Definition::Udt(udt) => Some(Box::new(udt)),
            Definition::Enum(_) => None,
        };
        self.udts.get(index)?.get_or_init(make).as_deref()
    }

    pub(crate) fn enumeration(&self, name: &str) -> Option<&Enum> {
        self.enum_at(self.find(Section::Enums, name)?)
    }

    fn enum_at(&self, index: usize) -> Option<&Enum> {
        let make = || match self.definition(Section::Enums, index)? {
            Definition::Enum(e) => Some(Box::new(e)),
            Definition::Udt(_) => None,
        };
        self.enums.get(index)?.get_or_init(make).as_deref()
    }

    fn definition(&self, list: Section, index: usize) -> Option<Definition> {
        let (name, bytes) = self.entry(list, index)?;
        read_definition(&name.into(), self, &mut Reader(bytes)).ok()
    }

    pub(crate) fn typedef(&self, name: &str) -> Option<&Type> {
        let index = self.find(Section::Typedefs, name)?;
        let make = || {
            let (_, bytes) = self.entry(Section::Typedefs, index)?;
            read_type(self, &mut Reader(bytes)).ok().map(Box::new)
        };
        self.typedefs.get(index)?.get_or_init(make).as_deref()
    }

    pub(crate) fn udts(&self) -> impl Iterator<Item = &Udt> {
        (0..self.udts.len()).filter_map(|index| self.udt_at(index))
    }

    pub(crate) fn enums(&self) -> impl Iterator<Item = &Enum> {
        (0..self.enums.len()).filter_map(|index| self.enum_at(index))
    }

    fn names_in(&self, list: Section) -> impl Iterator<Item = &str> {
        let count = self.sections.length(list) / layout::ENTRY;
        (0..count).filter_map(move |index| Some(self.entry(list, index)?.0))
    }

    pub(crate) fn udt_names(&self) -> impl Iterator<Item = &str> {
        self.names_in(Section::Udts)
    }

    pub(crate) fn typedef_names(&self) -> impl Iterator<Item = &str> {
        self.names_in(Section::Typedefs)
    }
}

/// Nothing.
impl Default for Packed {
    fn default() -> Packed {
        Packed {
            bytes: Map::Owned(Vec::new()),
            sections: Sections::default(),
            head: Head::default(),
            udts: slots(0),
            enums: slots(0),
            typedefs: slots(0),
        }
    }
}

impl Pool for Packed {
    const SIGNATURES: bool = true;

    fn name(&self, index: u64) -> Result<Name> {
        match usize::try_from(index) {
            Ok(index) if index < self.sections.length(Section::NamePlaces) / 4 => {
                Ok(self.pooled(index).into())
            }
            _ => Err(corrupt("a name does not exist")),
        }
    }

    fn base(&self, index: usize) -> Option<&Base> {
        self.head.bases.get(index)
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (symbols, types) = (self.len(), self.udts.len() + self.enums.len());
        write!(f, "{symbols} symbols, {types} types")
    }
}

fn slots<T>(count: usize) -> Box<[Slot<T>]> {
    std::iter::repeat_with(OnceLock::new).take(count).collect()
}

/// The first of `0..count` that is not `below`, when all that are come first.
fn halve(count: usize, below: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if below(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn read_head(r: &mut Reader) -> Result<Head> {
    let text =
        |r: &mut Reader| -> Result<String> { Ok(String::from_utf8_lossy(r.bytes()?).into_owned()) };
    let mut head = Head::default();
    if r.byte()? != 0 {
        let mut guid = [0; 16];
        guid.copy_from_slice(r.take(16)?);
        let guid = Guid(u128::from_be_bytes(guid));
        head.identity = Some(PdbId::new(guid, r.small()?, text(r)?));
    }
    if r.byte()? != 0 {
        head.version = Some(text(r)?.into());
    }
    head.machine = match r.number()? {
        0 => None,
        machine => u16::try_from(machine - 1).ok(),
    };
    head.pointer_size = r.byte()?;
    head.private = r.byte()? != 0;
    head.bases = r.list(|r| {
        Ok(Base {
            name: text(r)?.into(),
            size: r.byte()?,
            signed: r.byte()? != 0,
            kind: match r.byte()? {
                1 => BaseKind::Char,
                2 => BaseKind::Bool,
                3 => BaseKind::Float,
                _ => BaseKind::Int,
            },
        })
    })?;
    Ok(head)
}
