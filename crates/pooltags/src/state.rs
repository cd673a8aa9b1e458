//! The abstract state at one point of a function: its registers and the bytes of its stack.

use super::lattice::{Atom, Cause, Fact, How, Location, Value, Why, mask};

/// Slots that one state keeps; what a function puts on its stack beyond that is not followed.
const MAX_SLOTS: usize = 256;

/// Bytes of the stack with a known value.
#[derive(Clone, Debug)]
struct Slot {
    anchor: u32,
    offset: i32,
    /// Bytes covered.
    length: u32,
    /// Bytes of `value` that lie before `offset`: they were overwritten by something else.
    skip: u32,
    /// Whether the low byte of `value` fills all of it.
    fill: bool,
    value: Value,
}

impl Slot {
    fn end(&self) -> i32 {
        self.offset.saturating_add_unsigned(self.length)
    }

    fn key(&self) -> (u32, i32) {
        (self.anchor, self.offset)
    }

    fn same_bytes(&self, other: &Slot) -> bool {
        self.key() == other.key()
            && (self.length, self.skip, self.fill) == (other.length, other.skip, other.fill)
    }

    /// `width` bytes of it, beginning `from` bytes inside.
    fn part(&self, from: u32, width: u32, pointer: u32, at: u32) -> Value {
        let skip = self.skip + from;
        if self.fill {
            return self.value.map(at, |fact| match fact.atom {
                Atom::Const(byte) => {
                    let value = (byte & 0xff).wrapping_mul(0x0101_0101_0101_0101) & mask(width);
                    Some(Fact {
                        atom: Atom::Const(value),
                        ..fact
                    })
                }
                _ => None,
            });
        }
        if skip == 0 {
            return self
                .value
                .truncate(width, pointer.max(width), at)
                .truncate(width, pointer, at);
        }
        self.value.map(at, |fact| match fact.atom {
            Atom::Const(value) => {
                let value = value.checked_shr(8 * skip).unwrap_or(0) & mask(width);
                Some(Fact {
                    atom: Atom::Const(value),
                    ..fact
                })
            }
            _ => None,
        })
    }
}

/// Registers and stack at one point.
#[derive(Clone, Debug)]
pub(crate) struct State {
    registers: Vec<Value>,
    /// Vector registers with something known in them, in lanes of four bytes.
    vectors: Vec<(u8, Vec<Value>)>,
    slots: Vec<Slot>,
    /// Lowest argument on the stack; below it nothing is known when a function begins.
    arguments: i32,
    /// Arguments on the stack from here on may have been changed through a pointer.
    lost_arguments: i32,
    /// Bytes in a pointer.
    pub pointer: u32,
    /// Whether memory behind the caller's pointers is still as the caller left it.
    pub pristine: bool,
    /// Pieces of stack into which a pointer exists that is not followed, so that any store may hit them.
    untracked: Vec<u32>,
}

impl State {
    /// Nothing known but the stack pointer's anchor; arguments on the stack begin at `arguments`.
    pub(crate) fn new(registers: usize, pointer: u32, arguments: i32) -> State {
        State {
            registers: vec![Value::unknown(Cause::Unset, 0); registers],
            vectors: Vec::new(),
            slots: Vec::new(),
            arguments,
            lost_arguments: i32::MAX,
            pointer,
            pristine: true,
            untracked: Vec::new(),
        }
    }

    /// What the register holds.
    pub(crate) fn register(&self, number: u8) -> Value {
        match self.registers.get(usize::from(number)) {
            Some(value) => value.clone(),
            None => Value::unknown(Cause::Computed, 0),
        }
    }

    /// Puts a value into the register.
    pub(crate) fn set(&mut self, number: u8, value: Value) {
        if let Some(register) = self.registers.get_mut(usize::from(number)) {
            *register = value;
        }
    }

    /// What a lane of four bytes of a vector register holds.
    pub(crate) fn lane(&self, register: u8, lane: u32) -> Value {
        let lanes = self.vectors.iter().find(|(number, _)| *number == register);
        match lanes.and_then(|(_, lanes)| lanes.get(lane as usize)) {
            Some(value) => value.clone(),
            None => Value::unknown(Cause::Computed, 0),
        }
    }

    /// Puts values into the lanes of a vector register; lanes that are not given are unknown.
    pub(crate) fn set_lanes(&mut self, register: u8, lanes: Vec<Value>) {
        self.vectors.retain(|(number, _)| *number != register);
        if lanes.iter().any(Value::is_known) {
            self.vectors.push((register, lanes));
            self.vectors.sort_by_key(|(number, _)| *number);
        }
    }

    /// Begins a piece of stack of which nothing is known, named by the instruction at `at`, with the stack pointer in it.
    pub(crate) fn new_anchor(&mut self, stack_pointer: u8, at: u32) {
        self.slots.retain(|slot| slot.anchor != at);
        self.set(
            stack_pointer,
            Value::one(Atom::Stack(at, 0), at, How::Other),
        );
    }

    /// Forgets all vector registers.
    pub(crate) fn clear_vectors(&mut self) {
        self.vectors.clear();
    }

    fn argument(&self, offset: i32, width: u32, at: u32) -> Value {
        let aligned = offset >= self.arguments
            && (offset - self.arguments).rem_euclid(self.pointer as i32) == 0;
        if !aligned || (width != 4 && width != self.pointer) {
            return Value::unknown(Cause::Unset, at);
        }
        if offset >= self.lost_arguments {
            return Value::unknown(Cause::Escaped, at);
        }
        Value::one(Atom::Initial(Location::Stack(offset)), at, How::Other)
    }

    /// Reads `width` bytes of the stack.
    pub(crate) fn load(&self, anchor: u32, offset: i32, width: u32, at: u32) -> Value {
        let end = offset.saturating_add_unsigned(width);
        let first = self
            .slots
            .partition_point(|s| s.anchor < anchor || (s.anchor == anchor && s.end() <= offset));
        let covering: Vec<&Slot> = self.slots[first..]
            .iter()
            .take_while(|s| s.anchor == anchor && s.offset < end)
            .collect();
        match covering.as_slice() {
            [] if anchor == 0 => self.argument(offset, width, at),
            [] => Value::unknown(Cause::Unset, at),
            [slot] if slot.offset <= offset && slot.end() >= end => {
                slot.part(offset.abs_diff(slot.offset), width, self.pointer, at)
            }
            several => gather(several, offset, width, self.pointer, at),
        }
    }

    /// Writes `width` bytes of the stack.
    pub(crate) fn store(&mut self, anchor: u32, offset: i32, width: u32, value: Value) {
        self.put(anchor, offset, width, false, value);
    }

    /// Fills bytes of the stack with the low byte of `value`.
    pub(crate) fn fill(&mut self, anchor: u32, offset: i32, length: u32, value: Value) {
        self.put(anchor, offset, length, true, value);
    }

    fn put(&mut self, anchor: u32, offset: i32, length: u32, fill: bool, value: Value) {
        if length == 0 {
            return;
        }
        self.cut(anchor, offset, length);
        let tombstone = anchor == 0 && offset.saturating_add_unsigned(length) > self.arguments;
        if !value.is_known() && !tombstone {
            return;
        }
        if self.slots.len() >= MAX_SLOTS {
            if tombstone {
                self.lost_arguments = self.lost_arguments.min(offset);
            }
            return;
        }
        let place = self.slots.partition_point(|s| s.key() < (anchor, offset));
        let slot = Slot {
            anchor,
            offset,
            length,
            skip: 0,
            fill,
            value,
        };
        self.slots.insert(place, slot);
    }

    /// Takes bytes out of the slots that cover them; what lies on either side stays.
    fn cut(&mut self, anchor: u32, offset: i32, length: u32) {
        let end = offset.saturating_add_unsigned(length);
        let hit = |s: &Slot| s.anchor == anchor && s.offset < end && s.end() > offset;
        let Some(first) = self.slots.iter().position(hit) else {
            return;
        };
        let count = self.slots[first..].iter().take_while(|s| hit(s)).count();
        let old: Vec<Slot> = self.slots.drain(first..first + count).collect();
        let mut rest = Vec::new();
        for slot in old {
            if slot.offset < offset {
                let length = offset.abs_diff(slot.offset);
                rest.push(Slot {
                    length,
                    ..slot.clone()
                });
            }
            if slot.end() > end {
                let gone = end.abs_diff(slot.offset);
                rest.push(Slot {
                    offset: end,
                    length: slot.length - gone,
                    skip: if slot.fill { 0 } else { slot.skip + gone },
                    ..slot
                });
            }
        }
        for (i, slot) in rest.into_iter().enumerate() {
            self.slots.insert(first + i, slot);
        }
    }

    /// Marks all bytes that a callee could change when it gets these pointers: each object, as far up as it can reach,
    /// and what pointers in it lead to. A pointer to a local variable does not reach the caller's part of the stack.
    pub(crate) fn escape(&mut self, pointers: &[(u32, i32)], at: u32) {
        let why = Why {
            cause: Cause::Escaped,
            at,
        };
        let mut lowest: Vec<(u32, i32)> = Vec::new();
        let mut queue = pointers.to_vec();
        while let Some((anchor, offset)) = queue.pop() {
            let upper = if anchor == 0 && offset < 0 {
                0
            } else {
                i32::MAX
            };
            let known = lowest
                .iter_mut()
                .find(|(a, o)| *a == anchor && (*o < 0) == (offset < 0));
            match known {
                Some((_, low)) if *low <= offset => continue,
                Some((_, low)) => *low = offset,
                None => lowest.push((anchor, offset)),
            }
            if upper == i32::MAX && anchor == 0 {
                self.lost_arguments = self.lost_arguments.min(offset);
            }
            for slot in &mut self.slots {
                if slot.anchor == anchor && slot.end() > offset && slot.offset < upper {
                    queue.extend(slot.value.facts().iter().filter_map(|f| match f.atom {
                        Atom::Stack(anchor, offset) => Some((anchor, offset)),
                        _ => None,
                    }));
                    slot.value.weaken(why);
                }
            }
        }
        self.pristine = false;
    }

    /// A store through a pointer that is not followed.
    pub(crate) fn store_anywhere(&mut self, at: u32) {
        self.pristine = false;
        let untracked = std::mem::take(&mut self.untracked);
        if !untracked.is_empty() {
            self.invalidate_those(|anchor| untracked.contains(&anchor), at);
        }
        self.untracked = untracked;
    }

    /// From here on a pointer exists that leads somewhere into the pieces of stack of these.
    pub(crate) fn lose_track(&mut self, of: &[(u32, i32)]) {
        self.untracked.extend(of.iter().map(|(anchor, _)| anchor));
        self.untracked.sort_unstable();
        self.untracked.dedup();
    }

    /// Every byte of the stack may have been changed.
    pub(crate) fn invalidate(&mut self, at: u32) {
        self.invalidate_those(|_| true, at);
    }

    fn invalidate_those(&mut self, those: impl Fn(u32) -> bool, at: u32) {
        let why = Why {
            cause: Cause::Escaped,
            at,
        };
        if those(0) {
            self.lost_arguments = i32::MIN;
        }
        for slot in self.slots.iter_mut().filter(|slot| those(slot.anchor)) {
            slot.value.weaken(why);
        }
    }

    /// Adds what may be true on another way to the same point. Says whether anything changed.
    pub(crate) fn join(&mut self, other: &State) -> bool {
        let mut changed = false;
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            changed |= mine.join(theirs);
        }
        let before = self.vectors.len();
        self.vectors
            .retain(|(number, _)| other.vectors.iter().any(|(n, _)| n == number));
        changed |= self.vectors.len() != before;
        for (number, lanes) in &mut self.vectors {
            let theirs = other.vectors.iter().find(|(n, _)| n == number);
            for (i, lane) in lanes.iter_mut().enumerate() {
                match theirs.and_then(|(_, lanes)| lanes.get(i)) {
                    Some(value) => changed |= lane.join(value),
                    None => *lane = Value::unknown(Cause::Computed, 0),
                }
            }
        }
        changed |= self.join_slots(other);
        for anchor in &other.untracked {
            if let Err(place) = self.untracked.binary_search(anchor) {
                self.untracked.insert(place, *anchor);
                changed = true;
            }
        }
        changed |= self.pristine && !other.pristine;
        self.pristine &= other.pristine;
        changed |= other.lost_arguments < self.lost_arguments;
        self.lost_arguments = self.lost_arguments.min(other.lost_arguments);
        changed
    }

    fn join_slots(&mut self, other: &State) -> bool {
        let mut changed = false;
        let unset = Why {
            cause: Cause::Unset,
            at: 0,
        };
        let mut keep = Vec::with_capacity(self.slots.len());
        for mut slot in std::mem::take(&mut self.slots) {
            let from = other.slots.partition_point(|s| s.key() < slot.key());
            match other.slots.get(from).filter(|s| s.same_bytes(&slot)) {
                Some(theirs) => changed |= slot.value.join(&theirs.value),
                None if slot.fill || slot.skip != 0 || slot.length > self.pointer => {
                    changed = true;
                    continue;
                }
                None => {
                    let theirs = other.load(slot.anchor, slot.offset, slot.length, 0);
                    if theirs.is_known() {
                        changed |= slot.value.join(&theirs);
                    } else if slot.value.other().is_none() {
                        slot.value.weaken(theirs.other().unwrap_or(unset));
                        changed = true;
                    }
                }
            }
            keep.push(slot);
        }
        self.slots = keep;
        // an argument that was overwritten on the other way only
        for theirs in &other.slots {
            if theirs.anchor == 0 && theirs.offset >= self.arguments {
                let known = self
                    .slots
                    .iter()
                    .any(|s| s.anchor == 0 && s.offset < theirs.end() && s.end() > theirs.offset);
                if !known && self.lost_arguments > theirs.offset {
                    self.lost_arguments = theirs.offset;
                    changed = true;
                }
            }
        }
        changed
    }

    /// Gives up everything that differs from `before`: used where a loop would never come to rest.
    pub(crate) fn widen(&mut self, before: &State) {
        let gone = |value: &mut Value, at: u32| *value = Value::unknown(Cause::TooMany, at);
        for (mine, old) in self.registers.iter_mut().zip(&before.registers) {
            let mut probe = old.clone();
            if probe.join(mine) {
                gone(mine, 0);
            }
        }
        self.slots.retain(|slot| {
            let old = before.slots.iter().find(|s| s.same_bytes(slot));
            old.is_some_and(|old| !old.value.clone().join(&slot.value))
                || slot.offset >= self.arguments
        });
        for slot in &mut self.slots {
            let old = before.slots.iter().find(|s| s.same_bytes(slot));
            if old.is_none_or(|old| old.value.clone().join(&slot.value)) {
                gone(&mut slot.value, 0);
            }
        }
        self.vectors.clear();
    }
}

/// A value that several slots hold parts of: only numbers can be put together.
fn gather(slots: &[&Slot], offset: i32, width: u32, pointer: u32, at: u32) -> Value {
    let unknown = Value::unknown(Cause::Unset, at);
    let mut value = 0u64;
    let mut done = 0u32;
    let mut first: Option<Fact> = None;
    if width > 8 {
        return unknown;
    }
    for slot in slots {
        let start = offset.saturating_add_unsigned(done);
        if slot.offset > start {
            return unknown;
        }
        let from = start.abs_diff(slot.offset);
        let take = slot.length.saturating_sub(from).min(width - done);
        let part = slot.part(from, take, pointer, at);
        let Some(number) = part.constant() else {
            return unknown;
        };
        first = first.or(part.facts().first().copied());
        value |= number.checked_shl(8 * done).unwrap_or(0);
        done += take;
    }
    match first {
        Some(fact) if done == width => Value::One(Fact {
            atom: Atom::Const(value),
            ..fact
        }),
        _ => unknown,
    }
}
