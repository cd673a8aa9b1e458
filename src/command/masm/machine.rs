//! Takes the steps of an expression on a stack of numbers.

use super::operators::{self, Unary};
use super::parser::Step;
use super::scope::Scope;
use super::{Complaint, Failure};
use rkd_dump::addr::{Phys, Virt};
use rkd_dump::error::Result;

pub(super) fn run(scope: &dyn Scope, steps: &[Step]) -> Result<u64, Failure> {
    let mut stack: Vec<u64> = Vec::new();
    for step in steps {
        let value = match step {
            Step::Push(value) => *value,
            Step::Name { name, at } => self::name(scope, name, *at)?,
            Step::Register { name, at } => register(scope, name, *at)?,
            Step::Unary { operator, at } => unary(scope, *operator, pop(&mut stack), *at)?,
            Step::Binary {
                operator,
                dialect,
                at,
            } => {
                let right = pop(&mut stack);
                let left = pop(&mut stack);
                operators::apply(*operator, *dialect, left, right)
                    .map_err(|says| Failure::new(says, *at))?
            }
            Step::Call {
                function,
                texts,
                at,
            } => {
                let numbers = stack.split_off(stack.len().saturating_sub(function.takes().0));
                function
                    .call(scope, &numbers, texts)
                    .map_err(|why| Failure::because(Complaint::Memory, *at, why))?
            }
        };
        stack.push(value);
    }
    Ok(pop(&mut stack))
}

/// The parser leaves an operand for every operator, so the stack is never empty here.
fn pop(stack: &mut Vec<u64>) -> u64 {
    stack.pop().unwrap_or(0)
}

/// A bare word. Numbers are out already; a module comes before a symbol because there are few of them and nobody
/// means a symbol that is called like a module; a register without its `@` comes last, as in kd.
fn name(scope: &dyn Scope, name: &str, at: usize) -> Result<u64, Failure> {
    if name == "." {
        return register(scope, "$ip", at);
    }
    if name.starts_with('$') {
        return register(scope, &name.to_ascii_lowercase(), at);
    }
    if let Some(base) = scope.module_base(name) {
        return Ok(base.0);
    }
    match scope.symbol(name) {
        Ok(address) => Ok(address.0),
        Err(why) => match scope.register(&name.to_ascii_lowercase()) {
            Some(Ok(value)) => Ok(value),
            Some(Err(why)) => Err(Failure::because(Complaint::BadRegister, at, why)),
            None => Err(Failure::because(Complaint::CouldNotResolve, at, why)),
        },
    }
}

fn register(scope: &dyn Scope, name: &str, at: usize) -> Result<u64, Failure> {
    let value = match name.strip_prefix('$') {
        Some(pseudo) => scope.pseudo(pseudo),
        None => scope.register(name),
    };
    match value {
        Some(Ok(value)) => Ok(value),
        Some(Err(why)) => Err(Failure::because(Complaint::BadRegister, at, why)),
        None => Err(Failure::new(Complaint::BadRegister, at)),
    }
}

fn unary(scope: &dyn Scope, operator: Unary, operand: u64, at: usize) -> Result<u64, Failure> {
    let memory = |why| Failure::because(Complaint::Memory, at, why);
    Ok(match operator {
        Unary::Plus => operand,
        Unary::Minus => operand.wrapping_neg(),
        Unary::Not => u64::from(operand == 0),
        Unary::Complement => !operand,
        Unary::Hi => operand >> 16 & 0xffff,
        Unary::Low => operand & 0xffff,
        Unary::Read {
            width,
            physical: false,
        } => scope.read(Virt(operand), width).map_err(memory)?,
        Unary::Read {
            width,
            physical: true,
        } => scope.read_physical(Phys(operand), width).map_err(memory)?,
    })
}
