//! A person at the prompt: the program on a pseudo-terminal, keys in, screen out.
//!
//! The terminal is made by `script` of util-linux; where it is missing, the tests go without.

#![cfg(target_os = "linux")]

use crate::support::data::lacking;
use crate::support::practice::{ARTICLE, own_folder};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const RKD: &str = env!("CARGO_BIN_EXE_rkd");

/// What the line editor writes for a prompt behind which nothing is typed yet: the prompt, and the cursor moved to its end.
/// A line that is being typed is drawn again with its prompt, so the prompt's letters alone would prove nothing.
const PROMPT: &str = "3: kd> \r\x1b[7C";

/// Keys go in, and everything that the terminal shows is kept.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    bytes: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    /// `script` starts what it is given through a shell. Without `exec`, dash stays between, and Ctrl-C – which goes to all
    /// that runs in the terminal – ends the shell and with it the session's status.
    fn open(folder: &Path, line: &str) -> Option<Terminal> {
        let line = format!("exec {line}");
        let child = Command::new("script")
            .args([
                "--quiet",
                "--flush",
                "--return",
                "--echo",
                "never",
                "--command",
                &line,
                "/dev/null",
            ])
            .current_dir(folder)
            .env("TERM", "xterm")
            .env("RKD_HISTORY", folder.join("state/history"))
            .env("RKD_CACHE", "")
            .env("NO_COLOR", "1")
            .env_remove("_NT_SYMBOL_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            return lacking("the program `script`, which makes terminals");
        };
        let keys = child.stdin.take().unwrap();
        let mut screen = child.stdout.take().unwrap();
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Terminal {
            child,
            keys,
            bytes,
            shown: String::new(),
        })
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the terminal shows `text`, and forgets what was shown up to there.
    fn expect(&mut self, text: &str) {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(at) = self.shown.find(text) {
                self.shown.drain(..at + text.len());
                return;
            }
            let left = limit.saturating_duration_since(Instant::now());
            match self.bytes.recv_timeout(left) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!(
                    "{text:?} does not come; the terminal shows {:?}",
                    self.shown
                ),
            }
        }
    }

    fn status(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_person_at_the_prompt() {
    let folder = own_folder(ARTICLE);
    let line = format!("{RKD} leak.dmp --quiet");

    let Some(mut terminal) = Terminal::open(folder.path(), &line) else {
        return;
    };
    terminal.expect(PROMPT);
    terminal.press("? 1+1\r");
    terminal.expect("Evaluate expression: 2 = 00000000`00000002");

    // Tab: a command and a tag, a module, a symbol of nt.
    terminal.expect(PROMPT);
    terminal.press("!poolu\t 2 Lea\t\r");
    terminal.expect("\n Leak       119   4991221760 ");
    terminal.expect(PROMPT);
    terminal.press("lmvm myf\t\r");
    terminal.expect("Image path: \\??\\C:\\Windows\\system32\\drivers\\myfault.sys");
    terminal.expect(PROMPT);
    terminal.press("? nt!PsLoadedModuleL\t\r");
    terminal.expect("= fffff807`2322a360");

    // A display command goes on with Enter alone.
    terminal.expect(PROMPT);
    terminal.press("dd fffff807`47f50000 L4\r");
    terminal.expect("fffff807`47f50000  ");
    terminal.expect(PROMPT);
    terminal.press("\r");
    terminal.expect("fffff807`47f50010  ");

    terminal.expect(PROMPT);
    terminal.press("u nt!KeBugCheckEx L1\r");
    terminal.expect("fffff807`229fd640 ");
    terminal.expect(PROMPT);
    terminal.press("\r");
    terminal.expect("fffff807`229fd645 ");

    // A block of Rhai stays open; two empty lines give up.
    terminal.expect(PROMPT);
    terminal.press("fn twice(x) {\rx * 2\r}\r");
    terminal.expect(PROMPT);
    terminal.press("twice(21)\r");
    terminal.expect("\n42");
    terminal.expect(PROMPT);
    terminal.press("if true {\r\r\r");
    terminal.expect("Expecting '}'");

    // Ctrl-C ends what runs, drops what is typed, and never ends the program.
    terminal.expect(PROMPT);
    terminal.press("print(\"started\"); loop {}\r");
    terminal.expect("\nstarted");
    terminal.press("\x03");
    terminal.expect("stopped by Ctrl-C");
    terminal.expect(PROMPT);
    terminal.press("dropped\x03");
    // An error at the prompt is nobody's failure: the status is 0. Ctrl-D leaves.
    terminal.expect(PROMPT);
    terminal.press("\x04");
    assert_eq!(terminal.status(), Some(0));

    // The next session remembers: the arrow goes back over what was typed.
    let Some(mut terminal) = Terminal::open(folder.path(), &line) else {
        return;
    };
    terminal.expect(PROMPT);
    terminal.press("\x1b[A");
    terminal.expect("loop {}");
    terminal.press("\x03");
    terminal.expect(PROMPT);
    terminal.press("? 40+2\r");
    terminal.expect("Evaluate expression: 66 = 00000000`00000042");
    terminal.expect(PROMPT);
    terminal.press("q\r");
    assert_eq!(terminal.status(), Some(0));
    let history = std::fs::read_to_string(folder.path().join("state/history")).unwrap();
    assert!(
        history.contains("fn twice(x) {\\nx * 2\\n}") && !history.contains("dropped"),
        "{history}"
    );
}

#[test]
fn the_demo_leaves_a_person_at_the_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::open(folder.path(), &format!("{RKD} demo")) else {
        return;
    };
    terminal.expect("The answer: myfault.sys holds 119 allocations of 40 MiB");
    terminal.expect(PROMPT);
    terminal.press("lm m myf*\r");
    terminal.expect("fffff807`47f50000 fffff807`47f59000   myfault");
    terminal.expect(PROMPT);
    terminal.press("q\r");
    assert_eq!(terminal.status(), Some(0));
}
