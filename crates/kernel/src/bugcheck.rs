//! Bug checks in words: what each code and its arguments mean, after Microsoft's public reference of bug checks, and which
//! argument is the address of the instruction that is to blame.

mod table_00;
mod table_100;
mod table_80;
mod table_d0;

use rkd_dump::addr::Virt;

/// What is known of a bug check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BugCheck {
    /// The code.
    pub code: u32,
    /// The symbolic name.
    pub name: &'static str,
    /// What it means, in one or two sentences.
    pub what: &'static str,
    /// What each argument is.
    pub arguments: [&'static str; 4],
}

/// Windows sets this bit for some codes in small dumps: what happened was seen by the handler of last resort, without the
/// stack that led there (7E becomes 1000007E, and its name ends in `_M`).
const SECOND_HAND: u32 = 0x1000_0000;

/// All bug checks that are known, by code.
pub fn all() -> impl Iterator<Item = &'static BugCheck> {
    [
        table_00::TABLE,
        table_80::TABLE,
        table_d0::TABLE,
        table_100::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// The bug check of a code, and its name as kd writes it.
pub fn named(code: u32) -> Option<(&'static BugCheck, String)> {
    if let Some(found) = all().find(|check| check.code == code) {
        return Some((found, found.name.to_string()));
    }
    let plain = code & !SECOND_HAND;
    let found = all().find(|check| check.code == plain && code != plain)?;
    Some((found, format!("{}_M", found.name)))
}

/// Where to look for what happened, by the arguments of a bug check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The instruction that is to blame.
    pub instruction: Option<Virt>,
    /// A `CONTEXT` record of that moment.
    pub context: Option<Virt>,
    /// The exception record.
    pub exception: Option<Virt>,
    /// The memory that was touched, and how.
    pub touched: Option<(Virt, Access)>,
}

/// What was done to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It was read.
    Read,
    /// It was written.
    Write,
    /// It was executed.
    Execute,
}

impl Access {
    /// kd's heading for the address.
    pub fn heading(self) -> &'static str {
        match self {
            Access::Read => "READ_ADDRESS",
            Access::Write => "WRITE_ADDRESS",
            Access::Execute => "EXECUTE_ADDRESS",
        }
    }
}

/// What the arguments of a bug check point at.
pub fn evidence(code: u32, arguments: [u64; 4]) -> Evidence {
    let [first, second, third, fourth] = arguments.map(Virt);
    let some = |at: Virt| at.is_kernel().then_some(at);
    let access = |how: Virt| match how.0 {
        0 => Access::Read,
        1 | 2 => Access::Write,
        _ => Access::Execute,
    };
    match code & !SECOND_HAND {
        0x0A | 0xC5 | 0xD0 | 0xD1 | 0xD3 => Evidence {
            instruction: some(fourth),
            touched: Some((
                first,
                match third.0 {
                    0 => Access::Read,
                    1 => Access::Write,
                    _ => Access::Execute,
                },
            )),
            ..Evidence::default()
        },
        0x1E => Evidence {
            instruction: some(second),
            touched: (first.0 as u32 == ACCESS_VIOLATION)
                .then(|| (fourth, exception_access(third.0))),
            ..Evidence::default()
        },
        0x8E => Evidence {
            instruction: some(second),
            ..Evidence::default()
        },
        0x3B => Evidence {
            instruction: some(second),
            context: some(third),
            ..Evidence::default()
        },
        0x7E => Evidence {
            instruction: some(second),
            exception: some(third),
            context: some(fourth),
            ..Evidence::default()
        },
        0x23 | 0x24 | 0x34 | 0x149 => Evidence {
            exception: some(second),
            context: some(third),
            ..Evidence::default()
        },
        0x50 | 0xCC | 0xCD | 0xCE | 0xD5 | 0xD6 => Evidence {
            instruction: some(third),
            touched: Some((first, access(second))),
            ..Evidence::default()
        },
        0x139 => Evidence {
            exception: some(third),
            ..Evidence::default()
        },
        0xBE => Evidence {
            touched: Some((first, Access::Write)),
            ..Evidence::default()
        },
        0xFC => Evidence {
            touched: Some((first, Access::Execute)),
            ..Evidence::default()
        },
        _ => Evidence::default(),
    }
}

/// `STATUS_ACCESS_VIOLATION`.
pub const ACCESS_VIOLATION: u32 = 0xc000_0005;

/// What the first parameter of an access violation says.
pub fn exception_access(how: u64) -> Access {
    match how {
        0 => Access::Read,
        1 => Access::Write,
        _ => Access::Execute,
    }
}

/// An exception code in kd's words; empty for those that need none.
pub fn exception_name(code: u32) -> &'static str {
    match code {
        ACCESS_VIOLATION => "Access violation",
        0x8000_0002 => "Misaligned data",
        0x8000_0003 => "Break instruction exception",
        0x8000_0004 => "Single step exception",
        0xc000_0006 => "In-page I/O error",
        0xc000_001d => "Illegal instruction",
        0xc000_0094 => "Integer divide-by-zero",
        0xc000_0095 => "Integer overflow",
        0xc000_0096 => "Privileged instruction",
        0xc000_00fd => "Stack overflow",
        0xc000_0409 => "Security check failure or stack buffer overrun",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<u32> = all().map(|check| check.code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:x?}");
        assert!(codes.len() > 90);
    }

    #[test]
    fn names_of_what_was_seen_second_hand() {
        let name = |code| named(code).map(|(_, name)| name);
        assert_eq!(
            name(0x7e).as_deref(),
            Some("SYSTEM_THREAD_EXCEPTION_NOT_HANDLED")
        );
        assert_eq!(
            name(0x1000_007e).as_deref(),
            Some("SYSTEM_THREAD_EXCEPTION_NOT_HANDLED_M")
        );
        assert_eq!(name(0x4242_4242), None);
        assert_eq!(name(0x1000_0000), None);
    }

    #[test]
    fn arguments_lead_to_the_instruction() {
        let at = 0xffff_f804_8b58_334c;
        assert_eq!(evidence(0xd1, [8, 2, 1, at]).instruction, Some(Virt(at)));
        assert_eq!(
            evidence(0xd1, [8, 2, 1, at]).touched,
            Some((Virt(8), Access::Write))
        );
        assert_eq!(
            evidence(0x1000_007e, [0xc000_0005, at, 0, 0]).instruction,
            Some(Virt(at))
        );
        assert_eq!(evidence(0x50, [8, 0, 0, 0]).instruction, None);
        assert_eq!(evidence(0xe2, [0; 4]), Evidence::default());
    }
}
