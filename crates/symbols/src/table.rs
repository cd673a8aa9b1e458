//! The one table that every source of symbols becomes: names and addresses, structures and enumerations.

use super::facts;
use super::packed::Packed;
use super::types::{Enum, Field, Type, Udt};
use super::{Name, PdbId};
use rkd_dump::addr::Rva;
use rkd_dump::error::{Error, Result};
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a table came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Volatility symbol file.
    Isf(PathBuf),
    /// The facts that this program carries about known kernels.
    Facts,
    /// Facts that the user added.
    OwnFacts,
    /// A program database.
    Pdb(PathBuf),
    /// The image's own export table: no types.
    Exports,
}

impl Source {
    /// Whether it has only some of an image's symbols: what it does not know may exist.
    pub fn is_partial(&self) -> bool {
        matches!(self, Source::Facts | Source::OwnFacts | Source::Exports)
    }
}

/// How `lm` and the banner name it: the file, or what stands in its place.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Isf(path) | Source::Pdb(path) => write!(f, "{}", path.display()),
            Source::Facts => f.write_str("built-in facts"),
            Source::OwnFacts => f.write_str("facts of your own"),
            Source::Exports => f.write_str("export symbols"),
        }
    }
}

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// The source does not say: ISF files and exports are names and addresses only.
    #[default]
    Unknown,
    /// A variable or a constant.
    Data,
    /// A function, or another place in code.
    Function,
}

/// What a source says of a symbol beyond its name and address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolInfo {
    /// What it stands for.
    pub kind: SymbolKind,
    /// Whether it comes from the compiler's records of its module, which a PDB for the public does not have.
    pub private: bool,
    /// In bytes, of a function whose size the source says.
    pub size: Option<u32>,
    /// The type of a variable, the signature of a function.
    pub ty: Option<Type>,
}

impl SymbolInfo {
    /// Of a public symbol, which has neither size nor type.
    pub fn public(kind: SymbolKind) -> SymbolInfo {
        SymbolInfo {
            kind,
            ..SymbolInfo::default()
        }
    }
}

/// A symbol with everything that the table knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// As the linker knows it.
    pub name: &'a str,
    /// Where it is.
    pub rva: Rva,
    /// What it is.
    pub info: SymbolInfo,
}

/// The symbols and types of one image. Immutable; made by a [`TableBuilder`](super::TableBuilder). A copy is cheap.
#[derive(Clone, Debug)]
pub struct SymbolTable {
    source: Source,
    version: Option<Name>,
    mi_state_slack: Option<u64>,
    packed: Arc<Packed>,
}

/// A field that was found by its path: from the start of the outer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRef<'a> {
    /// In bytes.
    pub offset: u64,
    /// What lies there.
    pub ty: &'a Type,
}

impl SymbolTable {
    /// A table of what is packed, without [`mi_state_slack`](SymbolTable::mi_state_slack).
    pub(super) fn of(source: Source, packed: Arc<Packed>) -> SymbolTable {
        SymbolTable {
            source,
            version: packed.head().version.clone(),
            mi_state_slack: None,
            packed,
        }
    }

    /// What is behind the table.
    pub(super) fn packed(&self) -> &Packed {
        &self.packed
    }

    /// Where the table came from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Which link of which image the table describes, if the source says so.
    pub fn identity(&self) -> Option<&PdbId> {
        self.packed.head().identity.as_ref()
    }

    /// The version of the image, `10.0.19041.3570`, if the source says so or the built-in facts know this link.
    pub fn version(&self) -> Option<&str> {
        self.version
            .as_deref()
            .or_else(|| facts::version_of(self.identity()?))
    }

    /// The same table, from the user's facts.
    pub(super) fn of_own_facts(mut self) -> SymbolTable {
        self.source = Source::OwnFacts;
        self
    }

    /// The same table with another version, for a source that does not say it.
    pub fn with_version(mut self, version: &str) -> SymbolTable {
        self.version = Some(version.into());
        self
    }

    /// The same table with another [`mi_state_slack`](SymbolTable::mi_state_slack), for a source that leaves symbols out.
    pub fn with_mi_state_slack(mut self, bytes: Option<u64>) -> SymbolTable {
        self.mi_state_slack = bytes;
        self
    }

    /// The machine in the terms of a PE header, `0x8664` or `0xaa64`, if the source says so.
    pub fn machine(&self) -> Option<u16> {
        self.packed.head().machine
    }

    /// The width of a pointer in bytes.
    pub fn pointer_size(&self) -> u8 {
        self.packed.head().pointer_size
    }

    /// Bytes by which the variable `MiState` is larger than its type says.
    ///
    /// From 18362 to 22000 the public PDB's `_MI_SYSTEM_INFORMATION` is 0x40 bytes too small, and members near its end lie
    /// that much further; the distance to the next symbol gives it away. `None` where there is no such variable or type.
    pub fn mi_state_slack(&self) -> Option<u64> {
        self.mi_state_slack
    }

    /// Whether the source has what a PDB for the public has not: the compiler's records of each module.
    pub fn is_private(&self) -> bool {
        self.packed.head().private
    }

    /// The symbol at an index: they are in the order of their names, then of their addresses' importance.
    fn symbol_at(&self, index: usize) -> Option<Symbol<'_>> {
        let (name, rva) = self.entry(index)?;
        let info = self.packed.info(index);
        Some(Symbol { name, rva, info })
    }

    /// All symbols of exactly this name, the one that other modules see first: static ones of several modules may share it.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Symbol<'a>> {
        (self.packed.lower_bound(name)..)
            .map_while(|index| self.symbol_at(index))
            .take_while(move |symbol| symbol.name == name)
    }

    /// All symbols with what is known of them, in the order of their names (by bytes).
    pub fn all(&self) -> impl Iterator<Item = Symbol<'_>> {
        (0..self.len()).filter_map(|index| self.symbol_at(index))
    }

    /// As [`nearest`](SymbolTable::nearest), with everything that is known of the symbol.
    pub fn nearest_symbol(&self, rva: Rva) -> Option<Symbol<'_>> {
        self.symbol_at(self.nearest_index(rva)?)
    }

    /// The type that a name of a `typedef` stands for.
    pub fn typedef(&self, name: &str) -> Option<&Type> {
        self.packed.typedef(name)
    }

    /// How many symbols the table has.
    pub fn len(&self) -> usize {
        self.packed.len()
    }

    /// Whether the table has no symbols. It may still have types.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entry(&self, index: usize) -> Option<(&str, Rva)> {
        Some((self.packed.name(index), Rva(self.packed.rva(index)?)))
    }

    /// The address of the symbol with exactly this name.
    pub(crate) fn exactly(&self, name: &str) -> Option<Rva> {
        let (found, rva) = self.entry(self.packed.lower_bound(name))?;
        (found == name).then_some(rva)
    }

    /// The address of a symbol.
    ///
    /// A C++ variable or function is found by its plain name too (`SmGlobals` is `?SmGlobals@@3U_SM_GLOBALS@@A` in every
    /// kernel), and so is a C name whose leading underscore was left out.
    pub fn rva(&self, name: &str) -> Option<Rva> {
        self.exactly(name).or_else(|| {
            let decorated = format!("?{name}@@");
            match self.entry(self.packed.lower_bound(&decorated)) {
                Some((found, rva)) if found.starts_with(&decorated) => Some(rva),
                _ => self.exactly(&format!("_{name}")),
            }
        })
    }

    /// The last symbol at or below an address, and the distance to it in bytes.
    ///
    /// Where several names share the address, plain names come before decorated ones, and then the alphabet decides.
    pub fn nearest(&self, rva: Rva) -> Option<(&str, u32)> {
        let (name, found) = self.entry(self.nearest_index(rva)?)?;
        Some((name, rva.0.checked_sub(found.0)?))
    }

    fn nearest_index(&self, rva: Rva) -> Option<usize> {
        let last = self.packed.at_or_below(rva.0).checked_sub(1)?;
        let found = self.packed.rva(self.packed.by_rva(last)?)?;
        let before = found
            .checked_sub(1)
            .map_or(0, |before| self.packed.at_or_below(before));
        self.packed.by_rva(before)
    }

    /// The address of the first symbol above `rva`.
    pub fn next_above(&self, rva: Rva) -> Option<Rva> {
        let index = self.packed.by_rva(self.packed.at_or_below(rva.0))?;
        self.packed.rva(index).map(Rva)
    }

    /// All symbols in the order of their names (by bytes).
    pub fn symbols(&self) -> impl Iterator<Item = (&str, Rva)> {
        (0..self.len()).filter_map(|i| self.entry(i))
    }

    /// All symbols in ascending order of address.
    pub fn symbols_by_rva(&self) -> impl Iterator<Item = (&str, Rva)> {
        (0..self.len()).filter_map(|place| self.entry(self.packed.by_rva(place)?))
    }

    /// A structure or union by its name.
    pub fn udt(&self, name: &str) -> Option<&Udt> {
        self.packed.udt(name)
    }

    /// An enumeration by its name.
    pub fn enumeration(&self, name: &str) -> Option<&Enum> {
        self.packed.enumeration(name)
    }

    /// All structures and unions, in the order of their names. Each is made for that: who looks for names asks for
    /// [`udt_names`](SymbolTable::udt_names).
    pub fn udts(&self) -> impl Iterator<Item = &Udt> {
        self.packed.udts()
    }

    /// All enumerations, in the order of their names.
    pub fn enumerations(&self) -> impl Iterator<Item = &Enum> {
        self.packed.enums()
    }

    /// The names of all structures and unions, in their order.
    pub fn udt_names(&self) -> impl Iterator<Item = &str> {
        self.packed.udt_names()
    }

    /// All names that stand for other types, in their order.
    pub fn typedef_names(&self) -> impl Iterator<Item = &str> {
        self.packed.typedef_names()
    }

    /// The size of a type in bytes; `None` for code, for nothing, and for a type that the table does not have.
    pub fn size_of(&self, ty: &Type) -> Option<u64> {
        match ty {
            Type::Base(base) => Some(u64::from(base.size)),
            Type::Pointer(_) => Some(u64::from(self.pointer_size())),
            Type::Array(of, count) => self.size_of(of)?.checked_mul(*count),
            Type::Udt(name) => self.udt(name).map(|udt| udt.size),
            Type::Enum(name) => self.enumeration(name).map(|e| e.size),
            Type::Bitfield { of, .. } => self.size_of(of),
            Type::Function(_) | Type::Void => None,
        }
    }

    /// A field by its path: names with dots between them, each of which may be followed by an index in brackets
    /// (`Vs.SystemWs[3].Flags`). Members of anonymous members are found without naming these.
    ///
    /// # Errors
    /// [`Error::NoType`] when a type on the way is unknown, [`Error::NoField`] when it has no such member, when an index
    /// stands at what is not an array, or lies outside it. An array declared with one element or none may have any number.
    pub fn field(&self, udt: &str, path: &str) -> Result<FieldRef<'_>> {
        let mut here = self.udt(udt).ok_or_else(|| Error::NoType(udt.to_owned()))?;
        let mut offset = 0u64;
        let no_field = || Error::NoField {
            ty: udt.to_owned(),
            field: path.to_owned(),
        };
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            let (name, indices) = part
                .split_once('[')
                .map_or((part, ""), |(name, rest)| (name, rest));
            let (at, mut ty) = self.member(here, name).ok_or_else(no_field)?;
            offset = offset.wrapping_add(at);
            for index in indices.split('[').filter(|index| !index.is_empty()) {
                let index = index
                    .strip_suffix(']')
                    .and_then(|i| i.parse::<u64>().ok())
                    .ok_or_else(no_field)?;
                let Type::Array(of, count) = ty else {
                    return Err(no_field());
                };
                if *count > 1 && index >= *count {
                    return Err(no_field());
                }
                let size = self.size_of(of).ok_or_else(no_field)?;
                offset = offset.wrapping_add(index.wrapping_mul(size));
                ty = of;
            }
            if parts.peek().is_none() {
                return Ok(FieldRef { offset, ty });
            }
            let Type::Udt(inner) = ty else {
                return Err(no_field());
            };
            here = self
                .udt(inner)
                .ok_or_else(|| Error::NoType(inner.to_string()))?;
        }
        Err(no_field())
    }

    /// A member of a type or of its anonymous members. Each type is looked at once, so that a file in which types contain
    /// each other cannot keep us here.
    fn member<'a>(&'a self, udt: &'a Udt, name: &str) -> Option<(u64, &'a Type)> {
        let mut waiting = vec![(0u64, udt)];
        let mut seen = HashSet::new();
        while let Some((offset, udt)) = waiting.pop() {
            if let Some(Field { offset: at, ty, .. }) = udt.field(name) {
                return Some((offset.wrapping_add(*at), ty));
            }
            for field in udt.fields.iter().rev().filter(|field| field.anonymous) {
                let Type::Udt(inner) = &field.ty else {
                    continue;
                };
                if let Some(inner) = self
                    .udt(inner)
                    .filter(|inner| seen.insert(inner.name.clone()))
                {
                    waiting.push((offset.wrapping_add(field.offset), inner));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
