//! `r`: the registers of the current processor, and the pseudo-registers.

mod current;

pub use current::{CurrentInstruction, unreadable};

use crate::command::masm::{Scope, evaluate};
use crate::command::{Args, Command, Completes, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::session::Session;
use rkd_code::Machine;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::context::Context;

/// `r`: show registers, or set a pseudo-register.
pub static COMMAND: Command = Command {
    name: "r",
    aliases: &[],
    rhai: "registers",
    topic: Topic::Target,
    summary: "show registers, or set a pseudo-register",
    grammar: Grammar::own("r [Register[, Register]] | r $tN = Expression", Completes::Nothing),
    help: "\
Shows the registers of the current processor: those of the dump's header for the processor that wrote the dump, and what
Windows saved of the others when they were stopped (~Ns chooses one). With names it shows these only: whole registers, their
parts (eax, r8d, al), flags (zf), and pseudo-registers ($ip, $proc, $t0).

The last lines are the instruction that the processor stands before. Behind it stands what its operand in memory lies at and
holds (ss:0018:address=value), and behind a conditional jump whether it would be taken ([br=1]).

r $t0 = Expression sets one of the twenty pseudo-registers $t0 to $t19, which expressions read as @$t0. The registers
themselves belong to the dump and cannot be set.",
    examples: &[
        Example {
            line: "r",
            shows: "the registers of the processor that wrote the dump",
            output: "\
rax=0000000000000000 rbx=0000000000000000 rcx=00000000000000e2
rdx=0000000000000000 rsi=0000000000000000 rdi=0000000000000000
rip=fffff807229fd640 rsp=ffffa50000007d38 rbp=0000000000000000
 r8=0000000000000000  r9=0000000000000000 r10=0000000000000000
r11=0000000000000000 r12=0000000000000000 r13=0000000000000000
r14=0000000000000000 r15=0000000000000000
iopl=0         nv up ei pl zr na pe nc
cs=0010  ss=0018  ds=002b  es=002b  fs=0053  gs=002b             efl=00000246
nt!KeBugCheckEx:
fffff807`229fd640 48894c2408      mov     qword ptr [rsp+8],rcx ss:0018:ffffa500`00007d40=00000000000000e2",
        },
        Example { line: "r $t0 = nt + 10; r $t0", shows: "a pseudo-register", output: "$t0=fffff80722600010" },
        Example {
            line: "r rsx",
            shows: "a name that is none",
            output: "Bad register error in 'r rsx'",
        },
    ],
    rows: &[All::SCHEMA, AllArm64::SCHEMA, One::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let text = args.text.trim();
    if text.is_empty() {
        let kernel = session.target.kernel.clone();
        let context = kernel.context(session.target.processor)?;
        let place = CurrentInstruction::of(&kernel, session.target.processor, &context);
        let processor = session.target.processor;
        match context.machine() {
            Machine::Arm64 => out.row(&AllArm64::new(processor, &context, &place))?,
            Machine::X64 | Machine::X86 => out.row(&All::new(processor, &context, &place))?,
        }
        return match &place.missing {
            Some(why) => out.note(&format!("the instruction: {why}")),
            None => Ok(()),
        };
    }
    let bad = || Error::Syntax(format!("Bad register error in 'r {text}'"));
    if let Some((name, expression)) = text.split_once('=') {
        return set(session, name.trim(), expression, bad);
    }
    for name in text.split(',').map(str::trim) {
        let name = name.strip_prefix('@').unwrap_or(name).to_ascii_lowercase();
        let value = match name.strip_prefix('$') {
            Some(pseudo) => session.pseudo(pseudo),
            None => session.register(&name),
        };
        match value {
            None => return Err(bad()),
            Some(Err(why)) => {
                return Err(Error::Refused {
                    text: bad().to_string(),
                    why: Box::new(why),
                });
            }
            Some(Ok(value)) => out.row(&One {
                name,
                value: Virt(value),
            })?,
        }
    }
    Ok(())
}

fn set(session: &mut Session, name: &str, expression: &str, bad: impl Fn() -> Error) -> Result<()> {
    let name = name.strip_prefix('@').unwrap_or(name).to_ascii_lowercase();
    let slot = name
        .strip_prefix("$t")
        .and_then(|digits| digits.parse::<usize>().ok())
        .filter(|slot| *slot < session.numbers.pseudo.len());
    let Some(slot) = slot else {
        return Err(
            match Context::is_register(session.target.kernel.code_machine(), &name) {
                true => Error::Forbidden(format!(
                    "{name} belongs to the dump and cannot be set; $t0 to $t19 can."
                )),
                false => bad(),
            },
        );
    };
    let value = evaluate(session, expression)?;
    if let Some(place) = session.numbers.pseudo.get_mut(slot) {
        *place = value;
    }
    Ok(())
}

/// A register.
#[derive(Row)]
#[row(kind = "register")]
struct One {
    /// Its name.
    name: String,
    /// What it holds.
    value: Virt,
}

/// As wide as the register, without a back-tick.
impl KdLine for One {
    fn line(&self) -> String {
        let width = width(&self.name);
        format!("{}={:0width$x}", self.name, self.value.0)
    }
}

/// Hexadecimal digits of a register.
fn width(name: &str) -> usize {
    match name {
        "cs" | "ds" | "es" | "fs" | "gs" | "ss" | "ax" | "bx" | "cx" | "dx" | "si" | "di"
        | "sp" | "bp" | "ip" => 4,
        "efl" | "eflags" | "mxcsr" | "psr" | "cpsr" => 8,
        name if name.starts_with('w') => 8,
        "iopl" | "cf" | "pf" | "af" | "zf" | "sf" | "if" | "df" | "of" => 1,
        name if name.starts_with('e') => 8,
        name if name.starts_with('r') && name.ends_with('d') => 8,
        name if name.starts_with('r') && name.ends_with('w') => 4,
        name if name.starts_with('r') && name.ends_with('b') => 2,
        name if name.ends_with(['l', 'h']) => 2,
        _ => 16,
    }
}

/// All registers and the current instruction, as kd shows them of a context.
pub fn whole_text(context: &Context, place: &CurrentInstruction) -> String {
    match context.machine() {
        Machine::Arm64 => AllArm64::new(0, context, place).line(),
        Machine::X64 | Machine::X86 => All::new(0, context, place).line(),
    }
}

macro_rules! all_registers {
    ($kind:tt $name:ident; whole: $($whole:ident)+; narrow: $($narrow:ident)+) => {
        /// All registers of a processor, and where it stands.
        #[derive(Row)]
        #[row(kind = $kind)]
        struct $name<'a> {
            /// The number of the processor, from 0.
            processor: u32,
            $(
                /// The register of this name.
                $whole: Virt,
            )+
            $(
                /// The register of this name.
                $narrow: u64,
            )+
            /// The symbol that it stands at; none outside all modules.
            at: Option<&'a str>,
            /// The instruction that it stands before.
            instruction: &'a str,
            #[row(skip)]
            context: &'a Context,
            #[row(skip)]
            place: &'a CurrentInstruction,
        }

        impl<'a> $name<'a> {
            fn new(processor: u32, context: &'a Context, place: &'a CurrentInstruction) -> $name<'a> {
                let get = |name: &str| context.get(name).unwrap_or(0);
                $name {
                    processor,
                    $($whole: Virt(get(stringify!($whole))),)+
                    $($narrow: get(stringify!($narrow)),)+
                    at: place.label.as_deref(),
                    instruction: &place.line,
                    context,
                    place,
                }
            }
        }
    };
}

all_registers! {
    "registers" All;
    whole: rax rbx rcx rdx rsi rdi rip rsp rbp r8 r9 r10 r11 r12 r13 r14 r15;
    narrow: cs ss ds es fs gs efl
}

all_registers! {
    "registers_arm64" AllArm64;
    whole: x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x10 x11 x12 x13 x14 x15 x16 x17 x18 x19 x20 x21 x22 x23 x24 x25 x26 x27 x28 fp lr sp pc;
    narrow: psr
}

/// kd's screen of ARM64: the registers in rows of four, then the instruction, the flags and the exception level.
impl KdLine for AllArm64<'_> {
    fn line(&self) -> String {
        const FLAGS: [(u32, char); 4] = [(31, 'N'), (30, 'Z'), (29, 'C'), (28, 'V')];
        let whole: Vec<String> = self
            .context
            .whole()
            .filter(|(name, _)| *name != "pc")
            .map(|(name, value)| format!("{name:>3}={value:016x}"))
            .collect();
        let rows: Vec<String> = whole.chunks(4).map(|row| row.join("  ")).collect();
        let flags: String = FLAGS
            .iter()
            .map(|(bit, letter)| {
                if self.psr >> bit & 1 == 1 {
                    *letter
                } else {
                    '-'
                }
            })
            .collect();
        format!(
            "{}\n pc={:016x} psr={:08x} {flags} EL{}\n{}",
            rows.join("\n"),
            self.pc.0,
            self.psr,
            self.psr >> 2 & 3,
            self.place.text()
        )
    }
}

impl All<'_> {
    fn get(&self, name: &str) -> u64 {
        self.context.get(name).unwrap_or(0)
    }

    fn flags(&self) -> String {
        let word = |name, set, clear| if self.get(name) == 1 { set } else { clear };
        [
            word("of", "ov", "nv"),
            word("df", "dn", "up"),
            word("if", "ei", "di"),
            word("sf", "ng", "pl"),
            word("zf", "zr", "nz"),
            word("af", "ac", "na"),
            word("pf", "pe", "po"),
            word("cf", "cy", "nc"),
        ]
        .join(" ")
    }
}

impl KdLine for All<'_> {
    fn line(&self) -> String {
        let mut text = String::new();
        for (number, (name, value)) in self.context.whole().enumerate() {
            text.push_str(&format!("{name:>3}={value:016x}"));
            text.push(if number % 3 == 2 { '\n' } else { ' ' });
        }
        let text = text.trim_end();
        let segments: Vec<String> = ["cs", "ss", "ds", "es", "fs", "gs"]
            .iter()
            .map(|name| format!("{name}={:04x}", self.get(name)))
            .collect();
        let place = self.place.text();
        format!(
            "{text}\niopl={:x}         {}\n{}             efl={:08x}\n{place}",
            self.get("iopl"),
            self.flags(),
            segments.join("  "),
            self.get("efl")
        )
    }
}
