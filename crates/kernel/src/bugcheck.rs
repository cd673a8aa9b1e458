//! Bug checks in words: what each code and its arguments mean, after Microsoft's public reference of bug checks, and which
//! arguments lead to the one to blame.

mod table;

use rkd_dump::addr::Virt;

/// What is known of a bug check.
#[derive(Debug)]
pub struct BugCheck {
    /// The code.
    pub code: u32,
    /// The symbolic name.
    pub name: &'static str,
    /// What it means, in one or two sentences.
    pub what: &'static str,
    /// What each argument is, unless a case says it better.
    arguments: [Argument; 4],
    cases: Vec<Case>,
}

/// What an argument of a bug check is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Argument {
    /// In words.
    pub text: &'static str,
    /// What it leads to on the way to the one to blame.
    pub lead: Option<Lead>,
}

/// What the value of an argument is, on the way to the one to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// An address in the guilty driver.
    Code,
    /// An exception record.
    Exception,
    /// A `CONTEXT` record of that moment.
    Context,
    /// A request (`_IRP`) that a driver has.
    Request,
    /// A device object of the driver.
    Device,
    /// The driver's object.
    Driver,
    /// The driver's name, a `UNICODE_STRING`.
    Name,
}

/// What the arguments are where one of them has a certain value.
#[derive(Debug)]
struct Case {
    /// Which argument decides, from 1.
    selector: usize,
    /// The values of this case.
    values: Vec<u64>,
    /// What is said of the arguments here.
    arguments: [Option<Argument>; 4],
}

impl BugCheck {
    /// What each argument is, where the arguments are these.
    pub fn arguments(&self, values: [u64; 4]) -> [Argument; 4] {
        let holds = |case: &&Case| {
            let selector = case.selector.checked_sub(1);
            let value = selector.and_then(|at| values.get(at));
            value.is_some_and(|value| case.values.contains(value))
        };
        let mut arguments = self.arguments;
        for case in self.cases.iter().filter(holds) {
            for (argument, said) in arguments.iter_mut().zip(case.arguments) {
                *argument = said.unwrap_or(*argument);
            }
        }
        arguments
    }
}

/// Windows sets this bit for some codes in small dumps: what happened was seen by the handler of last resort, without the
/// stack that led there (7E becomes 1000007E, and its name ends in `_M`).
const SECOND_HAND: u32 = 0x1000_0000;

/// The program that took a dump of a running machine and wrote a mark of its own where the bug check code stands: DumpIt's is
/// MATT, in either order of bytes.
pub fn maker(code: u32) -> Option<&'static str> {
    const MATT: u32 = u32::from_be_bytes(*b"MATT");
    (code == MATT || code == MATT.swap_bytes()).then_some("DumpIt")
}

/// All bug checks that are known, by code.
pub fn all() -> impl Iterator<Item = &'static BugCheck> {
    table::TABLE.iter()
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

/// What an argument leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clue {
    /// Which argument, from 1.
    pub argument: usize,
    /// What its value is.
    pub lead: Lead,
    /// The value.
    pub at: Virt,
}

/// What the arguments of a bug check lead to, the first first; a value that is no address of the kernel's leads nowhere.
pub fn clues(code: u32, values: [u64; 4]) -> Vec<Clue> {
    let Some((check, _)) = named(code) else {
        return Vec::new();
    };
    let arguments = check.arguments(values).into_iter().zip(values);
    (1..)
        .zip(arguments)
        .filter_map(|(number, (argument, value))| {
            Some(Clue {
                argument: number,
                lead: argument.lead?,
                at: Some(Virt(value)).filter(|at| at.is_kernel())?,
            })
        })
        .collect()
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

/// The memory that was touched, and how, by the arguments of a bug check.
pub fn touched(code: u32, [first, second, third, fourth]: [u64; 4]) -> Option<(Virt, Access)> {
    let access = |how| match how {
        0 => Access::Read,
        1 | 2 => Access::Write,
        _ => Access::Execute,
    };
    match code & !SECOND_HAND {
        0x0A | 0xC5 | 0xD0 | 0xD1 | 0xD3 | 0xD4 | 0xDB => {
            Some((Virt(first), exception_access(third)))
        }
        0x1E if first as u32 == ACCESS_VIOLATION => Some((Virt(fourth), exception_access(third))),
        0x50 | 0xCC | 0xCD | 0xCE | 0xCF | 0xD5 | 0xD6 => Some((Virt(first), access(second))),
        0xBE => Some((Virt(first), Access::Write)),
        0xFC => Some((Virt(first), Access::Execute)),
        _ => None,
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
        assert_eq!((maker(0x4d41_5454), maker(0xe2)), (Some("DumpIt"), None));
        assert_eq!(name(0x1000_0000), None);
    }

    #[test]
    fn arguments_mean_what_the_case_says() {
        let texts = |code, values| {
            let (check, _) = named(code).unwrap();
            check.arguments(values).map(|argument| argument.text)
        };
        for (code, values, number, text) in [
            (
                0x13a,
                [0x11, 0, 0, 0],
                1,
                "the heap's own state is not valid: mostly a block was written past its end",
            ),
            (
                0x13a,
                [6, 0, 0, 0],
                1,
                "it looks as if a block was written past its end",
            ),
            (
                0x133,
                [1, 0x1e00, 0, 0],
                3,
                "address of nt!DPC_WATCHDOG_GLOBAL_TRIAGE_BLOCK, which has a record of it",
            ),
            (0x133, [0, 0x501, 0x500, 0], 3, "ticks that are allowed"),
            (
                0x1a,
                [0x4_1790, 0, 0, 0],
                2,
                "address of its entry in the page frame database (_MMPFN)",
            ),
            (
                0x1a,
                [0x7777, 0, 0, 0],
                1,
                "what was found; the documentation does not list this value",
            ),
            (
                0xc1,
                [0, 0, 0, 0x20],
                4,
                "memory was freed that is not allocated",
            ),
            (0xc1, [0, 0, 0, 0x30], 1, "IRQL"),
            (0x4d, [0; 4], 3, "nonpaged pool that was available"),
            (0x1ca, [0; 4], 4, "number of the processor with the clock"),
        ] {
            assert_eq!(
                texts(code, values)[number - 1],
                text,
                "{code:x} Arg{number}"
            );
        }
    }

    #[test]
    fn arguments_lead_to_the_one_to_blame() {
        let at = 0xffff_f804_8b58_334c;
        let leads = |code, values| {
            let clue = |clue: Clue| (clue.argument, clue.lead);
            clues(code, values)
                .into_iter()
                .map(clue)
                .collect::<Vec<_>>()
        };
        assert_eq!(leads(0xd1, [8, 2, 1, at]), [(4, Lead::Code)]);
        assert_eq!(leads(0xd1, [8, 2, 1, 0]), []);
        assert_eq!(
            leads(0x1000_007e, [0xc000_0005, at, 0, 0]),
            [(2, Lead::Code)]
        );
        assert_eq!(
            leads(0x9f, [3, at, at, at]),
            [(2, Lead::Device), (4, Lead::Request)]
        );
        assert_eq!(leads(0x9f, [4, 0x12c, at, at]), []);
        assert_eq!(leads(0x116, [at, at, 0, 0]), [(2, Lead::Code)]);
        assert_eq!(leads(0xc4, [0x62, at, at, 3]), [(2, Lead::Name)]);
        assert_eq!(
            leads(0xcb, [at, at, at, 3]),
            [(1, Lead::Code), (2, Lead::Code)]
        );
        assert_eq!(leads(0xe2, [at; 4]), []);
        assert_eq!(touched(0xd1, [8, 2, 1, at]), Some((Virt(8), Access::Write)));
        assert_eq!(touched(0xe2, [0; 4]), None);
    }
}
