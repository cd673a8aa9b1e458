//! The JSON of an ISF file as Rust types, borrowing its text. Maps stay lists of pairs: they are read once, from front to back.

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// A whole file.
#[derive(Deserialize)]
pub(super) struct RawFile<'a> {
    #[serde(borrow)]
    pub metadata: RawMetadata<'a>,
    #[serde(borrow, default)]
    pub symbols: Pairs<'a, RawSymbol<'a>>,
    #[serde(borrow, default)]
    pub base_types: Pairs<'a, RawBase<'a>>,
    #[serde(borrow, default)]
    pub user_types: Pairs<'a, RawUdt<'a>>,
    #[serde(borrow, default)]
    pub enums: Pairs<'a, RawEnum<'a>>,
}

#[derive(Deserialize)]
pub(super) struct RawMetadata<'a> {
    #[serde(borrow)]
    pub format: Text<'a>,
    #[serde(borrow)]
    pub windows: Option<RawWindows<'a>>,
}

#[derive(Deserialize)]
pub(super) struct RawWindows<'a> {
    #[serde(borrow)]
    pub pdb: Option<RawPdb<'a>>,
}

#[derive(Deserialize)]
pub(super) struct RawPdb<'a> {
    #[serde(borrow, rename = "GUID")]
    pub guid: Text<'a>,
    pub age: u32,
    #[serde(borrow, default)]
    pub database: Text<'a>,
    pub machine_type: Option<u16>,
}

#[derive(Deserialize)]
pub(super) struct RawSymbol<'a> {
    pub address: Option<u64>,
    #[serde(borrow)]
    pub linkage_name: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub ty: Option<RawType<'a>>,
}

#[derive(Deserialize)]
pub(super) struct RawBase<'a> {
    pub size: u8,
    #[serde(default)]
    pub signed: bool,
    #[serde(borrow)]
    pub kind: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct RawUdt<'a> {
    #[serde(borrow)]
    pub kind: Text<'a>,
    pub size: u64,
    #[serde(borrow)]
    pub fields: Pairs<'a, RawField<'a>>,
}

#[derive(Deserialize)]
pub(super) struct RawField<'a> {
    pub offset: u64,
    #[serde(borrow, rename = "type")]
    pub ty: RawType<'a>,
    #[serde(default)]
    pub anonymous: bool,
}

#[derive(Deserialize)]
pub(super) struct RawType<'a> {
    #[serde(borrow)]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub subtype: Option<Box<RawType<'a>>>,
    pub count: Option<u64>,
    #[serde(borrow, rename = "type")]
    pub of: Option<Box<RawType<'a>>>,
    pub bit_position: Option<u8>,
    pub bit_length: Option<u8>,
}

#[derive(Deserialize)]
pub(super) struct RawEnum<'a> {
    pub size: u64,
    #[serde(borrow)]
    pub constants: Pairs<'a, Value>,
}

/// A constant's value. Those of an unsigned 64-bit enumeration keep their bits.
pub(super) struct Value(pub i64);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        struct ValueVisitor;
        impl Visitor<'_> for ValueVisitor {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
                Ok(Value(value))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
                Ok(Value(value.cast_signed()))
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// A string that borrows from the file when it has no escapes in it. (serde's own `Cow` does so in fields only.)
#[derive(Default)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// A JSON object as pairs in the file's order.
pub(super) struct Pairs<'a, V>(pub Vec<(Text<'a>, V)>);

impl<V> Default for Pairs<'_, V> {
    fn default() -> Self {
        Pairs(Vec::new())
    }
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<'a, V>(PhantomData<(&'a (), V)>);
        impl<'de: 'a, 'a, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<'a, V> {
            type Value = Pairs<'a, V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'a, V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}
