//! Who is called, and what a call does to what is known.

use super::abi::Abi;
use super::api::{self, INTERFACES};
use super::image::TagImage;
use super::lattice::{Atom, Cause, How, Location, Value};
use super::memory::{Memory, stack_addresses};
use super::state::State;
use super::transfer;
use rkd_dump::addr::Virt;
use std::cell::RefCell;
use std::collections::HashMap;

mod intrinsics;
mod stack_arguments;
mod thunks;

/// Jumps from one function to the next that are followed.
const MAX_THUNKS: u32 = 6;
/// Instructions that are looked at to find a function's end.
const MAX_TO_RETURN: usize = 2000;
/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Callee {
    /// An interface of the table; `true` if its pointer was found at run time, by name.
    Interface(u16, bool),
    /// Another imported function, by its slot.
    Import(u32),
    /// A function of the image.
    Function(u32),
    /// Another function of the driver framework.
    Framework,
    /// The check of an indirect call's target, which changes nothing.
    Check,
    /// Not known.
    Unknown,
}

/// A function that only jumps on.
#[derive(Clone, Copy, Debug)]
enum Thunk {
    /// It is no such function.
    No,
    /// To the function behind an atom.
    To(Atom),
    /// To the address in this register.
    Register(u8),
}

/// Knows the functions of an image.
pub(crate) struct Callees<'a> {
    image: &'a TagImage,
    /// Functions that are interfaces themselves: the image is the kernel.
    own: HashMap<u32, u16>,
    /// Variables that hold a function which the system found by its name.
    pub named: HashMap<u32, u16>,
    slots: HashMap<u32, u16>,
    thunks: RefCell<HashMap<u32, Thunk>>,
    pops: RefCell<HashMap<u32, Option<u32>>>,
    fills: RefCell<HashMap<u32, bool>>,
}

impl<'a> Callees<'a> {
    /// Prepares for an image.
    pub(crate) fn new(image: &'a TagImage) -> Callees<'a> {
        let exported = image.exports.iter().filter(|(_, rva)| image.is_code(*rva));
        let imported = image.imports.iter();
        Callees {
            image,
            own: exported
                .filter_map(|(name, rva)| Some((*rva, api::by_name(name)?)))
                .collect(),
            named: HashMap::new(),
            slots: imported
                .filter_map(|i| Some((i.slot, api::by_name(&i.name)?)))
                .collect(),
            thunks: RefCell::default(),
            pops: RefCell::default(),
            fills: RefCell::default(),
        }
    }

    /// The import slots that lead to an interface.
    pub(crate) fn interface_slots(&self) -> impl Iterator<Item = (u32, u16)> + '_ {
        self.slots.iter().map(|(&slot, &number)| (slot, number))
    }

    /// The image's own functions that are interfaces.
    pub(crate) fn own_interfaces(&self) -> impl Iterator<Item = (u32, u16)> + '_ {
        self.own.iter().map(|(&rva, &number)| (rva, number))
    }

    fn abi(&self) -> &'static Abi {
        Abi::of(self.image.machine)
    }

    /// Who is called when `target` is, as far as there are several; unknown ones are one of them.
    pub(crate) fn all(&self, target: &Value, state: &State) -> Vec<Callee> {
        let mut found: Vec<Callee> = Vec::new();
        for fact in target.facts() {
            for callee in self.of_atom(fact.atom, state, MAX_THUNKS) {
                if !found.contains(&callee) {
                    found.push(callee);
                }
            }
        }
        if target.other().is_some() || found.is_empty() {
            found.push(Callee::Unknown);
        }
        found
    }

    /// Who is called by a direct call or jump to this place, which may lie outside the image.
    pub(crate) fn direct(&self, target: Virt, state: &State) -> Vec<Callee> {
        match u32::try_from(target.0)
            .ok()
            .filter(|&rva| rva < self.image.size)
        {
            Some(rva) => self.of_atom(Atom::Image(rva), state, MAX_THUNKS),
            None => {
                let mask = super::lattice::mask(self.abi().pointer);
                let address = self.image.base.wrapping_add(target.0) & mask;
                let slot = self.image.slot_bound_to(address);
                vec![slot.map_or(Callee::Unknown, |slot| self.slot(slot))]
            }
        }
    }

    fn slot(&self, slot: u32) -> Callee {
        match self.slots.get(&slot) {
            Some(&number) => Callee::Interface(number, false),
            None => Callee::Import(slot),
        }
    }

    fn of_atom(&self, atom: Atom, state: &State, depth: u32) -> Vec<Callee> {
        let one = match atom {
            Atom::Slot(slot) => self.slot(slot),
            Atom::Guard(false) => Callee::Check,
            Atom::Guard(true) | Atom::Image(_) if depth == 0 => Callee::Unknown,
            Atom::Guard(true) => return self.in_register(self.abi().guarded, state, depth - 1),
            Atom::WdfFunction(index) => api::by_framework_index(index)
                .map_or(Callee::Framework, |number| Callee::Interface(number, false)),
            Atom::Named(number) => Callee::Interface(number, true),
            Atom::Global(rva, _) => match self.named.get(&rva) {
                Some(&number) => Callee::Interface(number, true),
                None => Callee::Unknown,
            },
            Atom::Image(rva) => match self.own.get(&rva) {
                Some(&number) => Callee::Interface(number, false),
                None => match self.thunk(rva) {
                    Thunk::No if self.image.is_code(rva) => Callee::Function(rva),
                    Thunk::No => Callee::Unknown,
                    Thunk::To(next) => return self.of_atom(next, state, depth - 1),
                    Thunk::Register(register) => {
                        return self.in_register(register, state, depth - 1);
                    }
                },
            },
            _ => Callee::Unknown,
        };
        vec![one]
    }

    fn in_register(&self, register: u8, state: &State, depth: u32) -> Vec<Callee> {
        let value = state.register(register);
        let mut found: Vec<Callee> = value
            .facts()
            .iter()
            .flat_map(|f| self.of_atom(f.atom, state, depth))
            .collect();
        if value.other().is_some() || found.is_empty() {
            found.push(Callee::Unknown);
        }
        found
    }

    /// The name of an imported function.
    fn import_name(&self, callee: Callee) -> &'a str {
        match callee {
            Callee::Import(slot) => self.image.import(slot).map_or("", |i| i.name.as_str()),
            _ => "",
        }
    }

    /// Applies a call to the state: what it fills in, what it may change, what it leaves behind.
    pub(crate) fn apply(
        &self,
        callees: &[Callee],
        at: u32,
        state: &mut State,
        memory: &Memory<'_>,
    ) {
        let callee = match callees {
            [one] => *one,
            _ => Callee::Unknown,
        };
        if callee == Callee::Check {
            return;
        }
        let abi = self.abi();
        let argument = |state: &State, n: u8| self.argument(state, n);
        let name = match callee {
            Callee::Function(rva) if self.is_fill(rva) => "memset",
            _ => self.import_name(callee),
        };
        let mut result = Value::unknown(Cause::Call, at);
        let filled = match name {
            "memset" => self.fill(state, 0, Some(1), 2, at),
            "RtlFillMemory" => self.fill(state, 0, Some(2), 1, at),
            "RtlZeroMemory" | "RtlSecureZeroMemory" => self.fill(state, 0, None, 1, at),
            "memcpy" | "memmove" | "RtlCopyMemory" | "RtlMoveMemory" => {
                self.copy(state, memory, at)
            }
            "RtlInitUnicodeString" => self.name_a_string(state),
            "MmGetSystemRoutineAddress" => {
                if let Some(number) = self.routine_name(state, memory) {
                    result = Value::one(Atom::Named(number), at, How::Other);
                }
                true
            }
            _ => matches!(callee, Callee::Interface(..)),
        };
        if !filled {
            let mut pointers: Vec<(u32, i32)> = Vec::new();
            for n in 0..8u8 {
                pointers.extend(stack_addresses(&argument(state, n)));
            }
            if abi.pointer == 4 {
                // __fastcall
                pointers.extend(
                    [1, 2]
                        .iter()
                        .flat_map(|&r| stack_addresses(&state.register(r))),
                );
            }
            state.escape(&pointers, at);
        }
        state.pristine = false;
        let kept: Vec<(u8, Value)> = abi
            .preserved
            .iter()
            .map(|&r| (r, state.register(r)))
            .collect();
        let stack = state.register(abi.stack_pointer);
        for register in 0..abi.registers {
            state.set(register, Value::unknown(Cause::Call, at));
        }
        for (register, value) in kept {
            state.set(register, value);
        }
        state.set(abi.stack_pointer, stack);
        state.set(abi.result, result);
        state.clear_vectors();
        self.release(callee, at, state);
        // what a callee finds above its return address is its own to change: homes of arguments, and arguments
        self.forget_homes(state);
    }

    /// An argument of the call that the state stands before.
    fn argument(&self, state: &State, number: u8) -> Value {
        self.at_call(
            state,
            self.abi().location(number),
            self.abi().pointer,
            false,
        )
    }

    /// What a location of the callee holds, seen from the call (`tail`: from a jump).
    pub(crate) fn at_call(
        &self,
        state: &State,
        location: Location,
        width: u32,
        tail: bool,
    ) -> Value {
        let abi = self.abi();
        match location {
            Location::Register(register) => {
                state.register(register).truncate(width, abi.pointer, 0)
            }
            Location::Stack(offset) => {
                let pushed = if tail { 0 } else { abi.pushed };
                match state.register(abi.stack_pointer).only() {
                    Some(Atom::Stack(anchor, top)) => {
                        let place = top.wrapping_add(offset).wrapping_sub(pushed);
                        state.load(anchor, place, width, 0)
                    }
                    _ => Value::unknown(Cause::Unset, 0),
                }
            }
        }
    }

    fn forget_homes(&self, state: &mut State) {
        let abi = self.abi();
        if let (Some(Atom::Stack(anchor, top)), 8, 8) = (
            state.register(abi.stack_pointer).only(),
            abi.pushed,
            abi.pointer,
        ) {
            for home in 0..4 {
                let offset = top.wrapping_add(8 * home);
                state.store(anchor, offset, 8, Value::unknown(Cause::Call, 0));
            }
        }
    }

    /// On x86 the callee takes its arguments off the stack; how many must be known, or the stack is lost.
    fn release(&self, callee: Callee, at: u32, state: &mut State) {
        let abi = self.abi();
        if abi.pointer != 4 {
            return;
        }
        if let Callee::Function(rva) = callee
            && let Some(frame) = self.exception_prologue(rva, state)
        {
            state.new_anchor(abi.stack_pointer, at);
            state.set(5, frame);
            return;
        }
        let bytes = match callee {
            Callee::Interface(number, _) => INTERFACES
                .get(usize::from(number))
                .map(|i| 4 * u32::from(i.words)),
            Callee::Import(_) => {
                stack_arguments::words_of(self.import_name(callee)).map(|w| 4 * u32::from(w))
            }
            Callee::Function(rva) => self.popped(rva),
            Callee::Framework | Callee::Check | Callee::Unknown => None,
        };
        match (bytes, state.register(abi.stack_pointer).only()) {
            (Some(bytes), Some(Atom::Stack(anchor, top))) => {
                let top = Atom::Stack(anchor, top.wrapping_add_unsigned(bytes));
                state.set(abi.stack_pointer, Value::one(top, at, How::Other));
            }
            _ => state.new_anchor(abi.stack_pointer, at),
        }
    }

    /// `__SEH_prolog`: makes the caller's frame, so that EBP is where the caller's first push went.
    fn exception_prologue(&self, rva: u32, state: &State) -> Option<Value> {
        // lea ebp, [esp+10h]
        memchr::memmem::find(self.image.slice(rva, 48), &[0x8d, 0x6c, 0x24, 0x10])?;
        match state.register(self.abi().stack_pointer).only()? {
            Atom::Stack(anchor, top) => Some(Value::one(
                Atom::Stack(anchor, top.wrapping_add(4)),
                rva,
                How::Other,
            )),
            _ => None,
        }
    }

    fn popped(&self, rva: u32) -> Option<u32> {
        if let Some(&known) = self.pops.borrow().get(&rva) {
            return known;
        }
        let mut queue = vec![rva];
        let mut seen = std::collections::HashSet::new();
        let mut found = None;
        while let (Some(at), true) = (queue.pop(), found.is_none() && seen.len() < MAX_TO_RETURN) {
            if !seen.insert(at) {
                continue;
            }
            let Some(code) = transfer::decode(self.image, at) else {
                continue;
            };
            found = transfer::popped(&code);
            let next = code.flow.goes_on().then(|| code.end());
            let places = [code.flow.jump(), next].into_iter().flatten();
            queue.extend(places.filter_map(|to| u32::try_from(to.0).ok()));
        }
        self.pops.borrow_mut().insert(rva, found);
        found
    }
}
