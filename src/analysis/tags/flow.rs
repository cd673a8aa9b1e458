//! One function: its instructions, and what is known before each of them, found by running it over sets of values until
//! nothing changes any more.

use super::callee::{Callee, Callees};
use super::machine::{Flow, Machine};
use super::memory::{GlobalStore, Memory};
use super::state::State;
use super::value::{Atom, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Entries of a jump table that are followed.
const MAX_ENTRIES: u32 = 1024;
/// Instructions between a jump through a table and the comparison that guards it.
const MAX_TO_BOUND: usize = 24;
/// Pieces of a function without a known way to them that are entered anyway.
const MAX_GAPS: usize = 512;

/// How much work one function may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Times that a block is run before what still changes in it is given up.
    pub visits: u32,
    /// Instructions that are run.
    pub steps: u32,
    /// Instructions that are decoded.
    pub instructions: usize,
}

/// A function: where it begins, and its pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its first instruction.
    pub entry: u32,
    /// Begin and end of each piece, ascending.
    pub pieces: Vec<(u32, u32)>,
    /// Beginnings of other functions in these pieces: a jump there leaves the function. Without a function table the end of
    /// a function is not known, only that others begin.
    pub others: Vec<u32>,
}

impl Function {
    /// Whether the offset lies in one of its pieces.
    pub fn contains(&self, rva: u32) -> bool {
        let after = self.pieces.partition_point(|&(begin, _)| begin <= rva);
        after
            .checked_sub(1)
            .and_then(|i| self.pieces.get(i))
            .is_some_and(|&(_, end)| rva < end)
    }
}

/// A call that was met, and everything known before it.
pub struct Call<'s> {
    /// The instruction.
    pub at: u32,
    /// Who may be called.
    pub callees: &'s [Callee],
    /// Whether it is a jump out of the function, so that the caller's stack is the callee's.
    pub tail: bool,
    /// Registers and stack before it.
    pub state: &'s State,
    /// The instructions that loaded the pointer which is called.
    pub loads: &'s [u32],
}

/// What the analysis of a function gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// It cost too much.
    TooLong,
    /// Somewhere a jump leads to a place that is not known.
    Jump(u32),
    /// The bytes at this place are no instruction, or not there.
    Bytes(u32),
}

struct Instruction<C> {
    rva: u32,
    length: u32,
    code: C,
    flow: Flow,
}

/// The analysis of one function.
pub struct Walk<'a, 'm, M: Machine> {
    machine: &'a M,
    memory: &'a Memory<'m>,
    callees: &'a Callees<'m, M>,
    function: &'a Function,
    limits: Limits,
    instructions: Vec<Instruction<M::Code>>,
    index: HashMap<u32, u32>,
    leaders: BTreeSet<u32>,
    inbox: BTreeMap<u32, (State, u32)>,
    queue: BTreeSet<u32>,
    /// What is known at jumps to unknown places.
    lost: Option<State>,
    /// Instructions run so far.
    pub steps: u32,
    /// The first thing that was given up.
    pub gave_up: Option<GaveUp>,
}

impl<'a, 'm, M: Machine> Walk<'a, 'm, M> {
    /// Runs the function from its beginning until nothing changes.
    pub fn run(
        machine: &'a M,
        memory: &'a Memory<'m>,
        callees: &'a Callees<'m, M>,
        function: &'a Function,
        limits: Limits,
    ) -> Walk<'a, 'm, M> {
        let mut walk = Walk {
            machine,
            memory,
            callees,
            function,
            limits,
            instructions: Vec::new(),
            index: HashMap::new(),
            leaders: BTreeSet::new(),
            inbox: BTreeMap::new(),
            queue: BTreeSet::new(),
            lost: None,
            steps: 0,
            gave_up: None,
        };
        walk.arrive(function.entry, &machine.abi().entry());
        walk.settle();
        if walk.lost.is_some() {
            walk.enter_gaps(None);
        }
        walk
    }

    /// Enters the pieces that nothing led to, as long as one of `wanted` lies in them: exception handlers, above all.
    pub fn reach(&mut self, wanted: &[u32]) {
        if wanted
            .iter()
            .any(|&byte| self.instruction_at(byte).is_none())
        {
            self.enter_gaps(Some(wanted));
        }
    }

    /// The instruction that was run and covers this byte.
    pub fn instruction_at(&self, byte: u32) -> Option<u32> {
        (0..15).find_map(|back| {
            let start = byte.checked_sub(back)?;
            let i = *self.index.get(&start)?;
            self.instructions
                .get(i as usize)
                .filter(|i| i.length > back)
                .map(|i| i.rva)
        })
    }

    fn give_up(&mut self, why: GaveUp) {
        self.gave_up.get_or_insert(why);
    }

    /// Decodes from `start` to where the code leads, and notes where blocks begin.
    fn explore(&mut self, start: u32) {
        let mut open = vec![start];
        self.leaders.insert(start);
        while let Some(mut at) = open.pop() {
            while !self.index.contains_key(&at) {
                if !self.function.contains(at) {
                    break;
                }
                if self.instructions.len() >= self.limits.instructions {
                    self.give_up(GaveUp::TooLong);
                    return;
                }
                let Some((code, length)) = self.machine.decode(self.memory.image, at) else {
                    self.give_up(GaveUp::Bytes(at));
                    break;
                };
                let flow = self.machine.flow(&code);
                self.index.insert(at, self.instructions.len() as u32);
                self.instructions.push(Instruction {
                    rva: at,
                    length,
                    code,
                    flow,
                });
                let next = at.saturating_add(length);
                if let Flow::Jump(target) | Flow::Branch(target) = flow
                    && let Some(target) = self.inside(target)
                {
                    self.leaders.insert(target);
                    open.push(target);
                }
                match flow {
                    Flow::Branch(_) => {
                        self.leaders.insert(next);
                        at = next;
                    }
                    Flow::Next | Flow::Call(_) | Flow::CallIndirect => at = next,
                    Flow::Jump(_) | Flow::JumpIndirect | Flow::Return | Flow::Stop => break,
                }
            }
        }
    }

    fn inside(&self, target: i64) -> Option<u32> {
        let other = |t: &u32| self.function.others.binary_search(t).is_ok();
        u32::try_from(target)
            .ok()
            .filter(|t| self.function.contains(*t) && !other(t))
    }

    /// A way to the block at `rva`, with this state.
    fn arrive(&mut self, rva: u32, state: &State) {
        let cuts = self.leaders.insert(rva) && self.index.contains_key(&rva);
        if cuts {
            self.requeue_around(rva);
        } else {
            self.explore(rva);
        }
        if !self.index.contains_key(&rva) {
            return;
        }
        match self.inbox.get_mut(&rva) {
            None => {
                self.inbox.insert(rva, (state.clone(), 0));
                self.queue.insert(rva);
            }
            Some((known, visits)) => {
                let before = (*visits >= self.limits.visits).then(|| known.clone());
                if known.join(state) {
                    if let Some(before) = before {
                        known.widen(&before);
                    }
                    self.queue.insert(rva);
                }
            }
        }
    }

    /// A block that a new leader cut in two must be run again, so that it leads to the new one.
    fn requeue_around(&mut self, rva: u32) {
        if let Some((&before, _)) = self.inbox.range(..rva).next_back() {
            self.queue.insert(before);
        }
    }

    fn settle(&mut self) {
        while let Some(block) = self.queue.pop_first() {
            if self.steps >= self.limits.steps {
                self.give_up(GaveUp::TooLong);
                self.queue.clear();
                return;
            }
            let Some((state, visits)) = self.inbox.get_mut(&block) else {
                continue;
            };
            *visits += 1;
            let state = state.clone();
            self.block(block, state, &mut None);
        }
    }

    /// Runs one block. With a visitor, tells it of calls and leads nowhere.
    fn block(
        &mut self,
        start: u32,
        mut state: State,
        visitor: &mut Option<&mut dyn FnMut(&Call<'_>)>,
    ) {
        let stack_pointer = self.machine.abi().stack_pointer;
        if !matches!(state.register(stack_pointer).only(), Some(Atom::Stack(..))) {
            state.new_anchor(stack_pointer, start);
        }
        let mut at = start;
        loop {
            let Some(i) = self.index.get(&at).copied() else {
                return;
            };
            let Some(Instruction {
                length, code, flow, ..
            }) = self.instructions.get(i as usize)
            else {
                return;
            };
            self.steps = self.steps.saturating_add(1);
            let next = at.saturating_add(*length);
            let flow = *flow;
            match flow {
                Flow::Next | Flow::Stop => self.machine.step(code, at, &mut state, self.memory),
                Flow::Branch(target) => {
                    self.machine.step(code, at, &mut state, self.memory);
                    match self.inside(target) {
                        Some(target) if visitor.is_none() => self.arrive(target, &state),
                        Some(_) => {}
                        None => self.leave(at, target, &state, visitor),
                    }
                }
                Flow::Jump(target) => {
                    match self.inside(target) {
                        Some(target) if visitor.is_none() => self.arrive(target, &state),
                        Some(_) => {}
                        None => self.leave(at, target, &state, visitor),
                    }
                    return;
                }
                Flow::Call(target) => {
                    let callees = self.callees.direct(target, &state);
                    self.call((at, next), &callees, &[], &mut state, visitor);
                }
                Flow::CallIndirect => {
                    let target = self.machine.target(code, at, &state, self.memory);
                    let callees = self.callees.all(&target, &state);
                    let loads: Vec<u32> = target.facts().iter().map(|f| f.at).collect();
                    self.call((at, next), &callees, &loads, &mut state, visitor);
                }
                Flow::JumpIndirect => {
                    let target = self.machine.target(code, at, &state, self.memory);
                    self.jump_indirect(at, &target, &state, visitor);
                    return;
                }
                Flow::Return => return,
            }
            if flow == Flow::Stop {
                return;
            }
            if self.leaders.contains(&next) {
                if visitor.is_none() {
                    self.arrive(next, &state);
                }
                return;
            }
            at = next;
        }
    }

    fn call(
        &mut self,
        (at, next): (u32, u32),
        callees: &[Callee],
        loads: &[u32],
        state: &mut State,
        visitor: &mut Option<&mut dyn FnMut(&Call<'_>)>,
    ) {
        if let Some(visit) = visitor {
            visit(&Call {
                at,
                callees,
                tail: false,
                state,
                loads,
            });
        }
        let probe = self
            .index
            .get(&next)
            .and_then(|&i| self.instructions.get(i as usize));
        if probe.is_some_and(|i| self.machine.follows_stack_probe(&i.code)) {
            return;
        }
        self.callees.apply(callees, at, state, self.memory);
    }

    /// A jump out of the function: the callee returns to our caller.
    fn leave(
        &mut self,
        at: u32,
        target: i64,
        state: &State,
        visitor: &mut Option<&mut dyn FnMut(&Call<'_>)>,
    ) {
        if let Some(visit) = visitor {
            let callees = self.callees.direct(target, state);
            visit(&Call {
                at,
                callees: &callees,
                tail: true,
                state,
                loads: &[],
            });
        }
    }

    fn jump_indirect(
        &mut self,
        at: u32,
        target: &Value,
        state: &State,
        visitor: &mut Option<&mut dyn FnMut(&Call<'_>)>,
    ) {
        let mut outside = false;
        let mut unknown = !target.is_known();
        let entries = self.bound_before(at);
        for fact in target.facts() {
            let places = match fact.atom {
                Atom::Target(table, width, signed, shift, base) => {
                    self.table((table, entries), width, signed, shift, Some(base))
                }
                Atom::Entries(table, width, signed) => {
                    self.table((table, entries), width, signed, 0, None)
                }
                Atom::Image(rva) if self.inside(rva.into()).is_some() => vec![rva],
                Atom::Image(_)
                | Atom::Slot(_)
                | Atom::Guard(_)
                | Atom::WdfFunction(_)
                | Atom::Named(_)
                | Atom::Global(..) => {
                    outside = true;
                    continue;
                }
                _ => Vec::new(),
            };
            unknown |= places.is_empty();
            if visitor.is_none() {
                for place in places {
                    self.arrive(place, state);
                }
            }
        }
        if let (true, Some(visit)) = (outside, visitor.as_mut()) {
            let callees = self.callees.all(target, state);
            let loads: Vec<u32> = target.facts().iter().map(|f| f.at).collect();
            visit(&Call {
                at,
                callees: &callees,
                tail: true,
                state,
                loads: &loads,
            });
        }
        if unknown && visitor.is_none() {
            // the stack is as at a return: a jump to another function, which a register or object names
            let stack = state.register(self.machine.abi().stack_pointer).only();
            let tail = stack == Some(Atom::Stack(0, 0)) && self.function.pieces.len() == 1;
            if !tail {
                self.give_up(GaveUp::Jump(at));
                match &mut self.lost {
                    Some(lost) => {
                        lost.join(state);
                    }
                    None => self.lost = Some(state.clone()),
                }
            }
        }
    }

    /// Entries of the table that the jump here goes through, as far as a comparison shortly before it tells.
    fn bound_before(&self, jump: u32) -> u32 {
        let previous = |at: u32| self.instruction_at(at.checked_sub(1)?);
        let mut branch = previous(jump);
        for _ in 0..MAX_TO_BOUND {
            let Some(at) = branch else { break };
            let compare = previous(at);
            let bound =
                compare.and_then(|compare| self.machine.bound(self.memory.image, compare, at));
            if let Some(largest) = bound {
                return u32::try_from(largest)
                    .map_or(MAX_ENTRIES, |n| n.saturating_add(1).min(MAX_ENTRIES));
            }
            branch = compare;
        }
        MAX_ENTRIES
    }

    /// The places in this function that a jump table names: where it begins, and how many entries it can have.
    fn table(
        &self,
        (table, entries): (u32, u32),
        width: u8,
        signed: bool,
        shift: u8,
        base: Option<u32>,
    ) -> Vec<u32> {
        let image = self.memory.image;
        let mut places = Vec::new();
        let width = u32::from(width);
        for i in 0..entries {
            let Some(at) = table.checked_add(i * width) else {
                break;
            };
            let mut bytes = [0u8; 8];
            let there = image.slice(at, width);
            match bytes.get_mut(..there.len()) {
                Some(part) if there.len() == width as usize && width > 0 => {
                    part.copy_from_slice(there)
                }
                _ => break,
            }
            let raw = u64::from_le_bytes(bytes);
            let entry = if signed && width < 8 {
                let unused = 64 - 8 * width;
                ((raw << unused) as i64) >> unused
            } else {
                raw as i64
            };
            let target = match base {
                Some(base) => {
                    let sum = i64::from(base).wrapping_add(entry.wrapping_shl(u32::from(shift)));
                    // entries of four bytes wrap in a 32-bit register
                    if width == 4 && !signed {
                        Some(sum as u32)
                    } else {
                        u32::try_from(sum).ok()
                    }
                }
                None => image.rva_of(raw),
            };
            match target.filter(|&t| self.function.contains(t) && image.has(t)) {
                Some(target) => places.push(target),
                None => break,
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Enters pieces that no way leads to: where a jump was lost, with what was known there; for exception handlers, with
    /// nothing.
    fn enter_gaps(&mut self, wanted: Option<&[u32]>) {
        for _ in 0..MAX_GAPS {
            let Some(gap) = self.next_gap(wanted) else {
                return;
            };
            let state = match &self.lost {
                Some(state) if wanted.is_none() => state.clone(),
                _ => self.machine.abi().anywhere(gap),
            };
            self.arrive(gap, &state);
            self.settle();
            if self.gave_up == Some(GaveUp::TooLong) {
                return;
            }
        }
    }

    /// The first byte that was not run and begins an instruction that leads on.
    fn next_gap(&self, wanted: Option<&[u32]>) -> Option<u32> {
        let mut starts: Vec<u32> = self.index.keys().copied().collect();
        starts.sort_unstable();
        for &(begin, end) in &self.function.pieces {
            let end = self
                .function
                .others
                .first()
                .copied()
                .unwrap_or(end)
                .min(end);
            let mut at = begin;
            while at < end {
                if let Some(&i) = self.index.get(&at) {
                    at = at.saturating_add(
                        self.instructions
                            .get(i as usize)
                            .map_or(1, |i| i.length.max(1)),
                    );
                    continue;
                }
                let next = starts
                    .get(starts.partition_point(|&s| s <= at))
                    .copied()
                    .unwrap_or(end)
                    .min(end);
                if wanted.is_some_and(|wanted| !wanted.iter().any(|&w| w >= at && w < next)) {
                    at = next;
                    continue;
                }
                match self.machine.decode(self.memory.image, at) {
                    Some((code, _)) if self.machine.flow(&code) != Flow::Stop => return Some(at),
                    _ => at += if self.machine.abi().pushed == 0 { 4 } else { 1 },
                }
            }
        }
        None
    }

    /// Runs every block once more with what is known now, and tells of each call; gives the stores to variables.
    pub fn visit(&mut self, visit: &mut dyn FnMut(&Call<'_>)) -> Vec<GlobalStore> {
        *self.memory.stores.borrow_mut() = Some(Vec::new());
        let blocks: Vec<(u32, State)> = self
            .inbox
            .iter()
            .map(|(&rva, (state, _))| (rva, state.clone()))
            .collect();
        let mut visitor: Option<&mut dyn FnMut(&Call<'_>)> = Some(visit);
        for (rva, state) in blocks {
            self.block(rva, state, &mut visitor);
        }
        self.memory.stores.borrow_mut().take().unwrap_or_default()
    }
}

impl std::fmt::Display for GaveUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GaveUp::TooLong => write!(f, "the function is too large or too entangled"),
            GaveUp::Jump(at) => write!(f, "the jump at {at:#x} leads to an unknown place"),
            GaveUp::Bytes(at) => write!(f, "the bytes at {at:#x} are no instruction, or not there"),
        }
    }
}
