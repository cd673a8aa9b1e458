//! Reads Volatility's Intermediate Symbol Format (ISF 6.x): a PDB's symbols and types as JSON, usually packed with xz.
//!
//! The format's schema is public (`schema-6.2.0.json` of volatility3). Whole files are read into raw form first, because
//! types may be mentioned before they are defined.

mod error;
mod raw;
mod write;

pub use error::{IsfError, TypeError, WriteError};
pub use write::{pack, write};

use super::types::{Base, BaseKind, Enum, Field, Names, Type, Udt, UdtKind};
use super::{Guid, PdbId, Source, SymbolInfo, SymbolKind, SymbolTable, TableBuilder};
use raw::{RawFile, RawType};
use rkd_dump::addr::Rva;
use rkd_dump::error::{Error, Result};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

/// The largest file that is read, in bytes after unpacking. A kernel's is 7 MB; a file made of the shortest symbols that
/// there can be takes six times its size while it is read.
pub const LIMIT: u64 = 64 << 20;

/// The most memory that the unpacker may take for its dictionary: what `xz -9` needs, and half as much again.
const DICTIONARY_LIMIT: u64 = 96 << 20;

/// Reads a `.json` or `.json.xz` file; which of the two is decided by its first bytes.
///
/// # Errors
/// [`Error::Open`] when the file cannot be read, [`Error::File`] when it is not an ISF file of a known version, is cut short,
/// or unpacks to more than [`LIMIT`].
pub fn open(path: &Path) -> Result<SymbolTable> {
    let cannot_open = |source| Error::open(path, source);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot_open)?;
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot_open)?;
    parse(path, &bytes)
}

/// Reads a file's bytes, packed or not; `path` is for the error and the table's [`Source`].
///
/// # Errors
/// As [`open`], but never [`Error::Open`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<SymbolTable> {
    read(path, bytes).map_err(|error| Error::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn read(path: &Path, bytes: &[u8]) -> Result<SymbolTable, IsfError> {
    let text = unpack(bytes)?;
    convert(
        path,
        &serde_json::from_slice(&text).map_err(IsfError::Json)?,
    )
}

/// The bytes, unpacked if they are packed with xz.
///
/// # Errors
/// [`IsfError::TooLarge`], [`IsfError::Unpack`].
pub fn unpack(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, IsfError> {
    if !bytes.starts_with(b"\xfd7zXZ\0") {
        return if bytes.len() as u64 > LIMIT {
            Err(IsfError::TooLarge)
        } else {
            Ok(bytes.into())
        };
    }
    let stream = liblzma::stream::Stream::new_stream_decoder(DICTIONARY_LIMIT, 0)
        .map_err(|error| IsfError::Unpack(error.into()))?;
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(11).min(16 << 20));
    liblzma::read::XzDecoder::new_stream(bytes, stream)
        .take(LIMIT + 1)
        .read_to_end(&mut text)
        .map_err(IsfError::Unpack)?;
    if text.len() as u64 > LIMIT {
        Err(IsfError::TooLarge)
    } else {
        Ok(text.into())
    }
}

fn convert(path: &Path, raw: &RawFile) -> Result<SymbolTable, IsfError> {
    let format = &raw.metadata.format;
    if !format.starts_with("6.") {
        return Err(IsfError::Version(format.to_string()));
    }
    let mut table = TableBuilder::new(Source::Isf(path.to_owned()));
    if let Some(pdb) = raw
        .metadata
        .windows
        .as_ref()
        .and_then(|windows| windows.pdb.as_ref())
    {
        let guid: Guid = pdb.guid.parse()?;
        table.identity(PdbId::new(
            guid,
            pdb.age,
            super::id::file_name(&pdb.database),
        ));
        if let Some(machine) = pdb.machine_type {
            table.machine(machine);
        }
    }
    let mut types = Types {
        names: Names::default(),
        bases: HashMap::new(),
    };
    for (name, base) in &raw.base_types.0 {
        let kind = match &*base.kind {
            "int" => Some(BaseKind::Int),
            "char" => Some(BaseKind::Char),
            "bool" => Some(BaseKind::Bool),
            "float" => Some(BaseKind::Float),
            "void" => None,
            kind => {
                return Err(IsfError::BaseKind {
                    name: name.to_string(),
                    kind: kind.to_owned(),
                });
            }
        };
        let made = Base {
            name: types.names.get(name),
            size: base.size,
            signed: base.signed,
            kind: kind.unwrap_or(BaseKind::Int),
        };
        if &**name == "pointer" {
            table.pointer_size(base.size);
        }
        types.bases.insert(name, kind.map(|_| made));
    }
    for (name, symbol) in &raw.symbols.0 {
        // A leading underscore is cut off by Volatility's converter, and kept beside; an absolute symbol has no place in the image.
        let name = match &symbol.linkage_name {
            Some(linkage) if !linkage.contains(char::is_control) => linkage,
            _ => name,
        };
        if let Some(Ok(rva)) = symbol.address.map(u32::try_from) {
            let ty = symbol.ty.as_ref().map(|ty| types.make(ty)).transpose();
            let ty = ty.map_err(|error| IsfError::Type {
                of: name.to_string(),
                error,
            })?;
            let kind = match ty {
                None => SymbolKind::Unknown,
                Some(Type::Function(_)) => SymbolKind::Function,
                Some(_) => SymbolKind::Data,
            };
            let info = SymbolInfo {
                kind,
                ty,
                ..SymbolInfo::default()
            };
            table.symbol_with(name, Rva(rva), &info);
        }
    }
    for (name, udt) in &raw.user_types.0 {
        let kind = match &*udt.kind {
            "struct" | "class" => UdtKind::Struct,
            "union" => UdtKind::Union,
            kind => {
                return Err(IsfError::UdtKind {
                    name: name.to_string(),
                    kind: kind.to_owned(),
                });
            }
        };
        let mut fields = Vec::with_capacity(udt.fields.0.len());
        for (field, raw) in &udt.fields.0 {
            let ty = types.make(&raw.ty).map_err(|error| IsfError::Type {
                of: format!("{name}.{field}"),
                error,
            })?;
            fields.push(Field {
                name: types.names.get(field),
                offset: raw.offset,
                ty,
                anonymous: raw.anonymous,
            });
        }
        table.udt(Udt::new(types.names.get(name), kind, udt.size, fields));
    }
    for (name, e) in &raw.enums.0 {
        let constants = e
            .constants
            .0
            .iter()
            .map(|(name, value)| (types.names.get(name), value.0))
            .collect();
        table.enumeration(Enum::new(types.names.get(name), e.size, constants));
    }
    Ok(table.build())
}

/// Makes types of their raw form. A base type that is missing from `bases` is an error; `void` is there as `None`.
struct Types<'a> {
    names: Names,
    bases: HashMap<&'a str, Option<Base>>,
}

fn part<T>(part: Option<T>, missing: &'static str) -> Result<T, TypeError> {
    part.ok_or(TypeError::Incomplete(missing))
}

impl Types<'_> {
    /// The recursion is as deep as the JSON was nested, which serde_json limits to 128.
    fn make(&mut self, raw: &RawType) -> Result<Type, TypeError> {
        let name = raw.name.as_deref();
        let named = || name.ok_or_else(|| TypeError::NoName(raw.kind.to_string()));
        Ok(match &*raw.kind {
            "base" => match self.bases.get(named()?) {
                Some(Some(base)) => Type::Base(base.clone()),
                Some(None) => Type::Void,
                None => return Err(TypeError::NoBase(named()?.to_owned())),
            },
            "struct" | "class" | "union" => Type::Udt(self.names.get(named()?)),
            "enum" => Type::Enum(self.names.get(named()?)),
            "pointer" => Type::Pointer(Box::new(
                self.make(part(raw.subtype.as_deref(), "a pointer to nothing")?)?,
            )),
            "array" => {
                let of = self.make(part(raw.subtype.as_deref(), "an array of nothing")?)?;
                Type::Array(Box::new(of), part(raw.count, "an array without a count")?)
            }
            "bitfield" => {
                let of = Box::new(self.make(part(raw.of.as_deref(), "a bit-field of nothing")?)?);
                let (Some(position), Some(length)) = (raw.bit_position, raw.bit_length) else {
                    return Err(TypeError::Incomplete("a bit-field without its bits"));
                };
                Type::Bitfield {
                    position,
                    length,
                    of,
                }
            }
            "function" => Type::Function(None),
            kind => return Err(TypeError::Kind(kind.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{
        "metadata": {"format": "6.1.0", "windows": {"pdb": {"GUID": "606FF669409B00F7FC8C61A9C1670129",
            "age": 1, "database": "x\\ntkrnlmp.pdb", "machine_type": 34404}}},
        "symbols": {
            "MiState": {"address": 4096}, "MiNext": {"address": 4192},
            "CmAdd": {"address": 16, "linkage_name": "_CmAdd"},
            "A_NULL_THUNK": {"address": 32, "linkage_name": "\u007fA_NULL_THUNK"},
            "?Sm@@3U_SM@@A": {"address": 4294967295},
            "Far": {"address": 4294967296}, "Constant": {"constant_data": "AA=="}
        },
        "user_types": {
            "_MI_SYSTEM_INFORMATION": {"kind": "struct", "size": 32, "fields": {
                "Vs": {"offset": 16, "type": {"kind": "struct", "name": "_VS"}},
                "Kind": {"offset": 8, "type": {"kind": "enum", "name": "_KIND"}},
                "Low": {"offset": 0, "type": {"kind": "bitfield", "bit_position": 0, "bit_length": 12,
                    "type": {"kind": "base", "name": "unsigned long"}}},
                "High": {"offset": 0, "type": {"kind": "bitfield", "bit_position": 12, "bit_length": 20,
                    "type": {"kind": "base", "name": "unsigned long"}}}}},
            "_VS": {"kind": "union", "size": 16, "fields": {
                "All": {"offset": 0, "type": {"kind": "array", "count": 2,
                    "subtype": {"kind": "pointer", "subtype": {"kind": "base", "name": "void"}}}},
                "u": {"offset": 0, "anonymous": true, "type": {"kind": "union", "name": "_IN"}}}},
            "_IN": {"kind": "struct", "size": 16, "fields": {
                "Call": {"offset": 8, "type": {"kind": "pointer", "subtype": {"kind": "function"}}}}}
        },
        "enums": {"_KIND": {"base": "int", "size": 4, "constants": {"B": 1, "A": -1, "C": 18446744073709551615}}},
        "base_types": {"void": {"kind": "void", "size": 0, "signed": false, "endian": "little"},
            "pointer": {"kind": "int", "size": 8, "signed": false, "endian": "little"},
            "unsigned long": {"kind": "int", "size": 4, "signed": false, "endian": "little"}}
    }"#;

    fn small(text: &str) -> Result<SymbolTable> {
        parse(Path::new("t.json"), text.as_bytes())
    }

    #[test]
    fn a_small_file_is_read_whole() {
        let table = small(SMALL).unwrap();
        let id: Guid = "606FF669409B00F7FC8C61A9C1670129".parse().unwrap();
        assert_eq!(table.identity(), Some(&PdbId::new(id, 1, "ntkrnlmp.pdb")));
        assert_eq!(
            (table.machine(), table.version()),
            (Some(0x8664), Some("10.0.19041.3570"))
        );
        assert_eq!(table.source().to_string(), "t.json");
        let symbols: Vec<_> = table.symbols().map(|(name, rva)| (name, rva.0)).collect();
        let expected = [
            ("?Sm@@3U_SM@@A", u32::MAX),
            ("A_NULL_THUNK", 32),
            ("MiNext", 4192),
            ("MiState", 4096),
            ("_CmAdd", 16),
        ];
        assert_eq!(symbols, expected);
        assert_eq!(table.mi_state_slack(), Some(64));

        let pointer = |to| Type::Pointer(Box::new(to));
        let vs = table.field("_MI_SYSTEM_INFORMATION", "Vs.All").unwrap();
        assert_eq!(
            (vs.offset, vs.ty),
            (16, &Type::Array(Box::new(pointer(Type::Void)), 2))
        );
        assert_eq!(table.size_of(vs.ty), Some(16));
        let call = table.field("_MI_SYSTEM_INFORMATION", "Vs.Call").unwrap();
        assert_eq!((call.offset, call.ty), (24, &pointer(Type::Function(None))));
        let high = table.field("_MI_SYSTEM_INFORMATION", "High").unwrap();
        assert!(matches!(
            high.ty,
            Type::Bitfield {
                position: 12,
                length: 20,
                ..
            }
        ));
        assert_eq!(table.size_of(high.ty), Some(4));
        let constants = &table.enumeration("_KIND").unwrap().constants;
        assert_eq!(
            constants,
            &[("A".into(), -1), ("C".into(), -1), ("B".into(), 1)]
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            (
                SMALL.replace("6.1.0", "7.0.0"),
                "t.json: ISF version \"7.0.0\" is not understood (6.x is)",
            ),
            (
                SMALL.replace("606F", "ZZZZ"),
                "t.json: \"ZZZZF669409B00F7FC8C61A9C1670129\" is not a GUID",
            ),
            (
                SMALL.replace("\"function\"", "\"fruit\""),
                "t.json: _IN.Call: unknown kind \"fruit\"",
            ),
            (
                SMALL.replace("\"name\": \"void\"", "\"name\": \"air\""),
                "t.json: _VS.All: base type \"air\" is not defined",
            ),
            (
                "MDMP".to_owned(),
                "t.json: not an ISF symbol file: expected value at line 1 column 1",
            ),
            (
                "{}".to_owned(),
                "t.json: not an ISF symbol file: missing field `metadata` at line 1 column 2",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(small(&text).unwrap_err().to_string(), expected);
        }
        let missing = open(Path::new("/nonexistent/x.json")).unwrap_err();
        assert!(matches!(missing, Error::Open { .. }), "{missing}");
    }

    #[test]
    fn nesting_without_end_is_an_error_and_no_overflow() {
        let deep = "{\"kind\":\"pointer\",\"subtype\":".repeat(100_000);
        let text = SMALL.replace("{\"kind\": \"function\"}", &deep);
        let message = small(&text).unwrap_err().to_string();
        assert!(message.contains("recursion limit exceeded"), "{message}");
    }
}
