//! Writes a table as an ISF file: version 6.2, named and built as Volatility's own converter does it, so that Volatility 3
//! takes the file for its own.

use super::WriteError;
use crate::types::{Base, BaseKind, Enum, Type, UdtKind};
use crate::{Symbol, SymbolTable};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// The version of the format that is written.
pub(super) const FORMAT: &str = "6.2.0";

/// What the pointer's own base type is called; every other type mentions it tacitly.
const POINTER: &str = "pointer";

/// The JSON of a table. Of several symbols of one name the first is written, since a name is a key.
///
/// # Errors
/// [`WriteError::NoIdentity`] for a table that does not say which PDB it is of.
pub fn write(table: &SymbolTable) -> Result<String, WriteError> {
    let id = table.identity().ok_or(WriteError::NoIdentity)?;
    let machine = table.machine().unwrap_or(match table.pointer_size() {
        4 => 0x14c,
        _ => 0x8664,
    });
    let mut writer = Writer {
        table,
        bases: BTreeMap::new(),
    };
    let symbols = writer.symbols();
    let mut udts: Vec<_> = table.udts().collect();
    udts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut user_types = Map::new();
    for udt in udts {
        let mut fields = Map::new();
        for field in &udt.fields {
            let mut described = json!({ "offset": field.offset, "type": writer.ty(&field.ty) });
            if field.anonymous {
                described["anonymous"] = true.into();
            }
            fields.insert(field.name.to_string(), described);
        }
        let kind = kind(udt.kind);
        let described = json!({ "kind": kind, "size": udt.size, "fields": fields });
        user_types.insert(udt.name.to_string(), described);
    }
    let mut enumerations: Vec<_> = table.enumerations().collect();
    enumerations.sort_by(|a, b| a.name.cmp(&b.name));
    let enums: Map<String, Value> = enumerations
        .into_iter()
        .map(|e| (e.name.to_string(), writer.enumeration(e)))
        .collect();
    writer.base("void", 0, true, "void");
    writer.base(POINTER, table.pointer_size(), false, "int");
    let file = json!({
        "metadata": {
            "format": FORMAT,
            "producer": { "name": "rkd", "version": env!("CARGO_PKG_VERSION") },
            "windows": { "pdb": {
                "GUID": id.guid.to_string(),
                "age": id.age,
                "database": id.name,
                "machine_type": machine,
            } },
        },
        "base_types": writer.bases,
        "enums": enums,
        "symbols": symbols,
        "user_types": user_types,
    });
    Ok(serde_json::to_string(&file)?)
}

/// The text packed with xz.
///
/// # Errors
/// When there is no memory for it.
pub fn pack(text: &str) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    let stream = liblzma::stream::Stream::new_easy_encoder(6, liblzma::stream::Check::Crc32)?;
    liblzma::bufread::XzEncoder::new_stream(text.as_bytes(), stream).read_to_end(&mut packed)?;
    Ok(packed)
}

struct Writer<'t> {
    table: &'t SymbolTable,
    /// Those that were mentioned.
    bases: BTreeMap<String, Value>,
}

impl Writer<'_> {
    fn symbols(&mut self) -> Map<String, Value> {
        let mut symbols = Map::new();
        for symbol in self.table.all() {
            let short = plain(symbol.name);
            // A name of its own goes before one that another is shortened to.
            let is_free = short == symbol.name
                || self.table.exactly(short).is_none() && !symbols.contains_key(short);
            let name = if is_free { short } else { symbol.name };
            if !symbols.contains_key(name) {
                let described = self.symbol(&symbol, name);
                symbols.insert(name.to_owned(), described);
            }
        }
        symbols
    }

    fn symbol(&mut self, symbol: &Symbol<'_>, name: &str) -> Value {
        let mut described = json!({ "address": symbol.rva.0 });
        if name != symbol.name {
            described["linkage_name"] = symbol.name.into();
        }
        if let Some(ty) = &symbol.info.ty {
            described["type"] = self.ty(ty);
        }
        described
    }

    fn ty(&mut self, ty: &Type) -> Value {
        match ty {
            Type::Base(base) => {
                self.base(&base.name, base.size, base.signed, base_kind(base));
                json!({ "kind": "base", "name": &*base.name })
            }
            Type::Pointer(to) => json!({ "kind": "pointer", "subtype": self.ty(to) }),
            Type::Array(of, count) => {
                json!({ "kind": "array", "count": count, "subtype": self.ty(of) })
            }
            Type::Udt(name) => {
                let known = self.table.udt(name).map_or(UdtKind::Struct, |udt| udt.kind);
                json!({ "kind": kind(known), "name": &**name })
            }
            Type::Enum(name) => json!({ "kind": "enum", "name": &**name }),
            Type::Bitfield {
                position,
                length,
                of,
            } => json!({
                "kind": "bitfield",
                "bit_position": position,
                "bit_length": length,
                "type": self.ty(of),
            }),
            Type::Function(_) => json!({ "kind": "function" }),
            Type::Void => json!({ "kind": "base", "name": "void" }),
        }
    }

    fn enumeration(&mut self, e: &Enum) -> Value {
        let signed = e.constants.iter().any(|&(_, value)| value < 0);
        let base = match (e.size, signed) {
            (1, true) => ("char", "char"),
            (1, false) => ("unsigned char", "char"),
            (2, true) => ("short", "int"),
            (2, false) => ("unsigned short", "int"),
            (8, true) => ("long long", "int"),
            (8, false) => ("unsigned long long", "int"),
            (_, _)
                if e.constants
                    .iter()
                    .any(|&(_, value)| value > i64::from(i32::MAX)) =>
            {
                ("unsigned int", "int")
            }
            (_, _) => ("int", "int"),
        };
        let (base, of) = base;
        let size = u8::try_from(e.size).unwrap_or(4);
        self.base(base, size, !base.starts_with("unsigned"), of);
        let constants: Map<String, Value> = e
            .constants
            .iter()
            .map(|(name, value)| (name.to_string(), (*value).into()))
            .collect();
        json!({ "base": base, "size": e.size, "constants": constants })
    }

    fn base(&mut self, name: &str, size: u8, signed: bool, kind: &str) {
        if !self.bases.contains_key(name) {
            let base = json!({ "endian": "little", "kind": kind, "signed": signed, "size": size });
            self.bases.insert(name.to_owned(), base);
        }
    }
}

fn kind(kind: UdtKind) -> &'static str {
    match kind {
        UdtKind::Struct => "struct",
        UdtKind::Union => "union",
    }
}

fn base_kind(base: &Base) -> &'static str {
    match base.kind {
        BaseKind::Int => "int",
        BaseKind::Char => "char",
        BaseKind::Bool => "bool",
        BaseKind::Float => "float",
    }
}

/// A name as Volatility looks it up: without the mark of the calling convention (`_Name@8`, `@Name@8`, `_Name`).
fn plain(name: &str) -> &str {
    let short = name.strip_prefix(['_', '@']).unwrap_or(name);
    match short.split_once('@') {
        Some((stem, bytes))
            if !stem.starts_with('?')
                && !bytes.is_empty()
                && bytes.bytes().all(|b| b.is_ascii_digit()) =>
        {
            stem
        }
        Some((_, rest)) if !rest.contains('@') => name,
        _ if short.is_empty() => name,
        _ => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_as_volatility_does() {
        let cases = [
            ("PoolTrackTable", "PoolTrackTable"),
            ("_CmAdd", "CmAdd"),
            ("__chkstk", "_chkstk"),
            ("_ExFreePool@4", "ExFreePool"),
            ("@ExfAcquire@12", "ExfAcquire"),
            ("?Sm@@3U_SM@@A", "?Sm@@3U_SM@@A"),
            ("_odd@name", "_odd@name"),
            ("_", "_"),
        ];
        for (name, expected) in cases {
            assert_eq!(plain(name), expected);
        }
    }
}
