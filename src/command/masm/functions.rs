//! The functions with a dollar sign: `$iment(nt)`, `$vvalid(addr, n)`, `$spat("text", "pat*")` and their kin.

use super::scope::Scope;
use crate::command::wildcard::Wildcard;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use std::cmp::Ordering;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    ImageEntry,
    IsValid,
    Succeeded,
    Compare,
    CompareIgnoringCase,
    Matches,
}

/// The function of this name, in any case.
pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name.to_ascii_lowercase().as_str() {
        "$iment" => Function::ImageEntry,
        "$vvalid" => Function::IsValid,
        "$fnsucc" => Function::Succeeded,
        "$scmp" => Function::Compare,
        "$sicmp" => Function::CompareIgnoringCase,
        "$spat" => Function::Matches,
        _ => return None,
    })
}

impl Function {
    /// How many numbers it takes, and how many strings.
    pub(super) fn takes(self) -> (usize, usize) {
        match self {
            Function::ImageEntry => (1, 0),
            Function::IsValid => (2, 0),
            Function::Succeeded => (3, 0),
            Function::Compare | Function::CompareIgnoringCase | Function::Matches => (0, 2),
        }
    }

    /// The value, from as many numbers and strings as [`takes`](Function::takes) says.
    pub(super) fn call(self, scope: &dyn Scope, numbers: &[u64], texts: &[String]) -> Result<u64> {
        let number = |at: usize| numbers.get(at).copied().unwrap_or(0);
        let text = |at: usize| texts.get(at).map_or("", String::as_str);
        Ok(match self {
            Function::ImageEntry => scope.entry_point(Virt(number(0)))?.0,
            Function::IsValid => u64::from(scope.is_valid(Virt(number(0)), number(1))),
            // Without the function's type only the flag decides: 0 = any non-zero value is success, 1 = only zero is.
            Function::Succeeded => u64::from((number(1) != 0) == (number(2) == 0)),
            Function::Compare => signed(text(0).cmp(text(1))),
            Function::CompareIgnoringCase => signed(
                text(0)
                    .to_ascii_lowercase()
                    .cmp(&text(1).to_ascii_lowercase()),
            ),
            Function::Matches => u64::from(Wildcard::new(text(1)).matches(text(0))),
        })
    }
}

fn signed(order: Ordering) -> u64 {
    order as i64 as u64
}
