//! The `u` family: instructions, one a line.

mod row;

use crate::command::masm::{self, Scope};
use crate::command::sink::check;
use crate::command::{Args, Command, Completes, Example, Grammar, Sink, Topic};
use crate::commands::registers::unreadable;
use crate::session::Session;
use rkd_code::{Flow, Function, Instruction};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::{Kernel, Module};
pub use row::InstructionRow;

/// `u`: disassemble: forwards, backwards, a whole function.
pub static COMMAND: Command = Command {
    name: "u",
    aliases: &["ub", "uf"],
    rhai: "unassemble",
    topic: Topic::Code,
    summary: "disassemble: forwards, backwards, a whole function",
    // L counts instructions, and may stand without an address.
    grammar: Grammar::own("u [Address [L Count | End]] | ub [Address [L Count]] | uf [Address]", Completes::Symbols),
    help: "\
Shows instructions. u begins at the address, or goes on behind what was shown last (at first: where the processor stands), and
shows eight, or as many as L says, or all up to an end. ub shows the eight before the address. uf shows a whole function: all
instructions that can be reached from its first one, in blocks; \"Branch\" marks jumps inside of it.

The lines are kd's: address, bytes, instruction; what is called, jumped to or read is named, with its address behind it. Calls
through an import table are named by what the loader put there (drv!_imp_ExAllocatePoolWithTag), with or without symbols. A
32-bit number that reads as four characters in memory gets them as a comment (; 'Leak'), which kd does not have: most such
numbers in a driver are pool tags.

Where a function begins and ends comes from the image's function table (.pdata). Code that is not in the dump is shown as ???,
and the reason below. ub has to guess where instructions begin: it counts from the function's first instruction if that is
known, and otherwise takes the longest run of instructions that ends at the address.",
    examples: &[
        Example {
            line: "u myfault+1557 L6",
            shows: "the call that leaks, in the practice dump",
            output: "\
myfault+0x1557:
fffff807`47f51557 41b84c65616b    mov     r8d,6B61654Ch   ; 'Leak'
fffff807`47f5155d 0f42c1          cmovb   eax,ecx
fffff807`47f51560 418d49fd        lea     ecx,[r9-3]
fffff807`47f51564 8bd0            mov     edx,eax
fffff807`47f51566 ff150c1b0000    call    qword ptr [myfault!_imp_ExAllocatePoolWithTag (fffff807`47f53078)]
fffff807`47f5156c 4889059d2a0000  mov     qword ptr [myfault+0x4010 (fffff807`47f54010)],rax",
        },
        Example { line: "ub myfault+156c L3", shows: "what came before an address", output: "\
myfault+0x1560:
fffff807`47f51560 418d49fd        lea     ecx,[r9-3]
fffff807`47f51564 8bd0            mov     edx,eax
fffff807`47f51566 ff150c1b0000    call    qword ptr [myfault!_imp_ExAllocatePoolWithTag (fffff807`47f53078)]" },
        Example { line: "uf myfault+1540", shows: "a whole function", output: "\
myfault+0x1540:
fffff807`47f51540 4883ec28        sub     rsp,28h
fffff807`47f51544 41b904000000    mov     r9d,4
fffff807`47f5154a 8b01            mov     eax,dword ptr [rcx]
fffff807`47f5154c b900008002      mov     ecx,2800000h
fffff807`47f51551 3bc1            cmp     eax,ecx
fffff807`47f51553 0f1f4000        nop     dword ptr [rax]
fffff807`47f51557 41b84c65616b    mov     r8d,6B61654Ch   ; 'Leak'
fffff807`47f5155d 0f42c1          cmovb   eax,ecx
fffff807`47f51560 418d49fd        lea     ecx,[r9-3]
fffff807`47f51564 8bd0            mov     edx,eax
fffff807`47f51566 ff150c1b0000    call    qword ptr [myfault!_imp_ExAllocatePoolWithTag (fffff807`47f53078)]
fffff807`47f5156c 4889059d2a0000  mov     qword ptr [myfault+0x4010 (fffff807`47f54010)],rax
fffff807`47f51573 4883c428        add     rsp,28h
fffff807`47f51577 c3              ret" },
        Example { line: "u 0 L1", shows: "an address without code", output: "\
00000000`00000000 ??              ???
Memory access error in 'u 0 L1'" },
    ],
    rows: &[InstructionRow::SCHEMA],
    run,
};

/// Instructions that are shown when nobody says how many.
const COUNT: u64 = 8;

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let request = Request::parse(session, args)?;
    let kernel = session.target.kernel.clone();
    let failed = |why: Error| Error::Refused {
        text: format!(
            "Memory access error in '{} {}'",
            args.name,
            args.text.trim()
        ),
        why: Box::new(why),
    };
    if args.name != "uf" {
        session.display.again = Some(args.name.clone());
    }
    match args.name.as_str() {
        "ub" => {
            let count = match request.end {
                End::Count(count) => count,
                End::At(_) => COUNT,
            };
            let lines = backwards(&kernel, request.start, count);
            if lines.is_empty() {
                out.text(&unreadable(request.start))?;
                let why = kernel.instruction_at(request.start).err();
                return Err(failed(why.unwrap_or_else(|| {
                    Error::NotFound("no run of instructions ends there".into())
                })));
            }
            session.display.next_code = lines.first().map(|line| line.address);
            show(&kernel, &lines, out)
        }
        "uf" => whole_function(session, &kernel, request.start, out),
        _ => forwards(session, &kernel, &request, out).map_err(|why| match why {
            Error::Stopped => why,
            why => failed(why),
        }),
    }
}

/// How far to go.
enum End {
    Count(u64),
    /// The last byte.
    At(Virt),
}

struct Request {
    start: Virt,
    end: End,
}

impl Request {
    fn parse(session: &Session, args: &Args) -> Result<Request> {
        let text = args.text.trim();
        let default = || match session.display.next_code {
            Some(next) if args.name != "uf" => Ok(next),
            _ => session
                .pseudo("ip")
                .unwrap_or_else(|| {
                    Err(Error::NotInDump(
                        "the processor's registers are not known".into(),
                    ))
                })
                .map(Virt),
        };
        if text.is_empty() {
            return Ok(Request {
                start: default()?,
                end: End::Count(COUNT),
            });
        }
        let (start, rest) = match text.starts_with(['L', 'l'])
            && text[1..]
                .trim_start()
                .starts_with(|c: char| c.is_ascii_digit())
        {
            true => (default()?.0, text),
            false => masm::evaluate_prefix(session, text)?,
        };
        let range_error = || Error::Range(format!("{} {text}", args.name));
        let (end, rest) = match rest.strip_prefix(['L', 'l']) {
            Some(count) => {
                let count = count.trim_start().trim_start_matches('?');
                let (count, rest) = masm::evaluate_prefix(session, count)?;
                if count == 0 || count > 1 << 20 {
                    return Err(range_error());
                }
                (End::Count(count), rest)
            }
            None if rest.is_empty() => (End::Count(COUNT), rest),
            None => {
                let (end, rest) = masm::evaluate_prefix(session, rest)?;
                if end < start || end - start > 1 << 24 {
                    return Err(range_error());
                }
                (End::At(Virt(end)), rest)
            }
        };
        match rest.trim().is_empty() {
            true => Ok(Request {
                start: Virt(start),
                end,
            }),
            false => Err(Error::Syntax(format!("Extra character error in '{rest}'"))),
        }
    }
}

/// A line, under the name of what begins there.
fn show_one(
    kernel: &Kernel,
    instruction: Instruction,
    is_first: bool,
    out: &mut dyn Sink,
) -> Result<()> {
    if let Some(label) = label(kernel, instruction.address, is_first) {
        out.text(&label)?;
    }
    out.row(&InstructionRow::new(kernel, instruction, ""))
}

/// kd names the first address, and each that begins a symbol.
fn label(kernel: &Kernel, at: Virt, is_first: bool) -> Option<String> {
    let near = kernel.nearest(at)?;
    let begins = near.offset == 0 && near.symbol.is_some();
    (is_first || begins).then(|| format!("{near}:"))
}

fn show(kernel: &Kernel, lines: &[Instruction], out: &mut dyn Sink) -> Result<()> {
    for (number, line) in lines.iter().enumerate() {
        show_one(kernel, *line, number == 0, out)?;
    }
    Ok(())
}

fn forwards(
    session: &mut Session,
    kernel: &Kernel,
    request: &Request,
    out: &mut dyn Sink,
) -> Result<()> {
    let mut at = request.start;
    let mut shown = 0;
    loop {
        let goes_on = match request.end {
            End::Count(count) => shown < count,
            End::At(last) => at <= last,
        };
        if !goes_on {
            return Ok(());
        }
        check(&session.control.stop)?;
        let instruction = match kernel.instruction_at(at) {
            Ok(instruction) => instruction,
            Err(why) => {
                if shown == 0
                    && let Some(label) = label(kernel, at, true)
                {
                    out.text(&label)?;
                }
                out.text(&unreadable(at))?;
                session.display.next_code = Some(at);
                return Err(why);
            }
        };
        let next = instruction.end();
        show_one(kernel, instruction, shown == 0, out)?;
        if next <= at {
            return Ok(());
        }
        at = next;
        shown += 1;
        session.display.next_code = Some(at);
    }
}

/// The instructions before `end`.
fn backwards(kernel: &Kernel, end: Virt, count: u64) -> Vec<Instruction> {
    let run = |start: Virt| -> Option<Vec<Instruction>> {
        let mut lines = Vec::new();
        let mut at = start;
        while at < end {
            let line = kernel.instruction_at(at).ok()?;
            at = line.end();
            lines.push(line);
        }
        (at == end && !lines.is_empty()).then_some(lines)
    };
    let last = |mut lines: Vec<Instruction>| {
        let keep = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(lines.len());
        lines.split_off(lines.len() - keep)
    };
    // From the function's beginning, where that is known: nothing is guessed then.
    if let Some(start) = function_start(kernel, end)
        && end - start < 1 << 16
        && let Some(lines) = run(start)
    {
        return last(lines);
    }
    // Instructions fall into step soon: the run from far enough away is right more often than not.
    let reach = count.saturating_mul(15).min(0x1000);
    let valid = |lines: &Vec<Instruction>| !lines.iter().any(Instruction::is_invalid);
    (1..=reach)
        .rev()
        .filter_map(|back| run(end - back).filter(valid))
        .find(|lines| lines.len() as u64 >= count)
        .or_else(|| {
            (1..=reach)
                .rev()
                .find_map(|back| run(end - back).filter(valid))
        })
        .map(last)
        .unwrap_or_default()
}

/// The start of the piece of a function that an address before `end` is in.
fn function_start(kernel: &Kernel, end: Virt) -> Option<Virt> {
    let inside = end - 1;
    let module = kernel.module_at(inside)?;
    match kernel.function_entry(module, inside) {
        Ok(Some(entry)) => Some(module.base + entry.begin),
        _ => {
            let near = kernel.nearest(inside)?;
            near.symbol.map(|_| inside - near.offset)
        }
    }
}

fn whole_function(
    session: &mut Session,
    kernel: &Kernel,
    at: Virt,
    out: &mut dyn Sink,
) -> Result<()> {
    let module = kernel.module_at(at);
    let entry = module
        .and_then(|module| entry_of(kernel, module, at))
        .unwrap_or(at);
    let belongs = |to: Virt| match module {
        Some(module) => match entry_of(kernel, module, to) {
            Some(start) => start == entry,
            // No function table knows it: a symbol of its own makes it a function of its own.
            None => {
                to == entry
                    || kernel
                        .nearest(to)
                        .is_some_and(|near| near.symbol.is_none() || near.offset != 0)
            }
        },
        None => true,
    };
    let fetch = |at: Virt| match session
        .control
        .stop
        .load(std::sync::atomic::Ordering::Relaxed)
    {
        true => None,
        false => kernel.instruction_at(at).ok(),
    };
    let function = Function::trace(entry, &fetch, &belongs);
    check(&session.control.stop)?;
    if function.instructions.is_empty() {
        return Err(match kernel.instruction_at(entry) {
            Err(why) => Error::Refused {
                text: "No code found, aborting".into(),
                why: Box::new(why),
            },
            Ok(_) => Error::Syntax("No code found, aborting".into()),
        });
    }
    if !function.indirect.is_empty() || !function.missing.is_empty() {
        out.text("Flow analysis was incomplete, some code may be missing")?;
    }
    let mut previous = None;
    for (at, instruction) in &function.instructions {
        check(&session.control.stop)?;
        if function.begins_block(previous, *at) {
            if previous.is_some() {
                out.text("")?;
            }
            if let Some(label) = label(kernel, *at, true) {
                out.text(&label)?;
            }
        }
        let suffix = match instruction.flow {
            Flow::Jump(to) | Flow::Branch(to) if function.leaders.contains(&to) => "  Branch",
            _ => "",
        };
        previous = Some(instruction.end());
        out.row(&InstructionRow::new(kernel, *instruction, suffix))?;
    }
    for at in &function.indirect {
        out.note(&format!("where the jump at {at} leads is decided when it is taken: a table of cases, or a call in tail position"))?;
    }
    for at in &function.missing {
        if let Err(why) = kernel.instruction_at(*at) {
            out.note(&format!("the code at {at}: {why}"))?;
        }
    }
    Ok(())
}

/// Where the function begins that an address belongs to, by the function table of its module.
fn entry_of(kernel: &Kernel, module: &Module, at: Virt) -> Option<Virt> {
    let piece = kernel.function_entry(module, at).ok().flatten()?;
    let first = kernel.first_piece(module, piece).unwrap_or(piece);
    Some(module.base + first.begin)
}
