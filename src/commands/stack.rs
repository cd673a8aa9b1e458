//! The `k` family: the calls on a stack.

mod row;
mod scan;

use crate::command::masm;
use crate::command::{Args, Command, Completes, Example, Grammar, Sink, Topic};
use crate::session::Session;
use rkd_code::Machine;
use rkd_code::unwind::{How, Registers};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_kernel::stack::{self, Stack};
pub use row::{Call, Columns, site};

/// `k`: show the calls on the stack.
pub static COMMAND: Command = Command {
    name: "k",
    aliases: &[
        "kb", "kc", "kn", "kp", "kP", "kv", "kL", "kbL", "kbn", "knL", "kpn", "kvL", "kvn",
    ],
    rhai: "stack",
    topic: Topic::Code,
    summary: "show the calls on the stack",
    // = begins registers here, and is an operator in the expression in front of it.
    grammar: Grammar::own("k[b|c|v] [n] [L] [Count] [= [BasePtr] StackPtr InstructionPtr] | k -scan [Count]", Completes::Symbols),
    help: "\
Shows the calls that led to where the current processor stands (~Ns chooses one), the innermost first: the stack pointer in
each function, the address it returns to, and where it is. kb shows the first four places of the arguments instead of the
stack pointer, kv both and the trap frame of functions that an exception or interrupt entered, kc only the names. n, p and L
are taken and change nothing: frames are always numbered, and the symbols know neither parameters nor source lines.

The callers are found by the unwind data of the images in the dump (.pdata and .xdata), as Windows and kd find them, not by
guessing; on ARM64 by the chain of frame records (fp). Where unwind data is not in the dump (a triage dump has hardly any of
it), the code is followed to the function's end instead, if it is there, and a note says so; otherwise the walk ends and says
why. What is not known is shown as ????????`????????. On x64 functions need not keep their arguments where kb shows them: what
stands there may be something else.

k = StackPtr InstructionPtr begins at other registers. k -scan is rkd's own and not kd's: it shows each number on the stack
that is the address behind a call, oldest calls last. Some of these are left over from calls that have returned long ago, so
it is no proof; it is what is left when unwinding is not possible.",
    examples: &[
        Example { line: "k", shows: "how the practice dump crashed", output: "\
\x20# Child-SP          RetAddr               Call Site
00 ffffa500`00007d38 fffff807`34bf1020     nt!KeBugCheckEx
01 ffffa500`00007d40 fffff807`34bf1039     kbdhid+0x1020
02 ffffa500`00007d70 fffff807`230f5206     kbdhid+0x1039
03 ffffa500`00007da0 fffff807`34bf104a     nt!IofCompleteRequest+0x6
04 ffffa500`00007dd0 00000000`00000000     kbdhid+0x104a" },
        Example { line: "kb 2", shows: "the places of the arguments, of two frames", output: "\
\x20# RetAddr               : Args to Child                                                           : Call Site
00 fffff807`34bf1020     : 00000000`000000e2 00000000`00000000 00000000`00000000 00000000`00000000 : nt!KeBugCheckEx
01 fffff807`34bf1039     : 00000000`00000000 00000000`00000000 00000000`00000000 00000000`00000000 : kbdhid+0x1020" },
        Example { line: "kc", shows: "only the names", output: "\
\x20# Call Site
00 nt!KeBugCheckEx
01 kbdhid+0x1020
02 kbdhid+0x1039
03 nt!IofCompleteRequest+0x6
04 kbdhid+0x104a" },
    ],
    rows: &[Call::SCHEMA, scan::Candidate::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let kernel = session.target.kernel.clone();
    let text = args.text.trim();
    if let Some(count) = text.strip_prefix("-scan") {
        let most = count_of(session, count)?;
        let stack = kernel.context(session.target.processor)?.stack_pointer();
        return scan::run(session, &kernel, stack, most, out);
    }
    let columns = Columns::of(&args.name);
    let (count, start) = match text.split_once('=') {
        Some((count, registers)) => (count, Some(registers)),
        None => (text, None),
    };
    let most = count_of(session, count)?;
    let stack = match start {
        Some(text) => kernel.stack(given_registers(session, text)?, most),
        None => kernel.calls(&kernel.context(session.target.processor)?, most),
    };
    show(&kernel, &stack, columns, out)
}

/// Shows the calls of a stack.
fn show(kernel: &Kernel, stack: &Stack, columns: Columns, out: &mut dyn Sink) -> Result<()> {
    if !stack.frames.is_empty() {
        out.text(columns.heading())?;
    }
    for (number, frame) in stack.frames.iter().enumerate() {
        out.row(&Call::new(number, frame, site(kernel, frame.at), columns))?;
    }
    for note in remarks(stack) {
        out.note(&note)?;
    }
    Ok(())
}

/// What must be said about how calls were found, and why there are no more.
pub fn remarks(stack: &Stack) -> Vec<String> {
    let mut notes = Vec::new();
    let numbers = stack
        .frames
        .iter()
        .enumerate()
        .filter(|(_, frame)| frame.how == Some(How::Code));
    let numbers: Vec<String> = numbers.map(|(number, _)| format!("{number:02x}")).collect();
    if !numbers.is_empty() {
        notes.push(format!(
            "the callers of {} were found by following the code to its end, because the unwind data is not in the dump",
            numbers.join(", ")
        ));
    }
    if stack
        .frames
        .iter()
        .any(|frame| frame.how == Some(How::Chain))
    {
        notes.push("the callers were found by the chain of frame records (fp), because ARM64's unwind data is not read: functions that keep no record are missing, and Child-SP is where the record lies".into());
    }
    if let Some(why) = &stack.stopped {
        notes.push(format!(
            "the stack goes on, but cannot be unwound further: {why}; k -scan shows what looks like return addresses"
        ));
    }
    notes
}

/// How many frames, from text that may hold letters which change nothing.
fn count_of(session: &Session, text: &str) -> Result<usize> {
    let text = text.trim().trim_start_matches(['n', 'L', 'M', 'p']).trim();
    if text.is_empty() {
        return Ok(stack::MAX_FRAMES);
    }
    let count = masm::evaluate(session, text)?;
    match count {
        0 => Err(Error::Range(text.to_string())),
        count => Ok(usize::try_from(count).unwrap_or(stack::MAX_FRAMES)),
    }
}

/// `StackPtr InstructionPtr`, or `BasePtr StackPtr InstructionPtr` as kd has it.
fn given_registers(session: &Session, text: &str) -> Result<Registers> {
    let machine = session.target.kernel.code_machine();
    if machine != Machine::X64 {
        return Err(Error::NotSupported(format!(
            "k = is there for x64 only, and this is {}",
            machine.name()
        )));
    }
    let mut numbers = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (number, after) = masm::evaluate_prefix(session, rest)?;
        numbers.push(number);
        rest = after.trim_start();
    }
    let (rbp, rsp, rip) = match numbers.as_slice() {
        [rsp, rip] => (0, *rsp, *rip),
        [rbp, rsp, rip] => (*rbp, *rsp, *rip),
        _ => {
            return Err(Error::Syntax(format!(
                "k = takes a stack pointer and an instruction pointer, not '{}'",
                text.trim()
            )));
        }
    };
    let mut general = [0; 16];
    general[4] = rsp;
    general[5] = rbp;
    Ok(Registers {
        rip: Virt(rip),
        general,
    })
}
