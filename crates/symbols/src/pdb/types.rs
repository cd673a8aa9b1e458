//! The types of a PDB: structures, unions and enumerations by name, and what their members are.

use super::error::PdbError;
use super::primitive;
use crate::TableBuilder;
use crate::types::{Enum, Field, Name, Names, Signature, Type, Udt, UdtKind};
use pdb2::{
    FallibleIterator, Indirection, PrimitiveType, TypeData, TypeFinder, TypeIndex, TypeInformation,
    TypeProperties, Variant,
};
use std::collections::HashMap;

/// How deep a type is followed. Types that refer to one another without end are cut off there.
const MAX_DEPTH: u32 = 32;

/// Reads types by their index.
pub(super) struct Types<'t> {
    information: &'t TypeInformation<'static>,
    finder: TypeFinder<'t>,
    /// Where a type is defined that others only name, by the name that the linker tells types apart by.
    definitions: HashMap<&'t [u8], TypeIndex>,
    names: Names,
    pointer_size: u8,
    /// How many more types and members may be made of the file. Its records share their parts, so that a small file could
    /// stand for any number of them.
    left: u64,
}

impl<'t> Types<'t> {
    /// Finds all definitions.
    ///
    /// # Errors
    /// When the records do not follow one another to the end.
    pub(super) fn new(
        information: &'t TypeInformation<'static>,
        pointer_size: u8,
    ) -> Result<Types<'t>, PdbError> {
        let mut types = Types {
            information,
            finder: information.finder(),
            definitions: HashMap::new(),
            names: Names::default(),
            pointer_size,
            left: 1 << 16,
        };
        let mut records = information.iter();
        while let Some(record) = records.next()? {
            types.finder.update(&records);
            types.left += 4 * record.len() as u64;
            if let Some(head) = head(record.parse().ok().as_ref())
                && !head.properties.forward_reference()
            {
                types.definitions.entry(head.key).or_insert(record.index());
            }
        }
        Ok(types)
    }

    /// Puts every definition into the table. One that cannot be read is left out.
    ///
    /// # Errors
    /// [`PdbError::SharedRecords`] when the file stands for more types than it has room for.
    pub(super) fn define(&mut self, table: &mut TableBuilder) -> Result<(), PdbError> {
        let mut records = self.information.iter();
        while let Some(record) = records.next()? {
            let data = record.parse();
            match &data {
                Ok(TypeData::Class(class)) if !class.properties.forward_reference() => {
                    let name = self.name(record.index(), class.name.as_bytes());
                    let fields = self.fields(class.fields)?;
                    table.udt(Udt::declared(name, UdtKind::Struct, class.size, fields));
                }
                Ok(TypeData::Union(union)) if !union.properties.forward_reference() => {
                    let name = self.name(record.index(), union.name.as_bytes());
                    let fields = self.fields(Some(union.fields))?;
                    table.udt(Udt::declared(name, UdtKind::Union, union.size, fields));
                }
                Ok(TypeData::Enumeration(e)) if !e.properties.forward_reference() => {
                    let name = self.name(record.index(), e.name.as_bytes());
                    let size = self.size(e.underlying_type, MAX_DEPTH).unwrap_or(4);
                    let base = self.get(e.underlying_type)?;
                    let signed = matches!(base, Type::Base(base) if base.signed);
                    let constants = self.constants(e.fields, signed, size)?;
                    table.enumeration(Enum::new(name, size, constants));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The type of an index. What cannot be read is [`Type::Void`].
    ///
    /// # Errors
    /// As [`Types::define`].
    pub(super) fn get(&mut self, index: TypeIndex) -> Result<Type, PdbError> {
        self.ty(index, MAX_DEPTH)
    }

    /// A name for the table. Types without one get what Volatility calls them, from their index.
    fn name(&mut self, index: TypeIndex, raw: &[u8]) -> Name {
        let text = text(raw);
        for (mark, stem) in [
            ("<unnamed-tag>", "__unnamed"),
            ("<anonymous-tag>", "__anonymous"),
            ("__unnamed", "__unnamed"),
            ("__anonymous", "__anonymous"),
        ] {
            if let Some(scope) = text.strip_suffix(mark)
                && (scope.is_empty() || scope.ends_with("::"))
            {
                return self.names.get(&format!("{scope}{stem}_{:x}", index.0));
            }
        }
        self.names.get(&text)
    }

    fn spend(&mut self, items: u64) -> Result<(), PdbError> {
        self.left = self
            .left
            .checked_sub(items)
            .ok_or(PdbError::SharedRecords)?;
        Ok(())
    }

    fn parse(&self, index: TypeIndex) -> Option<TypeData<'t>> {
        self.finder.find(index).ok()?.parse().ok()
    }

    /// The parts of a field list and of the lists that continue it.
    fn list(&mut self, list: Option<TypeIndex>) -> Result<Vec<TypeData<'t>>, PdbError> {
        let mut parts = Vec::new();
        let mut next = list;
        while let Some(index) = next {
            let Some(TypeData::FieldList(list)) = self.parse(index) else {
                break;
            };
            self.spend(1 + list.fields.len() as u64)?;
            parts.extend(list.fields);
            next = list.continuation;
        }
        Ok(parts)
    }

    fn fields(&mut self, list: Option<TypeIndex>) -> Result<Vec<Field>, PdbError> {
        let mut fields = Vec::new();
        for part in self.list(list)? {
            match part {
                TypeData::Member(member) => {
                    let unnamed = member.name.is_empty();
                    let name = if unnamed {
                        format!("unnamed_{:x}", member.offset).into()
                    } else {
                        text(member.name.as_bytes())
                    };
                    fields.push(Field {
                        name: self.names.get(&name),
                        offset: member.offset,
                        ty: self.get(member.field_type)?,
                        anonymous: unnamed,
                    });
                }
                // The members of a base are members of the type.
                TypeData::BaseClass(base) => {
                    let ty = self.get(base.base_class)?;
                    if let Type::Udt(name) = &ty {
                        fields.push(Field {
                            name: name.clone(),
                            offset: u64::from(base.offset),
                            ty,
                            anonymous: true,
                        });
                    }
                }
                TypeData::VirtualFunctionTablePointer(_) => fields.push(Field {
                    name: self.names.get("__VFN_table"),
                    offset: 0,
                    ty: Type::Pointer(Box::new(Type::Pointer(Box::new(Type::Function(None))))),
                    anonymous: false,
                }),
                _ => {}
            }
        }
        Ok(fields)
    }

    /// clang writes the constants of a signed enumeration without their sign.
    fn constants(
        &mut self,
        list: TypeIndex,
        signed: bool,
        size: u64,
    ) -> Result<Vec<(Name, i64)>, PdbError> {
        let unused = if signed { 64 - 8 * size.clamp(1, 8) } else { 0 };
        let mut constants = Vec::new();
        for part in self.list(Some(list))? {
            if let TypeData::Enumerate(constant) = part {
                let name = self.names.get(&text(constant.name.as_bytes()));
                constants.push((name, value(constant.value) << unused >> unused));
            }
        }
        Ok(constants)
    }

    fn ty(&mut self, index: TypeIndex, depth: u32) -> Result<Type, PdbError> {
        self.spend(1)?;
        let Some(depth) = depth.checked_sub(1) else {
            return Ok(Type::Void);
        };
        let Some(data) = self.parse(index) else {
            return Ok(Type::Void);
        };
        Ok(match data {
            TypeData::Primitive(primitive) => self.primitive(primitive),
            TypeData::Pointer(pointer) => match pointer.attributes.size() {
                size if size == self.pointer_size => {
                    Type::Pointer(Box::new(self.ty(pointer.underlying_type, depth)?))
                }
                size => Type::Base(primitive::odd_pointer(size)),
            },
            TypeData::Modifier(modifier) => self.ty(modifier.underlying_type, depth)?,
            TypeData::Alias(alias) => self.ty(alias.underlying_type, depth)?,
            TypeData::Array(array) => {
                let mut ty = self.ty(array.element_type, depth)?;
                let mut size = self.size(array.element_type, MAX_DEPTH).unwrap_or(0);
                // The dimensions are sizes in bytes: those of the rows, then that of the whole.
                for dimension in array.dimensions.into_iter().map(u64::from) {
                    ty = Type::Array(Box::new(ty), dimension.checked_div(size).unwrap_or(0));
                    size = dimension;
                }
                ty
            }
            TypeData::Bitfield(bits) => Type::Bitfield {
                position: bits.position,
                length: bits.length,
                of: Box::new(self.ty(bits.underlying_type, depth)?),
            },
            TypeData::Class(_) | TypeData::Union(_) => Type::Udt(self.defined(index, &data)),
            TypeData::Enumeration(_) => Type::Enum(self.defined(index, &data)),
            TypeData::Procedure(procedure) => {
                let returns = procedure.return_type.unwrap_or(TypeIndex(0));
                self.function(returns, procedure.argument_list, depth)?
            }
            TypeData::MemberFunction(member) => {
                self.function(member.return_type, member.argument_list, depth)?
            }
            _ => Type::Void,
        })
    }

    fn function(
        &mut self,
        returns: TypeIndex,
        list: TypeIndex,
        depth: u32,
    ) -> Result<Type, PdbError> {
        let returns = self.ty(returns, depth)?;
        let mut signature = Signature {
            returns,
            arguments: Vec::new(),
            variadic: false,
        };
        if let Some(TypeData::ArgumentList(list)) = self.parse(list) {
            for argument in list.arguments {
                if argument == TypeIndex(0) {
                    signature.variadic = true;
                } else {
                    signature.arguments.push(self.ty(argument, depth)?);
                }
            }
        }
        Ok(Type::Function(Some(Box::new(signature))))
    }

    fn primitive(&self, primitive: PrimitiveType) -> Type {
        let base = primitive::base(primitive.kind).map_or(Type::Void, Type::Base);
        match primitive.indirection.map(pointer_size) {
            None => base,
            Some(size) if size == self.pointer_size => Type::Pointer(Box::new(base)),
            Some(size) => Type::Base(primitive::odd_pointer(size)),
        }
    }

    /// The name under which the table has a type that is only mentioned here.
    fn defined(&mut self, index: TypeIndex, mentioned: &TypeData<'t>) -> Name {
        let raw = mentioned.name().unwrap_or_default();
        let definition = self.definition(index, mentioned);
        match self.parse(definition).and_then(|data| data.name()) {
            Some(name) => self.name(definition, name.as_bytes()),
            None => self.name(index, raw.as_bytes()),
        }
    }

    fn definition(&self, index: TypeIndex, mentioned: &TypeData<'t>) -> TypeIndex {
        head(Some(mentioned))
            .filter(|head| head.properties.forward_reference())
            .and_then(|head| self.definitions.get(head.key).copied())
            .unwrap_or(index)
    }

    /// In bytes; `None` for code, for nothing, and for what is not defined.
    fn size(&self, index: TypeIndex, depth: u32) -> Option<u64> {
        let depth = depth.checked_sub(1)?;
        let data = self.parse(index)?;
        Some(match &data {
            TypeData::Primitive(p) => match p.indirection {
                Some(indirection) => u64::from(pointer_size(indirection)),
                None => u64::from(primitive::base(p.kind)?.size),
            },
            TypeData::Class(class) if !class.properties.forward_reference() => class.size,
            TypeData::Union(union) if !union.properties.forward_reference() => union.size,
            TypeData::Class(_) | TypeData::Union(_) => {
                let definition = self.definition(index, &data);
                return if definition == index {
                    None
                } else {
                    self.size(definition, depth)
                };
            }
            TypeData::Enumeration(e) => self.size(e.underlying_type, depth)?,
            TypeData::Modifier(modifier) => self.size(modifier.underlying_type, depth)?,
            TypeData::Alias(alias) => self.size(alias.underlying_type, depth)?,
            TypeData::Bitfield(bits) => self.size(bits.underlying_type, depth)?,
            TypeData::Array(array) => u64::from(*array.dimensions.last()?),
            TypeData::Pointer(pointer) => u64::from(pointer.attributes.size()),
            _ => return None,
        })
    }
}

/// What structures, unions and enumerations have in common.
struct Head<'t> {
    properties: TypeProperties,
    /// The decorated name where there is one: it tells local types of different functions apart.
    key: &'t [u8],
}

fn head<'t>(data: Option<&TypeData<'t>>) -> Option<Head<'t>> {
    let (properties, unique, name) = match data? {
        TypeData::Class(class) => (class.properties, class.unique_name, class.name),
        TypeData::Union(union) => (union.properties, union.unique_name, union.name),
        TypeData::Enumeration(e) => (e.properties, e.unique_name, e.name),
        _ => return None,
    };
    Some(Head {
        properties,
        key: unique.unwrap_or(name).as_bytes(),
    })
}

fn pointer_size(indirection: Indirection) -> u8 {
    match indirection {
        Indirection::Near16 => 2,
        Indirection::Far16 | Indirection::Huge16 | Indirection::Near32 => 4,
        Indirection::Far32 => 6,
        Indirection::Near64 => 8,
        Indirection::Near128 => 16,
    }
}

fn value(variant: Variant) -> i64 {
    match variant {
        Variant::U8(n) => i64::from(n),
        Variant::U16(n) => i64::from(n),
        Variant::U32(n) => i64::from(n),
        Variant::U64(n) => n.cast_signed(),
        Variant::I8(n) => i64::from(n),
        Variant::I16(n) => i64::from(n),
        Variant::I32(n) => i64::from(n),
        Variant::I64(n) => n,
    }
}

/// A name as text. Import tables' symbols begin with a control character, which no name that is typed has.
pub(super) fn text(raw: &[u8]) -> std::borrow::Cow<'_, str> {
    let text = String::from_utf8_lossy(raw);
    if text.contains(char::is_control) {
        return text.chars().filter(|c| !c.is_control()).collect();
    }
    text
}
