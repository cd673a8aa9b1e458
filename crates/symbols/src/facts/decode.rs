//! Reads the facts file. Everything is found at once, but a type is only made when its kernel is asked for.

use crate::packed::code::{Reader, corrupt};
use crate::packed::types::{Definition, Pool, read_definition};
use crate::types::{Base, BaseKind, Name};
use crate::{Guid, PdbId, Source, SymbolTable, TableBuilder, isf};
use rkd_dump::addr::Rva;
use rkd_dump::error::Result;
use std::ops::Range;

/// The first bytes of the unpacked file: its kind and its version.
pub(super) const MAGIC: &[u8] = b"rkd facts 1\n";

/// Addresses and layouts of many kernels.
#[derive(Debug, Default)]
pub struct Facts {
    /// The unpacked file.
    bytes: Vec<u8>,
    names: Vec<Name>,
    bases: Vec<Base>,
    /// Where the definitions lie in `bytes`.
    definitions: Vec<Range<usize>>,
    /// Names and definitions of the types of one or more builds.
    type_sets: Vec<Vec<(usize, usize)>>,
    /// Names of the symbols of one or more builds, in ascending order.
    symbol_sets: Vec<Vec<usize>>,
    builds: Vec<Build>,
}

#[derive(Debug)]
struct Build {
    id: PdbId,
    version: Option<Name>,
    machine: Option<u16>,
    pointer_size: u8,
    slack: Option<u64>,
    type_set: usize,
    symbol_set: usize,
    /// In the order of the symbol set.
    rvas: Vec<u32>,
}

impl Facts {
    /// Reads a facts file, packed as it is on disk.
    ///
    /// # Errors
    /// [`Error::Corrupt`](rkd_dump::error::Error::Corrupt) for anything that `make_facts` did not write.
    pub fn parse(packed: &[u8]) -> Result<Facts> {
        let bytes = isf::unpack(packed)
            .map_err(|error| corrupt(error.to_string()))?
            .into_owned();
        let mut facts = Facts::default();
        let mut reader = Reader(&bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(corrupt("it does not begin like one of this version"));
        }
        facts.names = reader.list(|r| {
            let text =
                std::str::from_utf8(r.bytes()?).map_err(|_| corrupt("a name is not UTF-8"))?;
            Ok(text.into())
        })?;
        facts.bases = reader.list(|r| {
            let (name, size, signed, kind) =
                (facts.read_name(r)?, r.byte()?, r.byte()? != 0, r.byte()?);
            let kind = match kind {
                0 => BaseKind::Int,
                1 => BaseKind::Char,
                2 => BaseKind::Bool,
                3 => BaseKind::Float,
                _ => return Err(corrupt("a base type is of an unknown kind")),
            };
            Ok(Base {
                name,
                size,
                signed,
                kind,
            })
        })?;
        facts.definitions = reader.list(|r| {
            let length = r.bytes()?.len();
            let end = bytes.len() - r.0.len();
            Ok(end - length..end)
        })?;
        facts.type_sets = reader.list(|r| {
            let (mut name, mut definition) = (0, 0);
            r.list(|r| {
                name = step(name, r.signed()?, facts.names.len())?;
                definition = step(definition, r.signed()?, facts.definitions.len())?;
                Ok((name, definition))
            })
        })?;
        facts.symbol_sets = reader.list(|r| {
            let mut name = 0;
            r.list(|r| {
                name = step(name, r.signed()?, facts.names.len())?;
                Ok(name)
            })
        })?;
        let count = reader.number()?;
        for _ in 0..count {
            let build = facts.read_build(&mut reader)?;
            facts.builds.push(build);
        }
        facts.bytes = bytes;
        Ok(facts)
    }

    fn read_name(&self, reader: &mut Reader) -> Result<Name> {
        self.name(reader.number()?)
    }

    fn read_build(&self, r: &mut Reader) -> Result<Build> {
        let guid = Guid(u128::from_be_bytes(
            r.take(16)?
                .try_into()
                .map_err(|_| corrupt("it ends too early"))?,
        ));
        let id = PdbId::new(guid, r.small()?, &*self.read_name(r)?);
        let version = Some(self.read_name(r)?).filter(|version| !version.is_empty());
        let machine = Some(r.small()?).filter(|&machine| machine != 0);
        let pointer_size = r.byte()?;
        let slack = r.number()?.checked_sub(1);
        let (type_set, symbol_set, before) = (
            r.small::<usize>()?,
            r.small::<usize>()?,
            r.small::<usize>()?,
        );
        let no_set = || corrupt("a set does not exist");
        self.type_sets.get(type_set).ok_or_else(no_set)?;
        let symbols = self.symbol_sets.get(symbol_set).ok_or_else(no_set)?;
        let before = match before {
            0 => None,
            n => Some(
                self.builds
                    .get(n - 1)
                    .ok_or_else(|| corrupt("a build refers to a later one"))?,
            ),
        };
        let mut rvas = vec![0; symbols.len()];
        let mut shift = 0i64;
        for (slot, old) in self.in_old_order(symbols, before) {
            shift = shift.wrapping_add(r.signed()?);
            let rva = i64::from(old).wrapping_add(shift);
            let rva = u32::try_from(rva).map_err(|_| corrupt("an address is outside an image"))?;
            if let Some(place) = rvas.get_mut(slot) {
                *place = rva;
            }
        }
        Ok(Build {
            id,
            version,
            machine,
            pointer_size,
            slack,
            type_set,
            symbol_set,
            rvas,
        })
    }

    /// The symbols of a set as (index in the set, address in the build before or 0), in ascending order of that address:
    /// what lies together moves together.
    fn in_old_order(&self, symbols: &[usize], before: Option<&Build>) -> Vec<(usize, u32)> {
        let old =
            before.and_then(|build| Some((self.symbol_sets.get(build.symbol_set)?, &build.rvas)));
        let old_rva = |name| {
            let (names, rvas) = old?;
            rvas.get(names.binary_search(&name).ok()?).copied()
        };
        let mut order: Vec<_> = symbols
            .iter()
            .enumerate()
            .map(|(slot, &name)| (slot, old_rva(name).unwrap_or(0)))
            .collect();
        order.sort_by_key(|&(_, old)| old);
        order
    }

    /// All kernels that are known, in ascending order of version: the version (`10.0.19041.3570`, empty if unknown) and the PDB.
    pub fn builds(&self) -> Vec<(&str, &PdbId)> {
        self.builds
            .iter()
            .map(|build| (build.version.as_deref().unwrap_or_default(), &build.id))
            .collect()
    }

    /// The table of the kernel with this PDB; GUID and age must agree.
    pub fn find(&self, id: &PdbId) -> Option<SymbolTable> {
        self.builds
            .iter()
            .find(|build| build.id.same_link(id))
            .and_then(|build| self.table(build))
    }

    /// The version of the kernel with this PDB: `10.0.19041.3570`.
    pub fn version_of(&self, id: &PdbId) -> Option<&str> {
        self.builds
            .iter()
            .find(|build| build.id.same_link(id))?
            .version
            .as_deref()
    }

    /// The table of a kernel by its version, with or without the major and minor number: `10.0.19041.3570`, `19041.3570`.
    pub fn by_version(&self, version: &str) -> Option<SymbolTable> {
        let matches =
            |known: &str| known == version || known.splitn(3, '.').nth(2) == Some(version);
        let build = self
            .builds
            .iter()
            .find(|build| build.version.as_deref().is_some_and(matches))?;
        self.table(build)
    }

    /// The kernels in which all of the `stated` symbols that they know lie where it is stated, each with how many those are.
    /// Far cheaper than [`Facts::tables`]: no type is made.
    pub fn matching(&self, stated: &[(&str, Rva)]) -> Vec<(usize, &PdbId)> {
        let agrees = |build| self.agreement(build, stated);
        self.builds.iter().filter_map(agrees).collect()
    }

    fn agreement<'a>(
        &'a self,
        build: &'a Build,
        stated: &[(&str, Rva)],
    ) -> Option<(usize, &'a PdbId)> {
        let names = self.symbol_sets.get(build.symbol_set)?;
        let mut agree = 0;
        for (&name, &rva) in names.iter().zip(&build.rvas) {
            let name = self.names.get(name)?;
            if let Some((_, at)) = stated.iter().find(|(stated, _)| **stated == **name) {
                if at.0 != rva {
                    return None;
                }
                agree += 1;
            }
        }
        Some((agree, &build.id))
    }

    /// All tables, one after the other.
    pub fn tables(&self) -> impl Iterator<Item = SymbolTable> {
        self.builds.iter().filter_map(|build| self.table(build))
    }

    fn table(&self, build: &Build) -> Option<SymbolTable> {
        let mut table = TableBuilder::new(Source::Facts);
        table
            .identity(build.id.clone())
            .pointer_size(build.pointer_size)
            .mi_state_slack(build.slack);
        if let Some(version) = &build.version {
            table.version(version);
        }
        if let Some(machine) = build.machine {
            table.machine(machine);
        }
        for (&name, &rva) in self
            .symbol_sets
            .get(build.symbol_set)?
            .iter()
            .zip(&build.rvas)
        {
            table.symbol(self.names.get(name)?, Rva(rva));
        }
        for &(name, definition) in self.type_sets.get(build.type_set)? {
            let bytes = self.bytes.get(self.definitions.get(definition)?.clone())?;
            match read_definition(self.names.get(name)?, self, &mut Reader(bytes)).ok()? {
                Definition::Udt(udt) => table.udt(udt),
                Definition::Enum(e) => table.enumeration(e),
            };
        }
        Some(table.build())
    }
}

impl Pool for Facts {
    const SIGNATURES: bool = false;

    fn name(&self, index: u64) -> Result<Name> {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.names.get(index).cloned())
            .ok_or_else(|| corrupt("a name does not exist"))
    }

    fn base(&self, index: usize) -> Option<&Base> {
        self.bases.get(index)
    }
}

/// The index `by` steps further, if there is such an item.
fn step(from: usize, by: i64, length: usize) -> Result<usize> {
    let to = usize::try_from(by).ok().and_then(|by| from.checked_add(by));
    let to = to.or_else(|| from.checked_sub(usize::try_from(by.unsigned_abs()).ok()?));
    to.filter(|&to| to < length)
        .ok_or_else(|| corrupt("an item does not exist"))
}
