//! Who allocates under a tag: the drivers of a dump, judged by their code.
//!
//! [`inquire`] answers for one tag or for all at once. It reads the code of the modules (`analysis::tags`), and weighs what
//! was found there against the counters: a site that allocates paged pool cannot explain a leak of nonpaged pool. Every
//! driver that is proven to use the tag is named, never one picked from several, and "nobody" is said only together with how
//! much was seen.
//!
//! | file | idea |
//! |---|---|
//! | `presence` | how much of a module's code there is |
//! | `readings` | modules read for tags: from the dump, from their files, or from a tag database |
//! | `exports` | the names of imported functions, whose names are gone |
//! | `gate` | which modules hold the bytes of a tag at all |
//! | `suspect` | a driver and what speaks for and against it |
//! | `blocks` | how many blocks the tag has and how large they are, by all books |
//! | `fit` | whether a driver's sites make such blocks |
//! | `judge` | all of that for one tag |
//! | `mentions` | tags in code and data that reach no call |
//! | `framework` | the tag that the driver framework gives to a driver without one |
//! | `agents` | who allocates for others |
//! | `gone` | drivers that were unloaded |
//! | `account`, `unread` | how much was seen, and why not more |

mod account;
mod agents;
mod blocks;
mod exports;
mod fit;
mod framework;
mod gate;
mod gone;
mod judge;
mod mentions;
mod presence;
mod readings;
mod suspect;
mod unread;

pub use account::Account;
pub use agents::{Importers, service};
pub use blocks::{Blocks, Sizes};
pub use framework::{Framework, default_tag};
pub use gone::Gone;
pub use judge::{Answer, Outcome};
pub use presence::Presence;
pub use readings::{Origin, Reading, Readings};
pub use suspect::{Claim, Confidence, Explains, Instruction, Role, Suspect};
pub use unread::Unread;

use crate::Kernel;
use crate::pool::{Tag, TagUse};
use rayon::prelude::*;
use rkd_dump::error::Result;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// So many tags are looked for by their bytes first, to read only the modules that hold one of them. With more tags there is
/// hardly a driver that holds none.
const GATED: usize = 16;

/// A tag to be asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The tag.
    pub tag: Tag,
    /// What it holds, where the dump says so.
    pub held: Option<TagUse>,
}

/// How to look.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Read every module, also those that do not hold the bytes of a tag: code can put a tag together.
    pub thorough: bool,
    /// List places where the bytes of a tag stand without reaching a call, which prove nothing.
    pub mentions: bool,
    /// Set from elsewhere to end the search early; what was found is kept.
    pub stop: Arc<AtomicBool>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// One answer a question, in the order of the questions.
    pub answers: Vec<Answer>,
    /// How much of the modules was seen.
    pub account: Account,
    /// Whether it was ended early.
    pub stopped: bool,
}

/// Told how many modules of how many are read; an error ends the search.
pub type Progress<'a> = dyn FnMut(u64, u64) -> Result<()> + 'a;

/// Looks for the owners of the tags.
///
/// # Errors
/// Those of `progress`, other than [`Error::Stopped`](rkd_dump::error::Error::Stopped), which ends the search with what was found.
pub fn inquire(
    kernel: &Kernel,
    readings: &Readings,
    questions: &[Question],
    search: &Search,
    progress: &mut Progress<'_>,
) -> Result<Inquiry> {
    let everybody: Vec<usize> = (0..kernel.modules().len()).collect();
    let closely = questions.len() <= GATED;
    let gate = match closely {
        true => gate::gate(kernel, readings, questions, &search.stop)?,
        false => gate::Gate::default(),
    };
    // What is allocated without a tag has no bytes to be found by.
    let gated = closely && !search.thorough && !questions.iter().any(judge::is_untagged);
    let first = if gated { &gate.modules } else { &everybody };
    let mut stopped = gate.stopped;
    stopped |= readings.read(kernel, first, &search.stop, progress)?;
    let judge_all = || -> Vec<Answer> {
        let one = |(number, question): (usize, &Question)| {
            let hits = gate.hits.iter().filter(|hit| hit.question == number);
            let hits: Vec<&gate::Hit> = hits.collect();
            judge::judge(kernel, readings, question, &hits, search, closely)
        };
        questions.par_iter().enumerate().map(one).collect()
    };
    let mut answers = judge_all();
    // "Nobody" is an answer about all modules.
    if gated && !stopped && answers.iter().any(|answer| !answer.is_proven()) {
        stopped |= readings.read(kernel, &everybody, &search.stop, progress)?;
        answers = judge_all();
    }
    Ok(Inquiry {
        answers,
        account: Account::of(kernel, readings),
        stopped,
    })
}
