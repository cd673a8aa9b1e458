//! The program as the shell runs it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A run of rkd that has not begun.
pub struct Program(pub Command);

/// What the program left.
pub struct Said {
    pub out: String,
    pub err: String,
    /// The exit status; nothing if a signal ended it.
    pub status: Option<i32>,
}

impl Said {
    /// Standard output, then standard error.
    pub fn all(self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// rkd in a folder, with nothing of its user's: no symbols, caches, history, colours, proxies.
pub fn rkd(folder: &Path, arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rkd"));
    for variable in [
        "_NT_SYMBOL_PATH",
        "_NT_ALT_SYMBOL_PATH",
        "_NT_EXECUTABLE_IMAGE_PATH",
        "NO_COLOR",
        "CLICOLOR_FORCE",
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ] {
        command.env_remove(variable);
    }
    command
        .current_dir(folder)
        .args(arguments)
        .env("TZ", "UTC")
        .env("RKD_HISTORY", "")
        .env("RKD_CACHE", "")
        .env("RKD_FACTS", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Program(command)
}

impl Program {
    pub fn with(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Program {
        self.0.env(name, value);
        self
    }

    /// Runs it to its end with this input.
    pub fn wait(mut self, input: &str) -> Said {
        let mut child = self.0.spawn().unwrap();
        // A program that does not read its input closes it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said {
            out: text(output.stdout),
            err: text(output.stderr),
            status: output.status.code(),
        }
    }
}
