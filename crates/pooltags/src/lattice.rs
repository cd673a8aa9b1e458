//! The lattice of abstract values: what can be known of a register or a stack slot without running the code.
//!
//! A [`Value`] is a small set of things ([`Atom`]), each with the instruction that made it, and perhaps "or something else". `join`
//! is the least upper bound; a value that grows beyond the limits below becomes unknown, the top of the lattice, and stays so. That
//! keeps the lattice low, and so the fixpoint near.

use std::rc::Rc;

/// Different things that one value may be before it counts as unknown.
const MAX_ATOMS: usize = 8;
/// Instructions that are remembered as the origin of one and the same thing.
const MAX_ORIGINS: usize = 2;
/// Results of arithmetic that one value may be: more is a loop that counts.
const MAX_FOLDED: usize = 4;

/// Where a function finds what its caller put there: an argument, or whatever a register holds when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Location {
    /// A general register, by the machine's number.
    Register(u8),
    /// Bytes above the stack pointer, as it was before the function's first instruction.
    Stack(i32),
}

/// A thing that a register or slot can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Atom {
    /// A number.
    Const(u64),
    /// What the caller put there.
    Initial(Location),
    /// What lay this many bytes behind the pointer that the caller put there, when the function began.
    Field(Location, i32),
    /// An address on the stack: bytes from an anchor. Anchor 0 is the stack pointer when the function began.
    Stack(u32, i32),
    /// An address in the image.
    Image(u32),
    /// The function behind this slot of the import table.
    Slot(u32),
    /// The driver framework's function table.
    WdfTable,
    /// A function of the driver framework, by index.
    WdfFunction(u32),
    /// A slot of control flow guard: calls of it check a target, or (`true`) jump to the one in a fixed register.
    Guard(bool),
    /// What a variable in a writable section holds: offset, bytes.
    Global(u32, u8),
    /// An entry of a table in the image: offset, bytes an entry, whether it is sign-extended.
    TableEntry(u32, u8, bool),
    /// An address that such an entry is added to, after a shift: offset of the table, bytes an entry, sign, shift, base.
    TableTarget(u32, u8, bool, u8, u32),
    /// The function that the system found by its name: index in the table of interfaces.
    Named(u16),
}

/// How a fact came about; the later ones are weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// It stands in an instruction.
    Immediate,
    /// Computed from constants.
    Folded,
    /// Read from a part of the image that cannot be written.
    Data,
    /// Given or found otherwise (arguments, addresses, variables).
    Other,
}

/// One thing and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// The thing.
    pub atom: Atom,
    /// Offset of the instruction that made it (for [`How::Data`], of the data).
    pub at: u32,
    /// Offset of an earlier instruction that holds the other part of it (ARM64 builds a constant in two steps).
    pub with: Option<u32>,
    /// How.
    pub how: How,
}

/// Why something is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// Nothing set it on the way here.
    Unset,
    /// Read from memory that only exists at run time.
    Memory,
    /// Returned or left behind by a call.
    Call,
    /// Computed from something unknown, or by an instruction that is not followed.
    Computed,
    /// More different values meet here than are followed.
    TooMany,
    /// The memory could have been changed by a call that got its address, or through an unknown pointer.
    Escaped,
}

/// Why something is not known, and the instruction that made it so (0: none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Why {
    /// The reason.
    pub cause: Cause,
    /// Offset of the instruction.
    pub at: u32,
}

/// What a register or slot may hold.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Anything.
    Unknown(Why),
    /// Exactly this.
    One(Fact),
    /// One of several, or, if `other` is set, something else.
    Many(Rc<Set>),
}

/// Several things that a value may be.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    facts: Vec<Fact>,
    other: Option<Why>,
}

impl Value {
    /// Nothing is known.
    pub(crate) fn unknown(cause: Cause, at: u32) -> Value {
        Value::Unknown(Why { cause, at })
    }

    /// Exactly one thing.
    pub(crate) fn one(atom: Atom, at: u32, how: How) -> Value {
        Value::One(Fact {
            atom,
            at,
            with: None,
            how,
        })
    }

    /// A number that stands in the instruction at `at`.
    pub(crate) fn immediate(value: u64, at: u32) -> Value {
        Value::one(Atom::Const(value), at, How::Immediate)
    }

    /// What it may be; empty if nothing is known.
    pub(crate) fn facts(&self) -> &[Fact] {
        match self {
            Value::Unknown(_) => &[],
            Value::One(fact) => std::slice::from_ref(fact),
            Value::Many(set) => &set.facts,
        }
    }

    /// The reason why it may be something else, too.
    pub(crate) fn other(&self) -> Option<Why> {
        match self {
            Value::Unknown(why) => Some(*why),
            Value::One(_) => None,
            Value::Many(set) => set.other,
        }
    }

    /// Whether anything is known.
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self, Value::Unknown(_))
    }

    /// The only thing that it can be.
    pub(crate) fn only(&self) -> Option<Atom> {
        if self.other().is_some() {
            return None;
        }
        let (first, rest) = self.facts().split_first()?;
        rest.iter()
            .all(|f| f.atom == first.atom)
            .then_some(first.atom)
    }

    /// The only number that it can be.
    pub(crate) fn constant(&self) -> Option<u64> {
        match self.only()? {
            Atom::Const(value) => Some(value),
            _ => None,
        }
    }

    /// Whether `atom` is among the things that it may be.
    pub(crate) fn may_be(&self, test: impl Fn(Atom) -> bool) -> bool {
        self.facts().iter().any(|f| test(f.atom))
    }

    /// The value of these facts, or something else for the reason `other`.
    pub(crate) fn of(facts: impl IntoIterator<Item = Fact>, other: Option<Why>) -> Value {
        let mut set = Set {
            facts: Vec::new(),
            other,
        };
        for fact in facts {
            if !set.add(fact) {
                return Value::unknown(Cause::TooMany, fact.at);
            }
        }
        set.into_value()
    }

    /// The same value, which may now be something else, too.
    pub(crate) fn weaken(&mut self, why: Why) {
        if self.other().is_none() {
            *self = Value::of(self.facts().iter().copied(), Some(why));
        }
    }

    /// Adds what the other value may be. Says whether anything was new.
    pub(crate) fn join(&mut self, other: &Value) -> bool {
        match (&*self, other) {
            (Value::Unknown(_), Value::Unknown(_)) => return false,
            (Value::One(a), Value::One(b)) if a == b => return false,
            (Value::Many(a), Value::Many(b)) if Rc::ptr_eq(a, b) => return false,
            _ => {}
        }
        // once too many things met here, the value stays unknown: otherwise a loop would build it up again
        if matches!(
            self.other(),
            Some(Why {
                cause: Cause::TooMany,
                ..
            })
        ) {
            return false;
        }
        let mut set = Set {
            facts: self.facts().to_vec(),
            other: self.other(),
        };
        let before = set.facts.len();
        let gains_other = set.other.is_none() && other.other().is_some();
        set.other = set.other.or(other.other());
        for &fact in other.facts() {
            if !set.add(fact) {
                *self = Value::unknown(Cause::TooMany, fact.at);
                return true;
            }
        }
        let changed = set.facts.len() > before || gains_other;
        if changed {
            *self = set.into_value();
        }
        changed
    }

    /// Each thing turned into another by `make`; those that it cannot turn become unknown, made so at `at`.
    pub(crate) fn map(&self, at: u32, mut make: impl FnMut(Fact) -> Option<Fact>) -> Value {
        let lost = Why {
            cause: Cause::Computed,
            at,
        };
        match self {
            Value::Unknown(why) => Value::Unknown(*why),
            Value::One(fact) => make(*fact).map_or(Value::Unknown(lost), Value::One),
            Value::Many(set) => {
                let mut other = set.other;
                let facts: Vec<Fact> = set
                    .facts
                    .iter()
                    .filter_map(|&fact| {
                        let made = make(fact);
                        if made.is_none() {
                            other = other.or(Some(lost));
                        }
                        made
                    })
                    .collect();
                Value::of(facts, other)
            }
        }
    }

    /// The low `width` bytes, zero-extended. What is no number survives in four bytes: tags and pool types travel so.
    pub(crate) fn truncate(&self, width: u32, pointer: u32, at: u32) -> Value {
        if width >= pointer {
            return self.clone();
        }
        let mask = mask(width);
        let keeps = |atom: Atom| match atom {
            Atom::Const(value) => Some(Atom::Const(value & mask)),
            Atom::Initial(_) | Atom::Field(..) | Atom::Global(..) | Atom::TableEntry(..)
                if width >= 4 =>
            {
                Some(atom)
            }
            Atom::TableEntry(..) => Some(atom),
            _ => None,
        };
        match self {
            Value::One(Fact {
                atom: Atom::Const(value),
                ..
            }) if value & mask == *value => self.clone(),
            _ => self.map(at, |fact| {
                keeps(fact.atom).map(|atom| Fact { atom, ..fact })
            }),
        }
    }
}

impl Set {
    /// Adds a fact; `false` if it is one too many.
    fn add(&mut self, fact: Fact) -> bool {
        let mut same = 0;
        let mut folded = usize::from(fact.how == How::Folded);
        let mut atoms = 1;
        for (i, known) in self.facts.iter().enumerate() {
            if known.atom == fact.atom {
                if known.at == fact.at {
                    return true;
                }
                same += 1;
            }
            folded += usize::from(known.how == How::Folded);
            atoms += usize::from(!self.facts[..i].iter().any(|f| f.atom == known.atom));
        }
        if same >= MAX_ORIGINS {
            return true;
        }
        if same == 0 && (atoms > MAX_ATOMS || folded > MAX_FOLDED) {
            return false;
        }
        let place = self
            .facts
            .partition_point(|f| (f.atom, f.at) < (fact.atom, fact.at));
        self.facts.insert(place, fact);
        true
    }

    fn into_value(self) -> Value {
        match (self.facts.as_slice(), self.other) {
            ([], other) => Value::Unknown(other.unwrap_or(Why {
                cause: Cause::Unset,
                at: 0,
            })),
            ([fact], None) => Value::One(*fact),
            _ => Value::Many(Rc::new(self)),
        }
    }
}

/// The bits of `width` bytes.
pub(crate) fn mask(width: u32) -> u64 {
    match width {
        0 => 0,
        1..=7 => (1 << (8 * width)) - 1,
        _ => u64::MAX,
    }
}

/// Two values by one operation on numbers, at the instruction `at`: every number with every other.
pub(crate) fn combine(
    a: &Value,
    b: &Value,
    at: u32,
    operation: impl Fn(u64, u64) -> Option<u64>,
) -> Value {
    let lost = Why {
        cause: Cause::Computed,
        at,
    };
    if !a.is_known() || !b.is_known() {
        return Value::Unknown(match (a, b) {
            (Value::Unknown(why), _) | (_, Value::Unknown(why)) => *why,
            _ => lost,
        });
    }
    let mut other = a.other().or(b.other());
    let mut facts = Vec::new();
    for x in a.facts() {
        for y in b.facts() {
            let result = match (x.atom, y.atom) {
                (Atom::Const(x), Atom::Const(y)) => operation(x, y),
                _ => None,
            };
            match result {
                Some(value) => facts.push(Fact {
                    atom: Atom::Const(value),
                    at,
                    with: Some(x.at).filter(|&x| x != at),
                    how: How::Folded,
                }),
                None => other = other.or(Some(lost)),
            }
        }
    }
    Value::of(facts, other)
}
