//! Limits of the use of the network – how long, how much – and who is told about it.

use std::time::Duration;

/// Limits of a download. None of them can be switched off: a server must never keep the prompt from a person for long.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For finding the server's name, and again for the connection with its encryption.
    pub connect: Duration,
    /// From the request to the end of the answer's head.
    pub answer: Duration,
    /// Without a single byte.
    pub stall: Duration,
    /// The least number of bytes in each [`Limits::min_bytes_window`]: a server that sends one byte a second is not waited for.
    pub min_bytes: u64,
    /// How long [`Limits::min_bytes`] may take to come.
    pub min_bytes_window: Duration,
    /// For a whole file.
    pub overall: Duration,
    /// The largest file, in bytes.
    pub max_bytes: u64,
    /// How often an answer may send somewhere else.
    pub redirects: u32,
    /// Whether the proxies of the environment are used: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.
    pub proxies: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(5),
            stall: Duration::from_secs(8),
            min_bytes: 16 << 10,
            min_bytes_window: Duration::from_secs(8),
            overall: Duration::from_secs(600),
            max_bytes: 1 << 30,
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
