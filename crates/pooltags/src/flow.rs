//! One function: its instructions, and what is known before each of them, found by running it over sets of values until
//! nothing changes any more.

use super::callee::{Callee, Callees};
use super::machine::{Flow, Machine};
use super::memory::{GlobalStore, Memory};
use super::state::State;
use super::value::Atom;
use std::collections::{BTreeMap, BTreeSet, HashMap};

mod gaps;
mod jumps;

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
pub(crate) struct Function {
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
    pub(crate) fn contains(&self, rva: u32) -> bool {
        let after = self.pieces.partition_point(|&(begin, _)| begin <= rva);
        after
            .checked_sub(1)
            .and_then(|i| self.pieces.get(i))
            .is_some_and(|&(_, end)| rva < end)
    }
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

struct Instruction<C> {
    rva: u32,
    length: u32,
    code: C,
    flow: Flow,
}

/// The analysis of one function.
pub(crate) struct Walk<'a, 'm, M: Machine> {
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
    pub(crate) fn run(
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

    /// The instruction that was run and covers this byte.
    pub(crate) fn instruction_at(&self, byte: u32) -> Option<u32> {
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

    /// Runs every block once more with what is known now, and tells of each call; gives the stores to variables.
    pub(crate) fn visit(&mut self, visit: &mut dyn FnMut(&Call<'_>)) -> Vec<GlobalStore> {
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
