//! What the dump tells about the crash: where it happened, in which process, by which calls, and who is to blame.

use crate::commands::registers::CurrentInstruction;
use crate::commands::stack::{Call, Columns, remarks, site};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::Kernel;
use rkd_kernel::bugcheck::{
    ACCESS_VIOLATION, Access, Clue, Lead, clues, exception_access, touched,
};
use rkd_kernel::context::Context;
use rkd_kernel::processes::process_at;
use rkd_kernel::stack::{Frame, Stack};

/// Calls that are shown at the most: kd shows a whole stack, but not one that has overflowed.
const MAX_FRAMES: usize = 64;

/// Modules that stand on a stack because they serve all others, by kd's names.
const SERVANTS: [&str; 4] = ["nt", "hal", "VerifierExt", "Wdf01000"];

/// An exception record (`EXCEPTION_RECORD64`).
pub(super) struct Exception {
    /// Where it lies.
    pub at: Virt,
    /// The exception code.
    pub code: u32,
    /// Its flags.
    pub flags: u32,
    /// The instruction.
    pub address: Virt,
    /// Its parameters.
    pub parameters: Vec<u64>,
}

impl Exception {
    /// At most fifteen parameters fit (winnt.h).
    const PARAMETERS: u32 = 15;

    fn read(kernel: &Kernel, at: Virt) -> Result<Exception> {
        let space = kernel.space();
        let count = space.read_u32(at + 0x18)?.min(Exception::PARAMETERS);
        let parameters = (0..u64::from(count)).map(|n| space.read_u64(at + 0x20 + n * 8));
        Ok(Exception {
            at,
            code: space.read_u32(at)?,
            flags: space.read_u32(at + 4)?,
            address: space.read_virt(at + 0x10)?,
            parameters: parameters.collect::<std::result::Result<_, _>>()?,
        })
    }

    /// What was done to which address, for an access violation.
    pub(super) fn access(&self) -> Option<(Access, Virt)> {
        match (self.code, self.parameters.as_slice()) {
            (ACCESS_VIOLATION, [how, at, ..]) => Some((exception_access(*how), Virt(*at))),
            _ => None,
        }
    }
}

/// Who is to blame.
pub(super) struct Culprit {
    /// The instruction.
    pub at: Virt,
    /// kd's name of the module.
    pub module: String,
    /// Its file's name.
    pub image: String,
    /// The instruction by its symbol: `kbdhid+1020`, as kd writes it here, without `0x`.
    pub symbol: String,
    /// What it is concluded from.
    pub because: &'static str,
}

/// What the dump tells about the crash.
pub(super) struct Crash {
    /// The exception, if the bug check has one.
    pub exception: Option<Exception>,
    /// The context record that the bug check names, and what it says.
    pub context: Option<(Virt, CurrentInstruction, Context)>,
    /// Memory that was touched.
    pub touched: Option<(Virt, Access)>,
    /// The process that ran.
    pub process: Result<String, String>,
    /// The lines of the stack, as kd shows them here.
    pub stack: Vec<String>,
    /// The calls, for rows.
    pub sites: Vec<(Virt, String)>,
    /// Who is to blame; `None` when nothing tells.
    pub culprit: Option<Culprit>,
    /// What is missing, and why.
    pub notes: Vec<String>,
}

impl Crash {
    /// Collects it.
    pub(super) fn of(kernel: &Kernel, processor: u32, code: u32, arguments: [u64; 4]) -> Crash {
        let clues = clues(code, arguments);
        let at = |lead| {
            clues
                .iter()
                .find(|clue| clue.lead == lead)
                .map(|clue| clue.at)
        };
        let mut notes = Vec::new();
        let exception = at(Lead::Exception).and_then(|at| {
            Exception::read(kernel, at)
                .map_err(|why| notes.push(format!("the exception record: {why}")))
                .ok()
        });
        let context = at(Lead::Context).and_then(|at| {
            kernel
                .context_at(at)
                .map_err(|why| notes.push(format!("the context record: {why}")))
                .ok()
                .map(|context| {
                    (
                        at,
                        CurrentInstruction::of(kernel, processor, &context),
                        context,
                    )
                })
        });
        let registers = match &context {
            Some((_, _, context)) => Ok(context.unwind_registers()),
            None => kernel
                .context(processor)
                .map(|context| context.unwind_registers()),
        };
        let stack = match registers {
            Ok(registers) => kernel.stack(registers, MAX_FRAMES),
            Err(why) => Stack {
                frames: Vec::new(),
                stopped: Some(why),
            },
        };
        notes.extend(remarks(&stack));
        let line = |frame: &Frame| {
            Call::new(0, frame, site(kernel, frame.at), Columns::Verbose).unnumbered()
        };
        let process = kernel
            .current_process(processor)
            .and_then(|at| process_at(kernel, at))
            .map(|process| process.image)
            .map_err(|why| why.to_string());
        let touched = touched(code, arguments)
            .or_else(|| exception.as_ref()?.access().map(|(how, at)| (at, how)));
        Crash {
            culprit: culprit(kernel, &clues, exception.as_ref(), &stack),
            sites: stack
                .frames
                .iter()
                .map(|frame| (frame.at, site(kernel, frame.at)))
                .collect(),
            stack: stack.frames.iter().map(line).collect(),
            exception,
            context,
            touched,
            process,
            notes,
        }
    }
}

fn culprit(
    kernel: &Kernel,
    clues: &[Clue],
    exception: Option<&Exception>,
    stack: &Stack,
) -> Option<Culprit> {
    let is_servant = |at: Virt| {
        kernel.module_at(at).is_none_or(|module| {
            SERVANTS
                .iter()
                .any(|name| module.name.eq_ignore_ascii_case(name))
        })
    };
    let named = clues
        .iter()
        .find(|clue| clue.lead == Lead::Code)
        .map(|clue| clue.at)
        .or(exception.map(|exception| exception.address))
        .filter(|at| !is_servant(*at))
        .map(|at| (at, "the bug check names the instruction"));
    let called = || {
        stack
            .frames
            .iter()
            .map(|frame| frame.at)
            .find(|at| !is_servant(*at))
            .map(|at| {
                (
                    at,
                    "the first call on the stack that is not the kernel's own",
                )
            })
    };
    // Nobody but the kernel: the function that found out, behind those that stop the machine.
    let own = || {
        let stops = |name: &str| name.starts_with("KeBugCheck") || name.starts_with("KiBugCheck");
        stack
            .frames
            .iter()
            .map(|frame| frame.at)
            .find(|at| {
                kernel
                    .nearest(*at)
                    .is_some_and(|near| !near.symbol.is_some_and(stops))
            })
            .map(|at| (at, "only the kernel's own calls are on the stack"))
    };
    let (at, because) = named.or_else(called).or_else(own)?;
    let module = kernel.module_at(at)?;
    Some(Culprit {
        at,
        module: module.name.clone(),
        image: module.image_name.clone(),
        symbol: site(kernel, at).replacen("+0x", "+", 1),
        because,
    })
}
