//! The two streams that a renderer writes to: what was asked for on one, everything else on the other.

use super::paint::Paint;
use super::progress::Progress;
use crate::command::sink::check;
use anstream::{AutoStream, ColorChoice};
use rkd_dump::error::{Error, Result};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How long a line may wait in the buffer when the output goes into a pipe or a file.
const MAX_FLUSH_DELAY: Duration = Duration::from_millis(50);

/// Output and remarks, their colours, and whether somebody still listens.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// The colours of the output.
    pub out_paint: Paint,
    /// The colours of the remarks.
    pub err_paint: Paint,
    /// A person watches the output: every line is shown at once.
    watched: bool,
    flushed: Option<Instant>,
    closed: bool,
    stop: Arc<AtomicBool>,
    progress: Progress,
}

impl Console {
    /// Standard output and standard error. `stop` is the session's flag: when it is set, rows are refused.
    ///
    /// `color` `Auto` asks each stream (is it a terminal?) and the environment (`NO_COLOR`, `CLICOLOR`,
    /// `CLICOLOR_FORCE`, `TERM`).
    pub fn standard(color: ColorChoice, stop: Arc<AtomicBool>) -> Console {
        let (out, err) = (io::stdout(), io::stderr());
        let (watched, err_watched) = (out.is_terminal(), err.is_terminal());
        let resolve = |auto: ColorChoice| {
            if color == ColorChoice::Auto {
                auto
            } else {
                color
            }
        };
        let out_color = resolve(AutoStream::choice(&out));
        let err_color = resolve(AutoStream::choice(&err));
        // Nothing that we print holds an escape code of its own (see `sanitize`), so there is nothing to strip.
        let plain = |color| color == ColorChoice::Never;
        Console {
            out: if plain(out_color) {
                Box::new(BufWriter::new(out))
            } else {
                Box::new(BufWriter::new(AutoStream::new(out, out_color)))
            },
            err: if plain(err_color) {
                Box::new(err)
            } else {
                Box::new(AutoStream::new(err, err_color))
            },
            out_paint: Paint {
                on: !plain(out_color),
            },
            err_paint: Paint {
                on: !plain(err_color),
            },
            watched,
            flushed: None,
            closed: false,
            stop,
            progress: Progress::new(err_watched),
        }
    }

    /// Two writers without colours: a log file, a test.
    pub fn to(out: impl Write + 'static, err: impl Write + 'static) -> Console {
        Console {
            out: Box::new(out),
            err: Box::new(err),
            out_paint: Paint::default(),
            err_paint: Paint::default(),
            watched: true,
            flushed: None,
            closed: false,
            stop: Arc::default(),
            progress: Progress::default(),
        }
    }

    /// The session's flag, which [`Console::check`] asks.
    pub fn stopped_by(mut self, stop: Arc<AtomicBool>) -> Console {
        self.stop = stop;
        self
    }

    /// [`Error::Stopped`] once Ctrl-C was pressed or the reader has gone: asked before every row, so that even a
    /// command that forgets to ask ends.
    pub fn check(&self) -> Result<()> {
        if self.closed {
            Err(Error::Stopped)
        } else {
            check(&self.stop)
        }
    }

    /// Whether the reader of the output has gone (`| head -1`).
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes to the output, as it is.
    pub fn put(&mut self, text: &str) -> Result<()> {
        let out = &mut self.out;
        let written = self.progress.aside(|| out.write_all(text.as_bytes()));
        self.written(written)
    }

    fn written(&mut self, written: io::Result<()>) -> Result<()> {
        self.heed(written)?;
        // The first row must be seen at once, and the last before a long silence soon.
        if self.watched
            || self
                .flushed
                .is_none_or(|at| at.elapsed() >= MAX_FLUSH_DELAY)
        {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Writes a line to the output.
    pub fn line(&mut self, text: &str) -> Result<()> {
        let out = &mut self.out;
        let written = self.progress.aside(|| {
            out.write_all(text.as_bytes())?;
            out.write_all(b"\n")
        });
        self.written(written)
    }

    /// Writes a line to the remarks, after everything that was put before it.
    pub fn say(&mut self, line: &str) -> Result<()> {
        self.flush()?;
        let err = &mut self.err;
        // Nobody reads the remarks: that is no reason to end.
        let _ = self
            .progress
            .aside(|| writeln!(err, "{line}").and_then(|()| err.flush()));
        Ok(())
    }

    /// Whether a person sees the remarks.
    pub fn remarks_are_watched(&self) -> bool {
        self.progress.is_watched()
    }

    /// Hands everything over.
    pub fn flush(&mut self) -> Result<()> {
        let out = &mut self.out;
        let flushed = self.progress.aside(|| out.flush());
        self.flushed = Some(Instant::now());
        self.heed(flushed)
    }

    /// A command begins.
    pub fn begin(&mut self) {
        self.progress.begin();
        self.flushed = None;
    }

    /// Shows how far a long run has come, `done` of `total` (0 when unknown), in `unit` ("pages", "modules").
    ///
    /// # Errors
    /// When the output takes no more, or Ctrl-C was pressed.
    pub fn progress(&mut self, done: u64, total: u64, unit: &'static str) -> Result<()> {
        self.check()?;
        self.progress.tick(done, total, unit);
        if self
            .flushed
            .is_some_and(|at| at.elapsed() >= MAX_FLUSH_DELAY)
        {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// A command is over.
    pub fn end(&mut self) -> Result<()> {
        self.progress.end();
        self.flush()
    }

    /// Whether a person watches the output.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    fn heed(&mut self, written: io::Result<()>) -> Result<()> {
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Err(Error::Stopped)
            }
            Err(error) => Err(Error::File {
                path: PathBuf::from("standard output"),
                reason: error.to_string(),
            }),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::atomic::Ordering;

    /// A stream that a test can read while a renderer owns it.
    #[derive(Clone, Default)]
    pub(crate) struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Shared {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_stops_the_command() {
        let mut console = Console::to(Gone, Shared::default());
        assert!(console.check().is_ok());
        assert!(matches!(console.put("x\n"), Err(Error::Stopped)));
        assert!(console.is_closed());
        assert!(matches!(console.check(), Err(Error::Stopped)));
    }

    #[test]
    fn a_reader_of_remarks_that_has_gone_stops_nothing() {
        let out = Shared::default();
        let mut console = Console::to(out.clone(), Gone);
        console.say("remark").unwrap();
        console.put("x\n").unwrap();
        assert_eq!(out.text(), "x\n");
    }

    #[test]
    fn the_stop_flag_refuses_rows() {
        let stop = Arc::new(AtomicBool::new(false));
        let console = Console::to(io::sink(), io::sink()).stopped_by(Arc::clone(&stop));
        assert!(console.check().is_ok());
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(console.check(), Err(Error::Stopped)));
    }

    #[test]
    fn into_a_pipe_the_first_line_goes_at_once_and_the_rest_in_pieces() {
        let out = Shared::default();
        let mut console = Console::to(BufWriter::new(out.clone()), io::sink());
        console.watched = false;
        console.begin();
        console.put("first\n").unwrap();
        assert_eq!(out.text(), "first\n");
        console.put("second\n").unwrap();
        assert_eq!(out.text(), "first\n");
        console.end().unwrap();
        assert_eq!(out.text(), "first\nsecond\n");
    }
}
