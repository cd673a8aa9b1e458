//! The target's structures by the names that the symbols give them: `typed("_EPROCESS", at).UniqueProcessId`.

use super::addr::{Answer, address, number};
use super::host::{Host, refused};
use super::registry::{Registry, fail};
use rhai::{Array, Dynamic};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_kernel::list::List;
use rkd_symbols::{Cell, Struct, Type};
use std::fmt;
use std::sync::Arc;

/// The longest array that becomes one of Rhai's; the address of a longer one is to be had with `address_of`.
const MAX_ARRAY: u64 = 4096;

/// A structure of the target. Nothing is read until a field is asked for.
#[derive(Clone)]
pub(super) struct StructObject {
    kernel: Arc<Kernel>,
    ty: String,
    at: Virt,
}

impl StructObject {
    fn new(kernel: Arc<Kernel>, ty: &str, at: Virt) -> Result<StructObject> {
        // kd writes nt!_EPROCESS; these are nt's types in any case.
        let ty = ty.strip_prefix("nt!").unwrap_or(ty).to_string();
        let object = StructObject { kernel, ty, at };
        object.view()?;
        Ok(object)
    }

    fn view(&self) -> Result<Struct<'_>> {
        Struct::new(self.kernel.space(), self.kernel.table()?, &self.ty, self.at)
    }

    fn get(&self, path: &str) -> Result<Dynamic> {
        self.value(self.view()?.field(path)?)
    }

    fn value(&self, cell: Cell<'_>) -> Result<Dynamic> {
        Ok(match cell.ty() {
            Type::Udt(name) => Dynamic::from(StructObject::new(
                Arc::clone(&self.kernel),
                name,
                cell.address(),
            )?),
            Type::Pointer(_) => Dynamic::from(cell.virt()?),
            Type::Array(of, _) if matches!(&**of, Type::Base(base) if base.size == 1) => {
                Dynamic::from_blob(cell.bytes()?)
            }
            Type::Array(_, count) if *count > MAX_ARRAY => {
                return Err(Error::TooLarge(format!(
                    "an array of {count} elements is too long for a script: use address_of()"
                )));
            }
            Type::Array(_, count) => {
                let elements = (0..*count)
                    .map(|i| self.value(cell.index(i)?))
                    .collect::<Result<Array>>()?;
                Dynamic::from_array(elements)
            }
            // What has no sign and is too large for Rhai's integers becomes an Addr.
            _ => match cell.i64()? {
                value
                    if value < 0 && cell.u64()?.cast_signed() == value && !has_sign(cell.ty()) =>
                {
                    number(cell.u64()?)
                }
                value => Dynamic::from(value),
            },
        })
    }

    fn fields(&self) -> Result<Array> {
        Ok(self
            .view()?
            .ty()
            .fields
            .iter()
            .map(|field| Dynamic::from(field.name.clone()))
            .collect())
    }
}

impl fmt::Display for StructObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.ty, self.at)
    }
}

fn has_sign(ty: &Type) -> bool {
    match ty {
        Type::Base(base) => base.signed,
        Type::Enum(_) => true,
        Type::Bitfield { of, .. } => has_sign(of),
        _ => false,
    }
}

/// Registers the type and its functions.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>) {
    r.engine
        .register_type_with_name::<StructObject>("Struct")
        .register_indexer_get(|s: &mut StructObject, path: &str| s.get(path).map_err(refused))
        .register_get("tag", |s: &mut StructObject| s.get("tag").map_err(refused))
        .register_fn("to_string", |s: &mut StructObject| s.to_string())
        .register_fn("to_debug", |s: &mut StructObject| s.to_string())
        .register_fn("address", |s: &mut StructObject| s.at)
        .register_fn(
            "address_of",
            |s: &mut StructObject, path: &str| -> Answer<Virt> {
                s.view()
                    .and_then(|view| Ok(view.field(path)?.address()))
                    .map_err(refused)
            },
        )
        .register_fn("has", |s: &mut StructObject, path: &str| -> Answer<bool> {
            s.view().map(|view| view.has(path)).map_err(refused)
        })
        .register_fn("fields", |s: &mut StructObject| s.fields().map_err(refused));
    r.function(
        "typed(type, address)",
        "One of nt's structures at an address: `typed(\"_EPROCESS\", at).UniqueProcessId`. Numbers, pointers (`Addr`), structures in structures; an array of bytes is a blob.",
    );
    let of = Arc::clone(host);
    r.engine.register_fn("typed", move |ty: &str, at: Dynamic| {
        StructObject::new(of.kernel()?, ty, address(&at)?).map_err(refused)
    });
    r.property(
        "struct",
        "NAME",
        "a field, also written `struct[\"A.B\"]` for a path",
    );
    r.property("struct", "address()", "where the structure lies");
    r.property("struct", "address_of(path)", "where a field lies");
    r.property(
        "struct",
        "has(path)",
        "whether this build's type has the field",
    );
    r.property("struct", "fields()", "the names of its fields");
    layout(r, host);
    lists(r, host);
}

fn layout(r: &mut Registry, host: &Arc<Host>) {
    r.function("size_of(type)", "The size of one of nt's types, in bytes.");
    let of = Arc::clone(host);
    r.engine
        .register_fn("size_of", move |ty: &str| -> Answer<Dynamic> {
            let kernel = of.kernel()?;
            let view = StructObject::new(kernel, ty, Virt(0)).map_err(refused)?;
            view.view().map(|view| number(view.size())).map_err(refused)
        });
    r.function(
        "offset_of(type, path)",
        "The offset of a field in one of nt's types, in bytes.",
    );
    let of = Arc::clone(host);
    r.engine.register_fn(
        "offset_of",
        move |ty: &str, path: &str| -> Answer<Dynamic> {
            let view = StructObject::new(of.kernel()?, ty, Virt(0)).map_err(refused)?;
            view.view()
                .and_then(|view| Ok(number(view.field(path)?.address().0)))
                .map_err(refused)
        },
    );
}

fn lists(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "list_of(head, type, field)",
        "The structures of a list: `list_of(sym(\"PsActiveProcessHead\"), \"_EPROCESS\", \"ActiveProcessLinks\")`. A list that is broken ends where it breaks, with a remark.",
    );
    let of = Arc::clone(host);
    r.engine
        .register_fn("list_of", move |head: Dynamic, ty: &str, field: &str| {
            list_of(&of, address(&head)?, ty, field)
        });
}

fn list_of(host: &Host, head: Virt, ty: &str, field: &str) -> Answer<Array> {
    let kernel = host.kernel()?;
    let offset = StructObject::new(Arc::clone(&kernel), ty, Virt(0))
        .and_then(|view| Ok(view.view()?.field(field)?.address().0))
        .map_err(refused)?;
    let mut structures = Array::new();
    for links in List::new(kernel.space(), head, "given to list_of()") {
        match links {
            Ok(links) => {
                let object =
                    StructObject::new(Arc::clone(&kernel), ty, links - offset).map_err(refused)?;
                structures.push(Dynamic::from(object));
            }
            Err(why) if structures.is_empty() => return Err(fail(why.to_string())),
            Err(why) => host.note(format!("the list is not whole: {why}"))?,
        }
        if host.is_stopped() {
            return Err(super::registry::stopped());
        }
    }
    Ok(structures)
}
