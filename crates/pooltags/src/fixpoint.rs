//! The analysis of one function: what is known before each basic block, found by running the blocks over abstract states until
//! nothing changes any more.
//!
//! The worklist is taken in the order of addresses, which is nearly the order in which code runs, so that most of what leads to a
//! block is joined before it is run. A block that is run too often is widened: what still changes in it becomes unknown.

use super::abi::Abi;
use super::callee::{Callee, Callees};
use super::functions::Bounds;
use super::lattice::Atom;
use super::memory::{GlobalStore, Memory};
use super::state::State;
use super::transfer;
use rkd_code::{Flow, Function, Instruction};
use rkd_dump::addr::Virt;
use std::collections::{BTreeMap, BTreeSet};

mod jump_tables;
mod unreached;

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

/// A call that was met, and everything known before it.
pub(crate) struct Call<'s> {
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
pub(crate) enum GaveUp {
    /// It cost too much.
    TooLong,
    /// Somewhere a jump leads to a place that is not known.
    Jump(u32),
    /// The bytes at this place are no instruction, or not there.
    Bytes(u32),
}

/// The analysis of one function: a worklist of basic blocks, each with the join of the states that lead to it.
pub(crate) struct Fixpoint<'a, 'm> {
    memory: &'a Memory<'m>,
    callees: &'a Callees<'m>,
    bounds: &'a Bounds,
    limits: Limits,
    code: Function,
    /// The state before each block that is reached, and how often the block was run.
    entry_states: BTreeMap<u32, (State, u32)>,
    worklist: BTreeSet<u32>,
    /// What is known at jumps to unknown places.
    lost: Option<State>,
    /// Instructions run so far.
    pub steps: u32,
    /// The first thing that was given up.
    pub gave_up: Option<GaveUp>,
}

impl<'a, 'm> Fixpoint<'a, 'm> {
    /// Runs the function from its beginning until nothing changes.
    pub(crate) fn of(
        memory: &'a Memory<'m>,
        callees: &'a Callees<'m>,
        bounds: &'a Bounds,
        limits: Limits,
    ) -> Fixpoint<'a, 'm> {
        let mut fixpoint = Fixpoint {
            memory,
            callees,
            bounds,
            limits,
            code: Function::default(),
            entry_states: BTreeMap::new(),
            worklist: BTreeSet::new(),
            lost: None,
            steps: 0,
            gave_up: None,
        };
        fixpoint.propagate(bounds.entry, &fixpoint.abi().entry());
        fixpoint.iterate();
        if fixpoint.lost.is_some() {
            fixpoint.enter_unreached(None);
        }
        fixpoint
    }

    fn abi(&self) -> &'static Abi {
        Abi::of(self.memory.image.machine)
    }

    /// The instruction that was run and covers this byte.
    pub(crate) fn instruction_at(&self, byte: u32) -> Option<&Instruction> {
        self.code.covering(Virt(byte.into()))
    }

    fn give_up(&mut self, why: GaveUp) {
        self.gave_up.get_or_insert(why);
    }

    /// Decodes from `start` to where the code leads, and notes where blocks begin.
    fn explore(&mut self, start: u32) {
        let (image, bounds) = (self.memory.image, self.bounds);
        let mut missing = None;
        let mut fetch = |at: Virt| {
            let at = rva(at).filter(|&at| bounds.contains(at))?;
            let code = transfer::decode(image, at);
            if code.is_none() {
                missing.get_or_insert(at);
            }
            code
        };
        let inside = |to: Virt| bounds.keeps(to).is_some();
        let (start, most) = (Virt(start.into()), self.limits.instructions);
        let whole = self.code.explore(start, &mut fetch, &inside, most);
        if let Some(at) = missing {
            self.give_up(GaveUp::Bytes(at));
        }
        if !whole {
            self.give_up(GaveUp::TooLong);
        }
    }

    /// A way to the block at `rva`, with this state.
    fn propagate(&mut self, rva: u32, state: &State) {
        let at = Virt(rva.into());
        let is_known = self.code.instructions.contains_key(&at);
        if self.code.leaders.insert(at) && is_known {
            self.requeue_around(rva);
        } else {
            self.explore(rva);
        }
        if !self.code.instructions.contains_key(&at) {
            return;
        }
        match self.entry_states.get_mut(&rva) {
            None => {
                self.entry_states.insert(rva, (state.clone(), 0));
                self.worklist.insert(rva);
            }
            Some((known, visits)) => {
                let before = (*visits >= self.limits.visits).then(|| known.clone());
                if known.join(state) {
                    if let Some(before) = before {
                        known.widen(&before);
                    }
                    self.worklist.insert(rva);
                }
            }
        }
    }

    /// A block that a new leader cut in two must be run again, so that it leads to the new one.
    fn requeue_around(&mut self, rva: u32) {
        if let Some((&before, _)) = self.entry_states.range(..rva).next_back() {
            self.worklist.insert(before);
        }
    }

    fn iterate(&mut self) {
        while let Some(block) = self.worklist.pop_first() {
            if self.steps >= self.limits.steps {
                self.give_up(GaveUp::TooLong);
                self.worklist.clear();
                return;
            }
            let Some((state, visits)) = self.entry_states.get_mut(&block) else {
                continue;
            };
            *visits += 1;
            let state = state.clone();
            self.run_block(block, state, &mut None);
        }
    }

    /// Runs one basic block. With a visitor, tells it of calls and leads nowhere.
    fn run_block(
        &mut self,
        start: u32,
        mut state: State,
        visitor: &mut Option<&mut dyn FnMut(&Call<'_>)>,
    ) {
        let stack_pointer = self.abi().stack_pointer;
        if !matches!(state.register(stack_pointer).only(), Some(Atom::Stack(..))) {
            state.new_anchor(stack_pointer, start);
        }
        let mut at = Virt(start.into());
        while let Some(&code) = self.code.instructions.get(&at) {
            self.steps = self.steps.saturating_add(1);
            match code.flow {
                Flow::Next => transfer::apply(&code, &mut state, self.memory),
                Flow::Jump(to) => {
                    self.jump(&code, to, &state, visitor);
                    return;
                }
                Flow::Branch(to) => {
                    transfer::apply(&code, &mut state, self.memory);
                    self.jump(&code, to, &state, visitor);
                }
                Flow::Call(to) => {
                    let callees = self.callees.direct(to, &state);
                    self.call(&code, &callees, &[], &mut state, visitor);
                }
                Flow::SystemCall => {
                    self.call(&code, &[Callee::Unknown], &[], &mut state, visitor);
                }
                Flow::CallIndirect => {
                    let target = transfer::target(&code, &state, self.memory);
                    let callees = self.callees.all(&target, &state);
                    let loads: Vec<u32> = target.facts().iter().map(|f| f.at).collect();
                    self.call(&code, &callees, &loads, &mut state, visitor);
                }
                Flow::JumpIndirect => {
                    let target = transfer::target(&code, &state, self.memory);
                    self.jump_indirect(transfer::rva(&code), &target, &state, visitor);
                    return;
                }
                Flow::Stop => {
                    // what it stores to variables counts
                    transfer::apply(&code, &mut state, self.memory);
                    return;
                }
                Flow::Return => return,
            }
            at = code.end();
            if self.code.leaders.contains(&at) {
                if let (Some(next), None) = (rva(at), &visitor) {
                    self.propagate(next, &state);
                }
                return;
            }
        }
    }

    /// A jump to a place that is known. One out of the function is a call in tail position: the callee returns to our caller.
    fn jump(
        &mut self,
        code: &Instruction,
        to: Virt,
        state: &State,
        visitor: &mut Option<&mut dyn FnMut(&Call<'_>)>,
    ) {
        match (self.bounds.keeps(to), visitor) {
            (Some(to), None) => self.propagate(to, state),
            (None, Some(visit)) => visit(&Call {
                at: transfer::rva(code),
                callees: &self.callees.direct(to, state),
                tail: true,
                state,
                loads: &[],
            }),
            _ => {}
        }
    }

    fn call(
        &mut self,
        code: &Instruction,
        callees: &[Callee],
        loads: &[u32],
        state: &mut State,
        visitor: &mut Option<&mut dyn FnMut(&Call<'_>)>,
    ) {
        let at = transfer::rva(code);
        if let Some(visit) = visitor {
            visit(&Call {
                at,
                callees,
                tail: false,
                state,
                loads,
            });
        }
        let next = self.code.instructions.get(&code.end());
        if next.is_some_and(transfer::follows_stack_probe) {
            return;
        }
        self.callees.apply(callees, at, state, self.memory);
    }

    /// Runs every block once more with what is known now, and tells of each call; gives the stores to variables.
    pub(crate) fn visit(&mut self, visit: &mut dyn FnMut(&Call<'_>)) -> Vec<GlobalStore> {
        *self.memory.stores.borrow_mut() = Some(Vec::new());
        let blocks: Vec<(u32, State)> = self
            .entry_states
            .iter()
            .map(|(&rva, (state, _))| (rva, state.clone()))
            .collect();
        let mut visitor: Option<&mut dyn FnMut(&Call<'_>)> = Some(visit);
        for (rva, state) in blocks {
            self.run_block(rva, state, &mut visitor);
        }
        self.memory.stores.borrow_mut().take().unwrap_or_default()
    }
}

fn rva(at: Virt) -> Option<u32> {
    u32::try_from(at.0).ok()
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
