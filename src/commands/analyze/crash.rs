//! What the dump tells about the crash: where it happened, in which process, by which calls, and who is to blame.

use crate::commands::registers::CurrentInstruction;
use crate::commands::stack::{Call, Columns, remarks, site};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::Kernel;
use rkd_kernel::blame::{Blame, Trail, blame};
use rkd_kernel::bugcheck::{ACCESS_VIOLATION, Access, Lead, clues, exception_access, touched};
use rkd_kernel::context::Context;
use rkd_kernel::stack::{Frame, Stack};

/// Calls that are shown at the most: kd shows a whole stack, but not one that has overflowed.
const MAX_FRAMES: usize = 64;

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
    /// The module, and what it is concluded from.
    pub blame: Blame,
    /// The address by its symbol, `kbdhid+1020`, as kd writes it here, without `0x`; the module's name where no address is known.
    pub symbol: String,
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
    pub process: Result<String>,
    /// The lines of the stack, as kd shows them here.
    pub stack: Vec<String>,
    /// The calls, for rows.
    pub sites: Vec<(Virt, String)>,
    /// Who is to blame; `None` when nothing tells.
    pub culprit: Option<Culprit>,
    /// What was passed on the way there.
    pub trail: Trail,
    /// The thread that ran.
    pub thread: Result<Virt>,
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
            Some((_, _, context)) => Ok(context.clone()),
            None => kernel.context(processor),
        };
        let stack = match registers {
            Ok(context) => kernel.calls(&context, MAX_FRAMES),
            Err(why) => Stack {
                frames: Vec::new(),
                stopped: Some(why),
            },
        };
        notes.extend(remarks(&stack));
        let line = |frame: &Frame| {
            Call::new(0, frame, site(kernel, frame.at), Columns::Verbose).unnumbered()
        };
        let address = exception.as_ref().map(|exception| exception.address);
        let (blame, trail) = blame(kernel, &clues, address, &stack);
        notes.extend(trail.lost.iter().cloned());
        let touched = touched(code, arguments)
            .or_else(|| exception.as_ref()?.access().map(|(how, at)| (at, how)));
        Crash {
            culprit: blame.map(|blame| Culprit {
                symbol: symbol(kernel, &blame),
                blame,
            }),
            trail,
            thread: kernel.current_thread(processor),
            process: kernel.current_process_name(processor),
            sites: stack
                .frames
                .iter()
                .map(|frame| (frame.at, site(kernel, frame.at)))
                .collect(),
            stack: stack.frames.iter().map(line).collect(),
            exception,
            context,
            touched,
            notes,
        }
    }
}

/// kd's way to write where the blame falls.
fn symbol(kernel: &Kernel, blame: &Blame) -> String {
    match blame.at {
        None => blame.module.clone(),
        Some(at) if kernel.module_at(at).is_some() => site(kernel, at).replacen("+0x", "+", 1),
        Some(at) => {
            let gone = kernel
                .unloaded()
                .iter()
                .find(|gone| gone.start <= at && at < gone.end);
            match gone {
                Some(gone) => format!("{}+{:x}", blame.module, at - gone.start),
                None => site(kernel, at),
            }
        }
    }
}
