//! The members of the family: what a unit is, how many stand on a line and how many are shown when nobody says.

/// How a member of the family shows memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Bytes in a unit.
    pub unit: u64,
    /// Units on a line.
    pub columns: usize,
    /// Units that are shown without a range.
    pub count: u64,
    /// What is made of them.
    pub look: Look,
}

/// What is made of the units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Hexadecimal numbers, and the bytes as text where asked.
    Numbers { text: bool },
    /// Floating point numbers.
    Floats,
    /// Bytes as a string.
    Ascii,
    /// 16-bit characters as a string.
    Unicode,
    /// One a line, with its symbol.
    Symbols,
    /// One a line, with what lies where it points.
    Follow(Target),
}

/// What a pointer points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A string of bytes.
    Ascii,
    /// A string of 16-bit characters.
    Unicode,
    /// Another pointer.
    Pointer,
}

impl Form {
    /// The member of this name. The second letter counts case: `dd` shows integers, `dD` floating point numbers.
    pub(super) fn named(name: &str) -> Option<Form> {
        let form = |unit, columns, count, look| {
            Some(Form {
                unit,
                columns,
                count,
                look,
            })
        };
        let numbers =
            |unit: u64, text| form(unit, 16 / unit as usize, 128 / unit, Look::Numbers { text });
        match name.trim_start_matches('!') {
            "db" => numbers(1, true),
            "dw" => numbers(2, false),
            "dW" => numbers(2, true),
            "dd" => numbers(4, false),
            "dc" => numbers(4, true),
            "dq" | "dp" => numbers(8, false),
            "df" => form(4, 4, 16, Look::Floats),
            "dD" => form(8, 3, 15, Look::Floats),
            "da" => form(1, 32, 0, Look::Ascii),
            "du" => form(2, 32, 0, Look::Unicode),
            "dps" | "dqs" => form(8, 1, 16, Look::Symbols),
            "dds" => form(4, 1, 32, Look::Symbols),
            "dpa" | "dqa" => form(8, 1, 16, Look::Follow(Target::Ascii)),
            "dpu" | "dqu" => form(8, 1, 16, Look::Follow(Target::Unicode)),
            "dpp" | "dqp" => form(8, 1, 16, Look::Follow(Target::Pointer)),
            "dda" => form(4, 1, 32, Look::Follow(Target::Ascii)),
            "ddu" => form(4, 1, 32, Look::Follow(Target::Unicode)),
            "ddp" => form(4, 1, 32, Look::Follow(Target::Pointer)),
            _ => None,
        }
    }
}
