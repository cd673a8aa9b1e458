//! Vector registers as lanes of four bytes: the size of a tag.

use crate::lattice::{Atom, Cause, Fact, Value};

/// Bytes of a lane.
pub(crate) const LANE: u32 = 4;

/// A number in lanes; what is no number fills a lane only if it is the only one.
pub(crate) fn split(value: &Value, count: u32, at: u32) -> Vec<Value> {
    let part = |i: u32| {
        value.map(at, |fact| match fact.atom {
            Atom::Const(n) => {
                let n = n.checked_shr(8 * LANE * i).unwrap_or(0) & 0xffff_ffff;
                Some(Fact {
                    atom: Atom::Const(n),
                    ..fact
                })
            }
            atom => (count == 1).then_some(Fact { atom, ..fact }),
        })
    };
    (0..count).map(part).collect()
}

/// Lanes as one number.
pub(crate) fn whole(lanes: &[Value], at: u32) -> Value {
    let unknown = || Value::unknown(Cause::Computed, at);
    match lanes {
        [one] => one.clone(),
        [low, high] => match (low.constant(), high.constant(), low.facts().first()) {
            (Some(l), Some(h), Some(fact)) => Value::One(Fact {
                atom: Atom::Const(l | h << 32),
                ..*fact
            }),
            _ => unknown(),
        },
        _ => unknown(),
    }
}
