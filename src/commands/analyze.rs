//! `!analyze`: why Windows stopped, in words, and who is to blame as far as the dump tells.

mod crash;
mod report;

use crate::command::signature::{Flag, Item, Kind};
use crate::command::{Args, Command, Example, Grammar, Sink, Topic};
use crate::session::Session;
use crash::Crash;
use report::{Meaning, Report};
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_kernel::bugcheck::maker;
use rkd_kernel::pool::tracker::{TagUse, tracker};

/// The arguments of a bug check, as the usage line names them.
const ARGUMENTS: [&str; 4] = ["Arg1", "Arg2", "Arg3", "Arg4"];

/// `!analyze`: the bug check in words, and what is to blame.
pub static COMMAND: Command = Command {
    name: "!analyze",
    aliases: &[],
    rhai: "analyze",
    topic: Topic::Target,
    summary: "the bug check in words, and what is to blame",
    grammar: Grammar::of(&[
        Item::OneOf(&[
            Flag::new("-v", "what that is concluded from, too: the exception, the process, the stack"),
            Flag::new("-show", "only explains a bug check, this dump's or one that is given"),
        ]),
        Item::optional("Code", Kind::Hex, "behind -show, in hexadecimal digits as its arguments"),
        Item::optional(ARGUMENTS[0], Kind::Hex, ""),
        Item::optional(ARGUMENTS[1], Kind::Hex, ""),
        Item::optional(ARGUMENTS[2], Kind::Hex, ""),
        Item::optional(ARGUMENTS[3], Kind::Hex, ""),
    ]),
    help: "\
Says what the bug check means and what its arguments are, and which module is most likely to blame.

The module is found like this, and only like this: what the bug check's arguments lead to (an instruction, a request, a device
or driver object, a name), if it is not the kernel; else the driver that Windows noted in the dump; else the instruction of the
exception; else the first call on the stack that is not the kernel's own. Where the calls cannot be followed out of the kernel,
the next address on the stack that can be a return address is taken, which may be left over from a call that has ended. The
kernel itself is named only where nothing leads to another. The field because of --json says which of these it was.

A driver that damages memory is rarely the one that stumbles over it, and a crash that somebody asked for (E2) blames whoever
ran by chance. kd knows hundreds of special cases and Microsoft's database of failures; rkd does not, and makes no
FAILURE_BUCKET_ID. The descriptions are rkd's own words.

When the pool looks leaked, a note says which tag holds it.",
    examples: &[
        Example { line: "!analyze", shows: "the short form", output: "\
*******************************************************************************
*                                                                             *
*                        Bugcheck Analysis                                    *
*                                                                             *
*******************************************************************************

Use !analyze -v to get detailed debugging information.

BugCheck E2, {0, 0, 0, 0}

Probably caused by : kbdhid.sys ( kbdhid+1020 )

Followup:     MachineOwner
---------
" },
        Example { line: "!analyze -v", shows: "with everything that it is concluded from", output: "\
*******************************************************************************
*                                                                             *
*                        Bugcheck Analysis                                    *
*                                                                             *
*******************************************************************************

MANUALLY_INITIATED_CRASH (e2)
Somebody stopped the machine on purpose, by the keyboard or a debugger. What
was running has nothing to do with it.
Arguments:
Arg1: 0000000000000000, not used
Arg2: 0000000000000000, not used
Arg3: 0000000000000000, not used
Arg4: 0000000000000000, not used

Debugging Details:
------------------


BUGCHECK_CODE:  e2

BUGCHECK_P1: 0

BUGCHECK_P2: 0

BUGCHECK_P3: 0

BUGCHECK_P4: 0

PROCESS_NAME:  System

STACK_TEXT:  
ffffa500`00007d38 fffff807`34bf1020     : 00000000`000000e2 00000000`00000000 00000000`00000000 00000000`00000000 : nt!KeBugCheckEx
ffffa500`00007d40 fffff807`34bf1039     : 00000000`00000000 00000000`00000000 00000000`00000000 00000000`00000000 : kbdhid+0x1020
ffffa500`00007d70 fffff807`230f5206     : 00000000`00000000 00000000`00000000 00000000`00000000 00000000`00000000 : kbdhid+0x1039
ffffa500`00007da0 fffff807`34bf104a     : 00000000`00000000 00000000`00000000 00000000`00000000 00000000`00000000 : nt!IofCompleteRequest+0x6
ffffa500`00007dd0 00000000`00000000     : 00000000`00000000 00000000`00000000 00000000`00000000 00000000`00000000 : kbdhid+0x104a


SYMBOL_NAME:  kbdhid+1020

MODULE_NAME: kbdhid

IMAGE_NAME:  kbdhid.sys

Followup:     MachineOwner
---------
" },
        Example { line: "!analyze -show D1", shows: "what a bug check means", output: "\
DRIVER_IRQL_NOT_LESS_OR_EQUAL (d1)
A driver touched memory that is paged out or was never there while the IRQL was
DISPATCH_LEVEL or above.
Arguments:
Arg1: 0000000000000000, address that was touched
Arg2: 0000000000000000, IRQL at that time
Arg3: 0000000000000000, kind of access: 0 read, 1 write, 2 or 8 execute
Arg4: 0000000000000000, address of the instruction that touched it" },
    ],
    rows: &[Report::SCHEMA, Meaning::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let kernel = session.target.kernel.clone();
    let crash = kernel.dump().crash();
    let (code, arguments) = crash.map_or((0, [0; 4]), |crash| (crash.code, crash.parameters));
    if args.has("show") {
        return explain(args, (code, arguments), out);
    }
    if let Some(code) = args.number("Code") {
        return Err(COMMAND.misuse(&format!("!analyze knows -v and -show, not '{code:x}'")));
    }
    kernel.crash()?;
    if let Some(maker) = maker(code) {
        return Err(Error::NotInDump(format!(
            "There is nothing to analyze: {maker} took the dump of a running system, and wrote a mark of its own in place of a bug check code."
        )));
    }
    if code == 0 {
        return Err(Error::NotInDump(
            "There is nothing to analyze: the dump was taken of a running system, without a bug check.".into(),
        ));
    }
    let crash = Crash::of(&kernel, session.target.processor, code, arguments);
    let meaning = Meaning::of(code, arguments);
    out.row(&Report::new(meaning, &crash, args.has("v")))?;
    for note in &crash.notes {
        out.note(note)?;
    }
    if let Some(note) = pool_note(&kernel) {
        out.note(&note)?;
    }
    Ok(())
}

/// Explains a bug check, the dump's own when none is given.
fn explain(args: &Args, own: (u32, [u64; 4]), out: &mut dyn Sink) -> Result<()> {
    let (code, arguments) = match args.number("Code") {
        None => own,
        Some(code) => {
            let arguments = ARGUMENTS.map(|name| args.number(name).unwrap_or(0));
            let code = u32::try_from(code).map_err(|_| {
                Error::Syntax(format!("{code:x} is no bug check code: those have 32 bits"))
            })?;
            (code, arguments)
        }
    };
    out.row(&Meaning::of(code, arguments))
}

/// Whether one tag holds so much of a pool that it must be leaked: half of a pool of a gibibyte or more. Lesser leaks are for
/// those who look for them.
fn pool_note(kernel: &Kernel) -> Option<String> {
    const LARGE: u64 = 1 << 30;
    let tags = tracker(kernel).ok()?.tags;
    [false, true].into_iter().find_map(|is_paged| {
        let bytes = |tag: &TagUse| match is_paged {
            true => tag.paged.bytes,
            false => tag.nonpaged.bytes,
        };
        let name = if is_paged { "paged" } else { "nonpaged" };
        let all: u64 = tags.iter().map(bytes).fold(0, u64::saturating_add);
        let worst = tags.iter().max_by_key(|tag| bytes(tag))?;
        let held = bytes(worst);
        (all >= LARGE && held >= all / 2).then(|| {
            format!(
                "the {name} pool is abnormal, whatever stopped Windows: tag {} holds {} of its {} MiB; !poolused 2 and 4 list the tags, !poolowner {} names the driver",
                worst.tag,
                held >> 20,
                all >> 20,
                worst.tag
            )
        })
    })
}
