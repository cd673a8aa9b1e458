//! Loads and stores: what an address means in an image that is not running.

use super::image::TagImage;
use super::lattice::{Atom, Cause, Fact, How, Value, combine};
use super::state::State;
use std::cell::RefCell;

/// An address that an instruction uses.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// The pointer.
    pub base: Value,
    /// Bytes behind it.
    pub offset: i64,
    /// Whether something unknown is added: an index into a table.
    pub indexed: bool,
}

impl Address {
    /// An address that is not known.
    pub(crate) fn unknown(cause: Cause, at: u32) -> Address {
        Address {
            base: Value::unknown(cause, at),
            offset: 0,
            indexed: false,
        }
    }

    /// A place in the image.
    pub(crate) fn image(rva: u32, at: u32) -> Address {
        Address {
            base: Value::one(Atom::Image(rva), at, How::Other),
            offset: 0,
            indexed: false,
        }
    }

    /// Bytes behind a pointer.
    pub(crate) fn at_offset(base: Value, offset: i64) -> Address {
        Address {
            base,
            offset,
            indexed: false,
        }
    }

    /// The address as a value.
    pub(crate) fn value(&self, at: u32) -> Value {
        if self.indexed {
            return Value::unknown(Cause::Computed, at);
        }
        match self.offset {
            0 => self.base.clone(),
            offset => add(&self.base, &Value::immediate(offset as u64, at), at),
        }
    }
}

/// A store to a variable of the image.
#[derive(Clone, Debug)]
pub(crate) struct GlobalStore {
    /// The variable.
    pub rva: u32,
    /// Bytes written.
    pub width: u32,
    /// What.
    pub value: Value,
    /// The instruction.
    pub at: u32,
}

/// The image as memory.
pub(crate) struct Memory<'a> {
    /// The image.
    pub image: &'a TagImage,
    /// Stores to variables, while they are collected.
    pub stores: RefCell<Option<Vec<GlobalStore>>>,
}

impl<'a> Memory<'a> {
    /// The memory of an image.
    pub(crate) fn new(image: &'a TagImage) -> Memory<'a> {
        Memory {
            image,
            stores: RefCell::new(None),
        }
    }

    /// Reads `width` bytes, zero-extended; `signed` matters for the entries of tables only.
    pub(crate) fn load(
        &self,
        state: &State,
        address: &Address,
        width: u32,
        signed: bool,
        at: u32,
    ) -> Value {
        let pointer = state.pointer;
        let mut result: Option<Value> = None;
        for fact in address.base.facts() {
            let value = match fact.atom {
                Atom::Image(rva) if address.indexed => {
                    self.entries(rva, address.offset, width, signed, at)
                }
                _ if address.indexed => Value::unknown(Cause::Memory, at),
                Atom::Stack(anchor, offset) => match offset_by(offset, address.offset) {
                    Some(offset) => state.load(anchor, offset, width, at),
                    None => Value::unknown(Cause::Memory, at),
                },
                Atom::Image(rva) => match rva_by(rva, address.offset) {
                    Some(rva) => self.image_load(rva, width, at),
                    None => Value::unknown(Cause::Memory, at),
                },
                Atom::Initial(location) if state.pristine && (width == 4 || width == pointer) => {
                    match i32::try_from(address.offset) {
                        Ok(offset) => Value::one(Atom::Field(location, offset), at, How::Other),
                        Err(_) => Value::unknown(Cause::Memory, at),
                    }
                }
                Atom::WdfTable if width == pointer && address.offset >= 0 => {
                    let index = address.offset / i64::from(pointer);
                    Value::one(Atom::WdfFunction(index.min(0xffff) as u32), at, How::Other)
                }
                _ => Value::unknown(Cause::Memory, at),
            };
            match &mut result {
                Some(joined) => {
                    joined.join(&value);
                }
                None => result = Some(value),
            }
        }
        let mut result = result.unwrap_or_else(|| Value::unknown(Cause::Memory, at));
        if let Some(why) = address.base.other() {
            result.weaken(why);
        }
        result
    }

    fn entries(&self, rva: u32, offset: i64, width: u32, signed: bool, at: u32) -> Value {
        let table = rva_by(rva, offset)
            .filter(|&t| self.image.section(t).is_some_and(|s| !s.is_writable()));
        match table {
            Some(table) => Value::one(Atom::TableEntry(table, width as u8, signed), at, How::Other),
            None => Value::unknown(Cause::Memory, at),
        }
    }

    /// Reads from the image: from what cannot be written, the contents; from the rest, the place.
    fn image_load(&self, rva: u32, width: u32, at: u32) -> Value {
        let image = self.image;
        let pointer = image.machine.pointer();
        let one = |atom| Value::one(atom, at, How::Other);
        if width == pointer {
            if image.import(rva).is_some() {
                return one(Atom::Slot(rva));
            }
            if image.guard.check.contains(&rva) {
                return one(Atom::Guard(false));
            }
            if image.guard.dispatch.contains(&rva) {
                return one(Atom::Guard(true));
            }
            if let Some(wdf) = image.wdf {
                let index = rva.checked_sub(wdf.table).map(|bytes| bytes / pointer);
                match index {
                    Some(0) if !wdf.inline => return one(Atom::WdfTable),
                    Some(index) if wdf.inline && index < wdf.functions => {
                        return one(Atom::WdfFunction(index));
                    }
                    _ => {}
                }
            }
        }
        let Some(section) = image.section(rva) else {
            return Value::unknown(Cause::Memory, at);
        };
        if section.is_writable() {
            return match u8::try_from(width) {
                Ok(width @ (4 | 8)) => one(Atom::Global(rva, width)),
                _ => Value::unknown(Cause::Memory, at),
            };
        }
        self.constant(rva, width)
            .unwrap_or_else(|| Value::unknown(Cause::Memory, at))
    }

    /// What lies in the image, as a number or as an address.
    pub(crate) fn constant(&self, rva: u32, width: u32) -> Option<Value> {
        let image = self.image;
        let mut bytes = [0u8; 8];
        bytes
            .get_mut(..width as usize)?
            .copy_from_slice(image.slice(rva, width).get(..width as usize)?);
        let number = u64::from_le_bytes(bytes);
        let adjusted = image.relocations.is_empty() || image.is_relocated(rva);
        let atom = match image.rva_of(number) {
            Some(target) if width == image.machine.pointer() && adjusted => Atom::Image(target),
            _ => Atom::Const(number),
        };
        Some(Value::one(atom, rva, How::Data))
    }

    /// Writes `width` bytes.
    pub(crate) fn store(
        &self,
        state: &mut State,
        address: &Address,
        width: u32,
        value: &Value,
        at: u32,
    ) {
        if address.base.other().is_some() {
            state.store_anywhere(at);
        }
        if address.base.may_be(|a| !matches!(a, Atom::Stack(..))) || address.base.other().is_some()
        {
            state.pristine = false;
            let leaked = stack_addresses(value);
            if !leaked.is_empty() {
                state.escape(&leaked, at);
            }
        }
        let certain = address.base.only().is_some() && !address.indexed;
        for fact in address.base.facts() {
            match fact.atom {
                Atom::Stack(anchor, offset) => match offset_by(offset, address.offset) {
                    Some(offset) if certain => state.store(anchor, offset, width, value.clone()),
                    Some(offset) if !address.indexed => {
                        let mut both = state.load(anchor, offset, width, at);
                        both.join(value);
                        state.store(anchor, offset, width, both);
                    }
                    Some(offset) => state.escape(&[(anchor, offset)], at),
                    None => state.invalidate(at),
                },
                Atom::Image(rva) => {
                    if let (Some(rva), Some(list)) = (
                        rva_by(rva, address.offset),
                        self.stores.borrow_mut().as_mut(),
                    ) {
                        let value = match address.indexed {
                            true => Value::unknown(Cause::Computed, at),
                            false => value.clone(),
                        };
                        list.push(GlobalStore {
                            rva,
                            width,
                            value,
                            at,
                        });
                    }
                }
                _ => {}
            }
        }
    }
}

/// The places on the stack that a value may point to.
pub(crate) fn stack_addresses(value: &Value) -> Vec<(u32, i32)> {
    let place = |fact: &Fact| match fact.atom {
        Atom::Stack(anchor, offset) => Some((anchor, offset)),
        _ => None,
    };
    value.facts().iter().filter_map(place).collect()
}

fn offset_by(offset: i32, by: i64) -> Option<i32> {
    i32::try_from(i64::from(offset).checked_add(by)?).ok()
}

fn rva_by(rva: u32, by: i64) -> Option<u32> {
    u32::try_from(i64::from(rva).checked_add(by)?).ok()
}

/// The sum of two values: numbers, an address and a number, or the entry of a table and its base.
pub(crate) fn add(a: &Value, b: &Value, at: u32) -> Value {
    shifted_sum(a, b, 0, at)
}

/// `a + (b << shift)`.
pub(crate) fn shifted_sum(a: &Value, b: &Value, shift: u8, at: u32) -> Value {
    let numbers = |v: &Value| v.facts().iter().all(|f| matches!(f.atom, Atom::Const(_)));
    let scale = |n: u64| n.checked_shl(u32::from(shift)).unwrap_or(0);
    if numbers(a) && numbers(b) {
        return combine(a, b, at, |x, y| Some(x.wrapping_add(scale(y))));
    }
    let moved = |fact: Fact, by: u64| {
        let atom = match fact.atom {
            Atom::Const(n) => Atom::Const(n.wrapping_add(by)),
            Atom::Stack(anchor, offset) => Atom::Stack(anchor, offset_by(offset, by as i64)?),
            Atom::Image(rva) => Atom::Image(rva_by(rva, by as i64)?),
            Atom::Initial(_) if by == 0 => fact.atom,
            _ => return None,
        };
        Some(Fact {
            atom,
            at,
            with: None,
            how: How::Folded.max(fact.how),
        })
    };
    if let Some(number) = b.constant() {
        return a.map(at, |fact| moved(fact, scale(number)));
    }
    if let (Some(number), 0) = (a.constant(), shift) {
        return b.map(at, |fact| moved(fact, number));
    }
    let target = match (a.only(), b.only()) {
        (Some(Atom::Image(base)), Some(Atom::TableEntry(table, width, signed))) => {
            Some((table, width, signed, shift, base))
        }
        (Some(Atom::TableEntry(table, width, signed)), Some(Atom::Image(base))) if shift == 0 => {
            Some((table, width, signed, 0, base))
        }
        _ => None,
    };
    match target {
        Some((table, width, signed, shift, base)) => Value::one(
            Atom::TableTarget(table, width, signed, shift, base),
            at,
            How::Other,
        ),
        None => Value::unknown(Cause::Computed, at),
    }
}

/// Copies bytes onto the stack, in the largest pieces that keep what is known.
pub(crate) fn copy(
    memory: &Memory<'_>,
    state: &mut State,
    to: (u32, i32),
    from: &Address,
    bytes: u32,
    at: u32,
) {
    let pointer = state.pointer;
    let mut parts = Vec::new();
    let mut done = 0;
    while done < bytes {
        let part = |width: u32| {
            let address = Address {
                offset: from.offset.wrapping_add(i64::from(done)),
                ..from.clone()
            };
            memory.load(state, &address, width, false, at)
        };
        let mut width = if bytes - done >= pointer {
            pointer
        } else {
            (bytes - done).min(4)
        };
        let mut value = part(width);
        if !value.is_known() && width > 4 {
            width = 4;
            value = part(width);
        }
        if !value.is_known() && width > 1 {
            width = 1;
            value = part(width);
        }
        parts.push((done, width, value));
        done += width;
    }
    for (offset, width, value) in parts {
        if let Some(offset) = offset_by(to.1, i64::from(offset)) {
            state.store(to.0, offset, width, value);
        }
    }
}
