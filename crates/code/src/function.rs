//! A function as its code tells it: all instructions that can be reached from its first one.

use super::{Flow, Instruction};
use rkd_dump::addr::Virt;
use std::collections::{BTreeMap, BTreeSet};

/// More instructions than any function has; a limit against code that is none.
const MOST: usize = 1 << 17;

/// The instructions of a function.
#[derive(Debug, Default)]
pub struct Function {
    /// By address.
    pub instructions: BTreeMap<Virt, Instruction>,
    /// Where a run of instructions begins that others lead to.
    pub leaders: BTreeSet<Virt>,
    /// Instructions that lead to places which cannot be told.
    pub indirect: Vec<Virt>,
    /// Places that could not be read.
    pub missing: Vec<Virt>,
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
        let mut open = vec![entry];
        function.leaders.insert(entry);
        while let Some(mut at) = open.pop() {
            while function.instructions.len() < MOST && !function.instructions.contains_key(&at) {
                let Some(instruction) = fetch(at) else {
                    function.missing.push(at);
                    break;
                };
                let (flow, next) = (instruction.flow, instruction.end());
                function.instructions.insert(at, instruction);
                match flow {
                    Flow::Next | Flow::Call(_) | Flow::CallIndirect => {}
                    Flow::Jump(to) | Flow::Branch(to) => {
                        if inside(to) && function.leaders.insert(to) {
                            open.push(to);
                        }
                        if matches!(flow, Flow::Jump(_)) {
                            break;
                        }
                        function.leaders.insert(next);
                    }
                    Flow::JumpIndirect => {
                        function.indirect.push(at);
                        break;
                    }
                    Flow::Return | Flow::Stop => break,
                }
                at = next;
            }
        }
        function.indirect.sort_unstable();
        function.missing.sort_unstable();
        function
    }

    /// Whether a new run of instructions begins at `at`, after the instruction that ended at `previous`.
    pub fn begins_block(&self, previous: Option<Virt>, at: Virt) -> bool {
        previous != Some(at) || self.leaders.contains(&at)
    }
}
