//! Writes the facts file. Only `examples/make_facts.rs` needs it.

use super::decode::MAGIC;
use crate::packed::code::{Writer, corrupt};
use crate::packed::types::{Indices, write_enum, write_udt};
use crate::types::{Base, BaseKind, Enum, Type, Udt};
use crate::{Name, SymbolTable};
use rkd_dump::error::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;

/// The file that holds these tables, packed. Every table must have an identity; of two with one identity the first stays.
///
/// # Errors
/// [`Error::Corrupt`](rkd_dump::error::Error::Corrupt) for a table without an identity, or more than 247 base types.
pub fn encode(tables: &[SymbolTable]) -> Result<Vec<u8>> {
    let mut tables: Vec<&SymbolTable> = tables.iter().collect();
    if tables.iter().any(|table| table.identity().is_none()) {
        return Err(corrupt("a table does not say which PDB it is of"));
    }
    let identity = |table: &SymbolTable| table.identity().map(|id| (id.guid, id.age));
    tables.sort_by_key(|table| (version_numbers(table), identity(table)));
    tables.dedup_by_key(|table| identity(table));

    let mut encoder = Encoder::default();
    encoder.collect(&tables);
    let mut out = Writer(MAGIC.to_vec());
    out.number(encoder.names.len() as u64);
    for name in encoder.names.keys() {
        out.bytes(name.as_bytes());
    }
    out.number(encoder.bases.len() as u64);
    for (base, _) in sorted_by_index(&encoder.bases) {
        let kind = match base.kind {
            BaseKind::Int => 0,
            BaseKind::Char => 1,
            BaseKind::Bool => 2,
            BaseKind::Float => 3,
        };
        out.number(encoder.name(&base.name))
            .0
            .extend([base.size, u8::from(base.signed), kind]);
    }
    let definitions = encoder.definitions(&tables)?;
    out.number(definitions.in_order.len() as u64);
    for definition in &definitions.in_order {
        out.bytes(definition);
    }
    out.number(definitions.sets.len() as u64);
    for (set, _) in sorted_by_index(&definitions.sets) {
        out.number(set.len() as u64);
        let (mut name, mut definition) = (0, 0);
        for &(next_name, next_definition) in set {
            out.signed(next_name - name)
                .signed(next_definition - definition);
            (name, definition) = (next_name, next_definition);
        }
    }
    encoder.builds(&tables, &definitions.of_table, &mut out);

    let mut packed = Vec::new();
    let stream =
        liblzma::stream::Stream::new_easy_encoder(9 | 1 << 31, liblzma::stream::Check::Crc32);
    stream
        .map_err(std::io::Error::from)
        .and_then(|stream| {
            liblzma::bufread::XzEncoder::new_stream(&*out.0, stream).read_to_end(&mut packed)
        })
        .map_err(|e| corrupt(e.to_string()))?;
    Ok(packed)
}

/// `10.0.19041.3570` as numbers, for the order.
fn version_numbers(table: &SymbolTable) -> Vec<u64> {
    table
        .version()
        .unwrap_or_default()
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

fn sorted_by_index<K>(map: &HashMap<K, u64>) -> Vec<(&K, u64)> {
    let mut items: Vec<_> = map.iter().map(|(key, &index)| (key, index)).collect();
    items.sort_by_key(|&(_, index)| index);
    items
}

#[derive(Default)]
struct Encoder {
    names: BTreeMap<Name, u64>,
    bases: HashMap<Base, u64>,
}

struct Definitions {
    in_order: Vec<Vec<u8>>,
    /// (name, definition) of all types of a table, in ascending order of both; and the set's index.
    sets: HashMap<Vec<(i64, i64)>, u64>,
    of_table: Vec<u64>,
}

impl Encoder {
    fn name(&self, name: &str) -> u64 {
        self.names.get(name).copied().unwrap_or_default()
    }

    /// All names and base types that occur.
    fn collect(&mut self, tables: &[&SymbolTable]) {
        let mut names = BTreeSet::new();
        let mut bases = BTreeMap::new();
        for table in tables {
            names.extend(table.symbols().map(|(name, _)| Name::from(name)));
            names.insert(table.version().unwrap_or_default().into());
            names.extend(table.identity().map(|id| Name::from(&*id.name)));
            for udt in table.udts() {
                names.insert(udt.name.clone());
                for field in &udt.fields {
                    names.insert(field.name.clone());
                    mentioned(&field.ty, &mut |ty| match ty {
                        Type::Base(base) => {
                            names.insert(base.name.clone());
                            let key = (base.name.clone(), base.size, base.signed, base.kind as u8);
                            bases.entry(key).or_insert_with(|| base.clone());
                        }
                        Type::Udt(name) | Type::Enum(name) => drop(names.insert(name.clone())),
                        _ => {}
                    });
                }
            }
            for e in table.enumerations() {
                names.insert(e.name.clone());
                names.extend(e.constants.iter().map(|(name, _)| name.clone()));
            }
        }
        self.names = names.into_iter().zip(0..).collect();
        self.bases = bases.into_values().zip(0..).collect();
    }

    fn definitions(&self, tables: &[&SymbolTable]) -> Result<Definitions> {
        // By name first: what is called alike is alike, and packs well side by side.
        let mut first_use: BTreeMap<Vec<u8>, Name> = BTreeMap::new();
        let mut of_tables = Vec::new();
        for table in tables {
            let mut types = Vec::new();
            for udt in table.udts() {
                types.push((udt.name.clone(), self.udt(udt)?));
            }
            types.extend(
                table
                    .enumerations()
                    .map(|e| (e.name.clone(), self.enumeration(e))),
            );
            types.sort();
            for (name, bytes) in &types {
                let least = first_use
                    .entry(bytes.clone())
                    .or_insert_with(|| name.clone());
                if name < least {
                    *least = name.clone();
                }
            }
            of_tables.push(types);
        }
        let mut in_order: Vec<_> = first_use
            .into_iter()
            .map(|(bytes, name)| (name, bytes))
            .collect();
        in_order.sort();
        let in_order: Vec<Vec<u8>> = in_order.into_iter().map(|(_, bytes)| bytes).collect();
        let index: HashMap<&[u8], i64> = in_order.iter().map(Vec::as_slice).zip(0..).collect();
        let mut sets = HashMap::new();
        let mut of_table = Vec::new();
        for types in of_tables {
            let number = |bytes: &Vec<u8>| index.get(bytes.as_slice()).copied().unwrap_or_default();
            let set: Vec<_> = types
                .iter()
                .map(|(name, bytes)| (self.name(name).cast_signed(), number(bytes)))
                .collect();
            let next = sets.len() as u64;
            of_table.push(*sets.entry(set).or_insert(next));
        }
        Ok(Definitions {
            in_order,
            sets,
            of_table,
        })
    }

    /// The order of the declaration is not kept: a kernel is one fact, whichever kind of file it was read from.
    fn udt(&self, udt: &Udt) -> Result<Vec<u8>> {
        let mut out = Writer::default();
        let (name, fields) = (udt.name.clone(), udt.fields.clone());
        let udt = Udt::new(name, udt.kind, udt.size, fields);
        write_udt(&udt, &mut &*self, &mut out)?;
        Ok(out.0)
    }

    fn enumeration(&self, e: &Enum) -> Vec<u8> {
        let mut out = Writer::default();
        write_enum(e, &mut &*self, &mut out);
        out.0
    }

    /// Symbol sets, and then the builds themselves.
    fn builds(&self, tables: &[&SymbolTable], type_sets: &[u64], out: &mut Writer) {
        let mut sets: HashMap<Vec<i64>, u64> = HashMap::new();
        let mut of_table = Vec::new();
        for table in tables {
            let set = table
                .symbols()
                .map(|(name, _)| self.name(name).cast_signed())
                .collect();
            let next = sets.len() as u64;
            of_table.push(*sets.entry(set).or_insert(next));
        }
        out.number(sets.len() as u64);
        for (set, _) in sorted_by_index(&sets) {
            out.number(set.len() as u64);
            let mut name = 0;
            for &next in set {
                out.signed(next - name);
                name = next;
            }
        }
        out.number(tables.len() as u64);
        for (i, table) in tables.iter().enumerate() {
            let Some(id) = table.identity() else { continue };
            // Only a build of the same release is like the one before.
            let release = |table: &SymbolTable| {
                version_numbers(table)
                    .into_iter()
                    .take(3)
                    .collect::<Vec<_>>()
            };
            let before = i
                .checked_sub(1)
                .filter(|&before| release(tables[before]) == release(table));
            out.0.extend(id.guid.0.to_be_bytes());
            out.number(u64::from(id.age)).number(self.name(&id.name));
            out.number(self.name(table.version().unwrap_or_default()));
            out.number(u64::from(table.machine().unwrap_or(0)));
            out.0.push(table.pointer_size());
            out.number(table.mi_state_slack().map_or(0, |slack| slack + 1));
            out.number(type_sets[i])
                .number(of_table[i])
                .number(before.map_or(0, |before| before as u64 + 1));
            let old = |name| {
                before
                    .and_then(|before| tables[before].exactly(name))
                    .map_or(0, |rva| rva.0)
            };
            let mut symbols: Vec<_> = table
                .symbols()
                .map(|(name, rva)| (old(name), rva.0))
                .collect();
            symbols.sort_by_key(|&(old, _)| old);
            let mut shift = 0;
            for (old, new) in symbols {
                let next = i64::from(new) - i64::from(old);
                out.signed(next - shift);
                shift = next;
            }
        }
    }
}

impl Indices for &Encoder {
    const SIGNATURES: bool = false;

    fn name(&mut self, name: &str) -> u64 {
        Encoder::name(self, name)
    }

    fn base(&mut self, base: &Base) -> usize {
        self.bases.get(base).copied().unwrap_or_default() as usize
    }
}

/// Calls `each` for a type and everything that it is made of.
fn mentioned(ty: &Type, each: &mut impl FnMut(&Type)) {
    each(ty);
    match ty {
        Type::Pointer(of) | Type::Array(of, _) | Type::Bitfield { of, .. } => mentioned(of, each),
        _ => {}
    }
}
