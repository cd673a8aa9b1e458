//! The terms on which the network is used: how long, how much, and who is told.

use std::time::Duration;

/// Limits of a download. None of them can be switched off: a server must never keep the prompt from a person for long.
#[derive(Clone, Debug)]
pub struct Terms {
    /// For finding the server's name, and again for the connection with its encryption.
    pub connect: Duration,
    /// From the request to the end of the answer's head.
    pub answer: Duration,
    /// Without a single byte.
    pub stall: Duration,
    /// The least number of bytes in each [`Terms::span`]: a server that sends one byte a second is not waited for.
    pub least: u64,
    /// See [`Terms::least`].
    pub span: Duration,
    /// For a whole file.
    pub overall: Duration,
    /// The largest file, in bytes.
    pub size: u64,
    /// How often an answer may send somewhere else.
    pub redirects: u32,
    /// Whether the proxies of the environment are used: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.
    pub proxies: bool,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(5),
            stall: Duration::from_secs(8),
            least: 16 << 10,
            span: Duration::from_secs(8),
            overall: Duration::from_secs(600),
            size: 1 << 30,
            redirects: 5,
            proxies: true,
        }
    }
}

/// Somebody who is told how a download goes.
pub trait Watch: Send + Sync {
    /// A request for a file goes out to a host.
    fn begin(&self, file: &str, host: &str);
    /// `done` of `total` bytes are here; `total` is 0 as long as it is not known.
    fn progress(&self, done: u64, total: u64);
    /// The last request is over.
    fn end(&self);
}
