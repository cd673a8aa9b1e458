//! Between the script and the session. A script runs on a thread of its own, with a stack that is large enough for it;
//! the session and the screen stay with the thread that owns them, and the script asks that thread for what it needs.
//!
//! ```text
//!  owner of the session                      the script
//!  --------------------                      ----------
//!  run()  ── starts ──────────────────────>  print("x")      post: goes on at once
//!         <──────────── job ───────────────
//!  out.text("x")
//!         <──────────── job ───────────────  lm()            ask: waits for the rows
//!  command::run_line(session, "lm", ..)
//!         ───────────── answer ───────────>
//! ```
//!
//! So nothing is lent for longer than it may be, no lock is held while a command runs, and memory is read by the
//! script's own thread, because an address space can be shared.

use super::addr::Answer;
use super::failure::Failure;
use super::queue::{CloseAtEnd, Queue};
use super::registry::{Entry, fail, stopped};
use super::sources::Sources;
use crate::command::{Row, Sink};
use crate::session::Session;
use rkd_dump::error::{Error, Result};
use rkd_dump::memory::AddressSpace;
use rkd_kernel::Kernel;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

/// The script's stack. Rhai recurses on it, several kilobytes for each function of the script that calls another;
/// the main thread of Windows has one megabyte in all. Only what is used is ever touched.
const STACK_BYTES: usize = 256 << 20;

/// Something for the owner of the session to do.
enum Job {
    /// A line for the output: what most jobs are.
    Text(String),
    /// Anything else.
    Other(Box<Work>),
}

type Work = dyn FnOnce(&mut Session, &mut dyn Sink) -> Result<()> + Send;

impl Job {
    fn run(self, session: &mut Session, sink: &mut dyn Sink) -> Result<()> {
        match self {
            Job::Text(text) => sink.text(&text),
            Job::Other(job) => job(session, sink),
        }
    }
}

/// What all native functions share.
#[derive(Default)]
pub(super) struct Host {
    link: Mutex<Option<Link>>,
    /// The texts that are running.
    pub sources: Sources,
    /// What can be called, to help with what cannot.
    pub entries: OnceLock<Vec<Entry>>,
}

/// The connection with the owner of the session, while a script runs.
struct Link {
    jobs: Arc<Queue<Job>>,
    /// The session's flag: Ctrl-C.
    stop: Arc<AtomicBool>,
    /// The output took no more.
    closed: Arc<AtomicBool>,
    /// What the session looks at.
    kernel: Arc<Kernel>,
    /// The remarks that were made: a loop of commands makes each of them once.
    noted: BTreeSet<String>,
}

impl Host {
    /// Runs `script` on a thread of its own and serves it until it ends.
    pub(super) fn run<T: Send>(
        &self,
        session: &mut Session,
        sink: &mut dyn Sink,
        script: impl FnOnce() -> T + Send,
    ) -> Result<T, Failure> {
        let jobs = Arc::new(Queue::new());
        let closed = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&session.control.stop);
        *self.link() = Some(Link {
            jobs: Arc::clone(&jobs),
            stop,
            closed: Arc::clone(&closed),
            kernel: Arc::clone(&session.target.kernel),
            noted: BTreeSet::new(),
        });
        let (outcome, served) = thread::scope(|scope| {
            let worker = thread::Builder::new()
                .name("script".into())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || {
                    // The last in, the first out: whoever sees the line closed finds the link gone.
                    let _close = CloseAtEnd(&jobs);
                    let _end = Unlink(self);
                    script()
                });
            match worker {
                Ok(worker) => {
                    let served = serve(&jobs, session, sink, &closed);
                    (worker.join().map_err(|_| broken()), served)
                }
                Err(why) => {
                    *self.link() = None;
                    (
                        Err(Failure::Outside(Error::Failed(format!(
                            "cannot start the script: {why}"
                        )))),
                        Ok(()),
                    )
                }
            }
        });
        served?;
        outcome
    }

    /// Has the owner do something, and waits for its answer.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Session, &mut dyn Sink) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let (reply, answer) = sync_channel(1);
        let job = Job::Other(Box::new(move |session, sink| {
            // Nobody waits any more only when the script has ended.
            let _ = reply.send(job(session, sink));
            Ok(())
        }));
        self.hand_over(job, true)?;
        match answer.recv() {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(refused(error)),
            Err(_) => Err(stopped()),
        }
    }

    /// Has the owner do something, and goes on.
    pub(super) fn post(
        &self,
        job: impl FnOnce(&mut Session, &mut dyn Sink) -> Result<()> + Send + 'static,
    ) -> Answer<()> {
        self.hand_over(Job::Other(Box::new(job)), false)
    }

    fn hand_over(&self, job: Job, urgent: bool) -> Answer<()> {
        let jobs = match &*self.link() {
            Some(link) if !link.closed.load(Ordering::Relaxed) => Arc::clone(&link.jobs),
            _ => return Err(stopped()),
        };
        match jobs.add(job, urgent) {
            true => Ok(()),
            false => Err(stopped()),
        }
    }

    /// Hands a row to the output.
    pub(super) fn row(&self, row: impl Row + Send + 'static) -> Answer<()> {
        self.post(move |_, out| out.row(&row))
    }

    /// Hands text to the output.
    pub(super) fn text(&self, text: String) -> Answer<()> {
        self.hand_over(Job::Text(text), false)
    }

    /// Hands a remark to the output, unless this run made it before.
    pub(super) fn note(&self, note: String) -> Answer<()> {
        let is_new = self
            .link()
            .as_mut()
            .is_none_or(|link| link.noted.insert(note.clone()));
        if is_new {
            self.post(move |_, out| out.note(&note))
        } else {
            Ok(())
        }
    }

    /// What the session looks at. The script's own thread reads it: no question, no wait.
    pub(super) fn kernel(&self) -> Answer<Arc<Kernel>> {
        self.link()
            .as_ref()
            .map(|link| Arc::clone(&link.kernel))
            .ok_or_else(stopped)
    }

    /// The session looks at something else from now on.
    pub(super) fn look_at(&self, kernel: Arc<Kernel>) {
        if let Some(link) = &mut *self.link() {
            link.kernel = kernel;
        }
    }

    /// The kernel's memory.
    pub(super) fn space(&self) -> Answer<AddressSpace> {
        Ok(self.kernel()?.space().clone())
    }

    /// The flag that Ctrl-C sets, for work that looks at it itself.
    pub(super) fn stop_flag(&self) -> Arc<AtomicBool> {
        self.link()
            .as_ref()
            .map(|link| Arc::clone(&link.stop))
            .unwrap_or_default()
    }

    /// Whether the script is to end: Ctrl-C, or an output that takes no more.
    pub(super) fn is_stopped(&self) -> bool {
        self.link().as_ref().is_none_or(|link| {
            link.stop.load(Ordering::Relaxed) || link.closed.load(Ordering::Relaxed)
        })
    }

    /// All descriptions.
    pub(super) fn known(&self) -> &[Entry] {
        self.entries.get().map_or(&[], Vec::as_slice)
    }

    /// How a function of this name is written.
    pub(super) fn usages(&self, name: &str) -> Vec<&str> {
        self.known()
            .iter()
            .filter(|entry| entry.name() == name)
            .map(|entry| entry.usage.as_str())
            .collect()
    }

    /// How the function is written whose name is most like `name`, when one is like enough to be a slip of the finger.
    pub(super) fn similar(&self, name: &str) -> Option<&str> {
        let near = self
            .known()
            .iter()
            .map(|entry| (strsim::damerau_levenshtein(entry.name(), name), entry));
        near.filter(|(distance, entry)| *distance * 3 <= entry.name().len())
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, entry)| entry.usage.as_str())
    }

    fn link(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does the jobs in their order until the script hangs up. After a failed output the rest is dropped, and with it the
/// script's hope of an answer.
fn serve(
    jobs: &Queue<Job>,
    session: &mut Session,
    sink: &mut dyn Sink,
    closed: &AtomicBool,
) -> Result<()> {
    let mut served = Ok(());
    // A script can run commands, and some commands open files.
    let may_touch_files = session.permissions.files;
    session.permissions.files &= session.permissions.files_for_scripts;
    // Should a job panic, the script does not wait for ever.
    let _close = CloseAtEnd(jobs);
    while let Some(jobs) = jobs.take() {
        for job in jobs {
            if served.is_ok() {
                served = job.run(session, sink);
                closed.store(served.is_err(), Ordering::Relaxed);
            }
        }
    }
    session.permissions.files = may_touch_files;
    served
}

/// Cuts the connection when the script's thread ends, however it ends.
struct Unlink<'h>(&'h Host);

impl Drop for Unlink<'_> {
    fn drop(&mut self) {
        *self.0.link() = None;
    }
}

/// An error of ours as one of Rhai's: a script can catch it, unless it is the end.
pub(super) fn refused(error: impl Into<Error>) -> Box<rhai::EvalAltResult> {
    match error.into() {
        Error::Stopped => stopped(),
        error => fail(error.to_string()),
    }
}

/// The script's thread panicked: a defect of ours or of Rhai. The session is whole, since it was never there.
fn broken() -> Failure {
    Failure::Outside(Error::Failed(
        "the script engine failed; the session goes on".into(),
    ))
}
