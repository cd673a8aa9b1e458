//! One request to a server. The work is done in a thread of its own, so that Ctrl-C and the time limits hold whatever the
//! network, the system's name service or the server do; a thread that is left behind ends by limits of its own.

use super::{Check, Failure, Limits};
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver as Events, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Error, Timeout};

/// How often Ctrl-C is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Bytes that are handed over at once.
const READ_BYTES: usize = 64 << 10;

/// Bytes that are waited for before the content is looked at: the magic of a PDB and six numbers.
const HEAD: usize = 56;

/// symsrv's name comes first, because there are servers that answer no other.
const AGENT: &str = concat!(
    "Microsoft-Symbol-Server/10.0 rkd/",
    env!("CARGO_PKG_VERSION")
);

/// The connections of a session.
pub(super) struct Connections(Agent);

/// What becomes of a file that comes.
pub(super) struct Receiver<'a> {
    /// Looks at the first bytes.
    pub check: &'a Check,
    /// Takes the bytes.
    pub write: &'a mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    /// Is told how many of how many bytes are here.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

/// What the thread reports.
enum Event {
    /// The answer's head: its status, the length that it states, and whether it is a web page.
    Head(u16, Option<u64>, bool),
    Data(Vec<u8>),
    End,
    Failed(Failure),
}

impl Connections {
    /// Connections with these limits. Nothing is opened yet.
    pub(super) fn new(limits: &Limits) -> Connections {
        let mut config = Agent::config_builder()
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.answer))
            .timeout_per_read(Some(limits.stall))
            .timeout_global(Some(limits.overall))
            .max_redirects(limits.redirects)
            .http_status_as_error(false)
            .user_agent(AGENT);
        if !limits.proxies {
            config = config.proxy(None);
        }
        if let Some(roots) = own_roots() {
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Connections(config.build().into())
    }

    /// Gets a file; tells how many bytes it had.
    ///
    /// # Errors
    /// Every [`Failure`] but [`Failure::Cache`] of the store.
    pub(super) fn get(
        &self,
        url: &str,
        limits: &Limits,
        stop: &AtomicBool,
        receiver: &mut Receiver,
    ) -> Result<u64, Failure> {
        let (sender, events) = sync_channel(8);
        let (agent, address, own) = (self.0.clone(), url.to_string(), limits.clone());
        std::thread::Builder::new()
            .name("download".into())
            .spawn(move || {
                let end = match perform(&agent, &address, &own, &sender) {
                    Ok(()) => Event::End,
                    Err(failure) => Event::Failed(failure),
                };
                let _ = sender.send(end);
            })
            .map_err(|e| Failure::Cache(format!("no thread for the download: {e}")))?;
        Download::new(limits, receiver).run(&events, stop)
    }
}

/// The certificates of `SSL_CERT_FILE`, which networks need that open everybody's encryption.
fn own_roots() -> Option<RootCerts> {
    let pem = std::fs::read(std::env::var_os("SSL_CERT_FILE")?).ok()?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    (!certificates.is_empty()).then(|| RootCerts::new_with_certs(&certificates))
}

/// The thread's work. It ends early when nobody listens any more.
fn perform(
    agent: &Agent,
    url: &str,
    limits: &Limits,
    events: &SyncSender<Event>,
) -> Result<(), Failure> {
    let is_secure = url
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    let response = agent
        .get(url)
        .config()
        // A redirect must not take the encryption away.
        .https_only(is_secure)
        .build()
        .call()
        .map_err(|error| refused(error, limits))?;
    let head = Event::Head(
        response.status().as_u16(),
        number(&response, "content-length"),
        text(&response, "content-type").is_some_and(|kind| kind.starts_with("text/html")),
    );
    if let Some(coding) = text(&response, "content-encoding").filter(|coding| *coding != "identity")
    {
        return Err(Failure::File(format!(
            "it was sent packed with {coding}, which was not asked for"
        )));
    }
    let goes_on = response.status().as_u16() == 200;
    if events.send(head).is_err() || !goes_on {
        return Ok(());
    }
    let mut body = response.into_body().into_reader();
    loop {
        let mut piece = vec![0; READ_BYTES];
        let read = body
            .read(&mut piece)
            .map_err(|error| broken(error, limits))?;
        if read == 0 {
            return Ok(());
        }
        piece.truncate(read);
        if events.send(Event::Data(piece)).is_err() {
            return Ok(());
        }
    }
}

fn text<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

fn number(response: &Response<Body>, name: &str) -> Option<u64> {
    text(response, name)?.parse().ok()
}

/// What is said when there was no answer.
fn refused(error: Error, limits: &Limits) -> Failure {
    Failure::Server(match error {
        Error::Timeout(Timeout::Resolve) => {
            format!("its name was not found within {:?}", limits.connect)
        }
        Error::Timeout(Timeout::Connect) => format!("no connection within {:?}", limits.connect),
        Error::Timeout(_) => format!("no answer within {:?}", limits.answer),
        Error::HostNotFound => "there is no server of that name, or no network".into(),
        Error::TooManyRedirects => {
            format!(
                "it sends from one address to the next, more than {} times",
                limits.redirects
            )
        }
        Error::RequireHttpsOnly(_) => "it sends to an address without encryption".into(),
        Error::Io(error) => error.to_string(),
        error => error.to_string(),
    })
}

/// What is said when the answer broke off.
fn broken(error: std::io::Error, limits: &Limits) -> Failure {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::Timeout(Timeout::Global)) => Failure::Server(too_long(limits)),
        Some(Error::Timeout(_)) => Failure::Server(stalled(limits)),
        _ => Failure::File(format!("the connection broke: {error}")),
    }
}

fn stalled(limits: &Limits) -> String {
    format!("it sent nothing for {:?}", limits.stall)
}

fn too_long(limits: &Limits) -> String {
    format!("a file took longer than {:?}", limits.overall)
}

/// A download as it is waited for.
struct Download<'t, 'r, 'c> {
    limits: &'t Limits,
    receiver: &'r mut Receiver<'c>,
    begun: Instant,
    /// The last sign of life.
    alive: Instant,
    /// The beginning of the span that is measured, and the bytes that were here then.
    span: (Instant, u64),
    answered: bool,
    /// What came before the content was looked at.
    head: Option<Vec<u8>>,
    done: u64,
    /// The length by the answer's head, and by the content itself.
    stated: Option<u64>,
    own: Option<u64>,
}

impl<'t, 'r, 'c> Download<'t, 'r, 'c> {
    fn new(limits: &'t Limits, receiver: &'r mut Receiver<'c>) -> Self {
        let now = Instant::now();
        Download {
            limits,
            receiver,
            begun: now,
            alive: now,
            span: (now, 0),
            answered: false,
            head: Some(Vec::new()),
            done: 0,
            stated: None,
            own: None,
        }
    }

    fn run(mut self, events: &Events<Event>, stop: &AtomicBool) -> Result<u64, Failure> {
        loop {
            let event = events.recv_timeout(POLL_INTERVAL);
            if stop.load(Ordering::Relaxed) {
                return Err(Failure::Stopped);
            }
            match event {
                Ok(Event::Head(status, length, is_page)) => self.answer(status, length, is_page)?,
                Ok(Event::Data(piece)) => self.take(piece)?,
                Ok(Event::End) => return self.end(),
                Ok(Event::Failed(failure)) => return Err(failure),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::File("the download ended without a reason".into()));
                }
            }
            self.check_time()?;
            let total = self.own.or(self.stated).unwrap_or(0);
            (self.receiver.progress)(self.done, total);
        }
    }

    fn answer(&mut self, status: u16, length: Option<u64>, is_page: bool) -> Result<(), Failure> {
        (self.answered, self.stated, self.alive) = (true, length, Instant::now());
        self.span = (self.alive, 0);
        match status {
            200 if is_page => (self.receiver.check)(b"<html>").map(drop),
            200 if length.is_some_and(|length| length > self.limits.max_bytes) => {
                Err(self.too_large())
            }
            200 => Ok(()),
            // Stores in a cloud say 403 for what they do not have, to those who may not list them.
            403 | 404 | 410 => Err(Failure::Missing),
            401 | 407 => Err(Failure::Server(format!(
                "it wants a login (status {status})"
            ))),
            429 | 503 => Err(Failure::Server(format!("it answers with status {status}"))),
            status => Err(Failure::File(format!(
                "the server answers with status {status}"
            ))),
        }
    }

    fn take(&mut self, piece: Vec<u8>) -> Result<(), Failure> {
        self.alive = Instant::now();
        self.done += piece.len() as u64;
        if let Some(head) = &mut self.head {
            head.extend(piece);
            if head.len() >= HEAD {
                self.look()?;
            }
        } else {
            (self.receiver.write)(&piece)?;
        }
        // A file that says how long it is needs no more than that.
        if self.own.is_some_and(|own| self.done > own) || self.done > self.limits.max_bytes {
            return Err(self.too_large());
        }
        Ok(())
    }

    /// The first bytes are here.
    fn look(&mut self) -> Result<(), Failure> {
        if let Some(head) = self.head.take() {
            self.own = (self.receiver.check)(&head)?;
            if self.own.is_some_and(|own| own > self.limits.max_bytes) {
                return Err(self.too_large());
            }
            (self.receiver.write)(&head)?;
        }
        Ok(())
    }

    fn too_large(&self) -> Failure {
        Failure::File(match self.own.filter(|own| *own < self.done) {
            Some(own) => format!("it is longer than the {own} bytes that it says"),
            None => format!("it is larger than {} MiB", self.limits.max_bytes >> 20),
        })
    }

    fn end(mut self) -> Result<u64, Failure> {
        self.look()?;
        match self.own.or(self.stated).filter(|whole| *whole > self.done) {
            Some(whole) => Err(Failure::File(format!(
                "it is cut short: {} of {whole} bytes",
                self.done
            ))),
            None => Ok(self.done),
        }
    }

    /// The limits once more: they must hold even when the thread does not return.
    fn check_time(&mut self) -> Result<(), Failure> {
        let limits = self.limits;
        let now = Instant::now();
        let since = |then: Instant| now.duration_since(then);
        // Two waits of the thread's own may come first, for the name and for the connection.
        let latest = limits.connect * 2 + limits.answer;
        if !self.answered && since(self.begun) > latest {
            return Err(Failure::Server(format!("no answer within {latest:?}")));
        }
        if self.answered && since(self.alive) > limits.stall {
            return Err(Failure::Server(stalled(limits)));
        }
        if since(self.begun) > limits.overall {
            return Err(Failure::Server(too_long(limits)));
        }
        if self.answered && since(self.span.0) > limits.min_bytes_window {
            let came = self.done - self.span.1;
            if came < limits.min_bytes {
                return Err(Failure::Server(format!(
                    "it is too slow: {came} bytes in {:?}",
                    limits.min_bytes_window
                )));
            }
            self.span = (now, self.done);
        }
        Ok(())
    }
}
