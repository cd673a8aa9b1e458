//! A function as its code tells it: all instructions that can be reached, and where its basic blocks begin.

use super::{Flow, Instruction};
use rkd_dump::addr::Virt;
use std::collections::{BTreeMap, BTreeSet};

/// More instructions than any function has; a limit against code that is none.
const MAX_INSTRUCTIONS: usize = 1 << 17;

/// The instructions of a function.
#[derive(Debug, Default)]
pub struct Function {
    /// By address.
    pub instructions: BTreeMap<Virt, Instruction>,
    /// Where basic blocks begin: runs of instructions that are entered at the first one only.
    pub leaders: BTreeSet<Virt>,
    /// Jumps to places that cannot be told from the instruction, ascending.
    pub indirect: BTreeSet<Virt>,
    /// Places that the code leads to and that have no instruction, ascending.
    pub missing: BTreeSet<Virt>,
}

impl Function {
    /// Follows the code from `entry` on. `fetch` gives the instruction at an address, `inside` says whether an address belongs to
    /// the function: a jump elsewhere is a call in tail position.
    pub fn trace(
        entry: Virt,
        fetch: &dyn Fn(Virt) -> Option<Instruction>,
        inside: &dyn Fn(Virt) -> bool,
    ) -> Function {
        let mut function = Function::default();
        function.explore(entry, &mut |at| fetch(at), inside, MAX_INSTRUCTIONS);
        function
    }

    /// Follows the code from `start` on, which becomes a leader, and keeps what was found before: whoever learns where an indirect
    /// jump leads goes on from there. False if there are more than `most` instructions.
    pub fn explore(
        &mut self,
        start: Virt,
        fetch: &mut dyn FnMut(Virt) -> Option<Instruction>,
        inside: &dyn Fn(Virt) -> bool,
        most: usize,
    ) -> bool {
        let mut worklist = vec![start];
        self.leaders.insert(start);
        while let Some(mut at) = worklist.pop() {
            while !self.instructions.contains_key(&at) {
                if self.instructions.len() >= most {
                    return false;
                }
                let Some(instruction) = fetch(at) else {
                    self.missing.insert(at);
                    break;
                };
                self.instructions.insert(at, instruction);
                let flow = instruction.flow;
                if let Some(to) = flow.jump().filter(|&to| inside(to)) {
                    self.leaders.insert(to);
                    worklist.push(to);
                }
                if flow == Flow::JumpIndirect {
                    self.indirect.insert(at);
                }
                if !flow.goes_on() {
                    break;
                }
                at = instruction.end();
                if matches!(flow, Flow::Branch(_)) {
                    self.leaders.insert(at);
                }
            }
        }
        true
    }

    /// Whether a new basic block begins at `at`, after the instruction that ended at `previous`.
    pub fn begins_block(&self, previous: Option<Virt>, at: Virt) -> bool {
        previous != Some(at) || self.leaders.contains(&at)
    }

    /// The instruction that covers this byte; of several that overlap, the last to begin.
    pub fn covering(&self, byte: Virt) -> Option<&Instruction> {
        let nearest = self.instructions.range(..=byte).rev().take(15);
        nearest
            .map(|(_, instruction)| instruction)
            .find(|instruction| byte < instruction.end())
    }
}
