//! Sessions at the prompt, held to the letter: what is typed, and the whole of what comes back. The machine is one of two
//! modules and a page of data; no symbols are known of it.

mod machine;

use crate::support::data::data;
use crate::support::say;
use jiff::tz::{TimeZone, offset};
use machine::{DATA, play, play_on, session, session_with_request};
use proptest::prelude::*;
use rkd::command::{Collect, Row, Sink, run_line};
use rkd::session::Session;
use rkd_dump::Dump;
use rkd_dump::addr::Virt;
use rkd_dump::error::Error;
use rkd_kernel::{Kernel, Options};
use std::sync::atomic::Ordering;

macro_rules! sessions {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            play(include_str!(concat!(stringify!($name), ".txt")));
        })*
    };
}

sessions! {
    expressions,
    bad_expressions,
    numbers_in_memory,
    search,
    text_and_pointers_in_memory,
    memory_commands_refuse,
    the_target,
    processors,
    lists_and_unknown_names,
    modules_one_by_one,
    aliases,
    control_flow,
    printf,
    the_end,
}

/// The blame follows the bug check's request to the driver that has it.
#[test]
fn analysis() {
    play_on(&mut session_with_request(), include_str!("analysis.txt"));
}

/// A dump of a real machine: its processor stopped where the bug check's second parameter says.
#[test]
fn a_real_triage_dump() {
    let Some(dump) = data("dumps/triage_x64.dmp") else {
        return;
    };
    let dump = Dump::open(&dump).unwrap();
    let mut session = Session::new(Kernel::open(dump, &Options::default()));
    session.display.time_zone = TimeZone::fixed(offset(8));
    play_on(&mut session, include_str!("real_triage.txt"));
}

#[test]
fn other_symbols_are_read_by_reload() {
    let (Some(dump), Some(isf)) = (data("dumps/triage_x64.dmp"), data("isf")) else {
        return;
    };
    let dump = Dump::open(&dump).unwrap();
    let mut session = Session::new(Kernel::open(dump, &Options::default()));
    let path = isf.display().to_string();
    assert_eq!(
        say(&mut session, &format!(".sympath {path}")),
        format!(
            "Symbol search path is: {path}\nExpanded Symbol search path is: {path}\nnote: the new path is used from the next .reload on\n"
        )
    );
    assert_eq!(
        session.target.kernel.table().unwrap().source().to_string(),
        "built-in facts"
    );
    let said = say(&mut session, ".reload");
    let dots = format!(
        "Loading Kernel Symbols\n{}\n{}\n{}\nLoading User Symbols\n\nLoading unloaded module list\n",
        ".".repeat(63),
        ".".repeat(64),
        ".".repeat(24)
    );
    assert!(said.starts_with(&dots), "{said}");
    assert!(
        said.contains("5278AFF86C341677D7D7835C85B7B844-1.json.xz\n"),
        "{said}"
    );
    // A symbol that only the whole table has.
    assert_eq!(
        say(&mut session, "? nt!ZwCreateFile - nt!NtCreateFile > 0"),
        "Evaluate expression: 1 = 00000000`00000001\n"
    );
}

#[test]
fn physical_memory_is_the_same_bytes() {
    let mut session = session();
    let physical = session
        .target
        .kernel
        .space()
        .translate(Virt(DATA))
        .unwrap()
        .phys
        .0;
    let virtual_line = say(&mut session, "dd ffff9000`00000010 L4");
    let line = say(&mut session, &format!("!dd {:x} L4", physical + 0x10));
    assert_eq!(
        line.split_once(' ')
            .map(|(_, rest)| rest.trim_start().split_once(' ').unwrap().1),
        virtual_line.split_once("  ").map(|(_, rest)| rest)
    );
    assert_eq!(
        say(&mut session, &format!("? $pdwo({:x})", physical + 0x10)),
        "Evaluate expression: 319951120 = 00000000`13121110\n"
    );
    assert_eq!(
        say(&mut session, "? $pby(fffffffffff)"),
        "Memory access error at ')'\nnote: page ffffffff is not in the dump\n"
    );
}

#[test]
fn a_log_is_opened_named_and_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a log.txt");
    let name = path.display().to_string();
    let mut session = session();
    assert_eq!(
        say(&mut session, &format!(".logopen \"{name}\"")),
        format!("Opened log file '{name}'\n")
    );
    assert!(session.display.log.lock().unwrap().is_some());
    assert_eq!(
        say(&mut session, &format!(".logappend \"{name}\"")),
        format!("Closing open log file {name}\nOpened log file '{name}'\n")
    );
    assert_eq!(
        say(&mut session, ".logclose"),
        format!("Closing open log file {name}\n")
    );
    assert!(session.display.log.lock().unwrap().is_none());
    assert_eq!(say(&mut session, ".logclose"), "No log file open\n");
    let nowhere = folder.path().join("no/such/folder/log");
    let refused = say(&mut session, &format!(".logopen {}", nowhere.display()));
    assert!(
        refused.starts_with(&format!("cannot open {}: ", nowhere.display())),
        "{refused}"
    );
    assert!(say(&mut session, ".logopen small.dmp").contains("must not be overwritten"));
    assert!(say(&mut session, ".logopen /u x").contains("UTF-8"));
}

#[test]
fn files_of_commands() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let mut session = session();
    let block = write(
        "block.txt",
        "* a comment\n.if (1)\n{\n .echo one;\n .echo two\n}\n.echo three\n",
    );
    assert_eq!(
        say(&mut session, &format!("$$>a<{block}; .echo after")),
        "one\ntwo\nthree\nafter\n"
    );
    assert_eq!(
        say(&mut session, &format!("$$><{block}; .echo after")),
        "0: kd> .if (1)\n{\n .echo one;\n .echo two\n}\none\ntwo\n0: kd> .echo three\nthree\nafter\n"
    );
    let lines = write(
        "my lines.txt",
        ".echo The first argument is ${$arg1}.\n.echo The fifth argument is ${$arg5}.\n",
    );
    assert_eq!(
        say(
            &mut session,
            &format!("$$>a< \"{lines}\" \"First one\" Two; ? 1")
        ),
        "The first argument is First one.\nThe fifth argument is ${$arg5}.\nEvaluate expression: 1 = 00000000`00000001\n"
    );
    assert_eq!(
        say(&mut session, &format!("$<{lines}")),
        "0: kd> .echo The first argument is ${$arg1}.\nThe first argument is ${$arg1}.\n\
         0: kd> .echo The fifth argument is ${$arg5}.\nThe fifth argument is ${$arg5}.\n"
    );
    let itself = write("itself.txt", "");
    std::fs::write(&itself, format!("$$>a<{itself}")).unwrap();
    assert_eq!(
        say(&mut session, &format!("$$>a<{itself}")),
        "commands that call commands go more than 32 deep\n"
    );
    assert_eq!(
        say(&mut session, &format!("$$>a<{}", folder.path().display())),
        format!("{}: it is not a file\n", folder.path().display())
    );

    session.permissions.files = false;
    for line in [
        format!("$$>a<{block}"),
        ".logopen x".into(),
        ".logclose".into(),
    ] {
        assert_eq!(
            say(&mut session, &line),
            "A script may not open files: type the command at the prompt, or start rkd with --allow.\n",
            "{line}"
        );
    }
}

#[test]
fn failures_are_counted_and_the_line_goes_on() {
    let mut session = session();
    assert_eq!(
        say(&mut session, "zork; .echo on; !nope"),
        "Couldn't resolve error at 'zork'\non\nNo export nope found\n"
    );
    assert_eq!(session.control.errors, 2);
    // A failure inside a block is the block's business: it counts once.
    say(&mut session, ".block { zork }");
    assert_eq!(session.control.errors, 3);
}

#[test]
fn ctrl_c_ends_every_loop() {
    let mut session = session();
    session.control.stop.store(true, Ordering::Relaxed);
    for line in [
        ".while (1) { }",
        "db ffff9000`00000000 L100",
        "!for_each_module .echo x",
        ".foreach (x { .echo a }) { .echo b }",
    ] {
        let mut out = Collect::default();
        assert!(
            matches!(run_line(&mut session, line, &mut out), Err(Error::Stopped)),
            "{line}"
        );
        assert_eq!(out.screen, "", "{line}");
    }
}

#[test]
fn commands_that_call_themselves_end() {
    let mut session = session();
    let deep = format!("{}.echo x{}", ".block { ".repeat(100), " }".repeat(100));
    assert_eq!(
        say(&mut session, &deep),
        "commands that call commands go more than 32 deep\n"
    );
    say(&mut session, "aS x .block { x }");
    let screen = say(&mut session, "x");
    assert!(screen.contains("go more than 32 deep"), "{screen}");
    assert_eq!(session.control.depth, 0);
}

#[test]
fn the_whole_list_of_commands_is_printed() {
    let mut session = session();
    let help = say(&mut session, "help");
    assert_eq!(help, say(&mut session, "?"));
    for command in rkd::commands::ALL {
        assert!(
            help.contains(&format!("\n  {:<18}{}\n", command.name, command.summary)),
            "{}",
            command.name
        );
        let own = say(&mut session, &format!("help {}", command.name));
        assert!(
            own.starts_with(&format!(
                "{}  -  {}\n\nUsage: {}\n",
                command.name,
                command.summary,
                command.usage()
            )),
            "{own}"
        );
    }
}

/// A reader that leaves after a while: `db 0 L?ffffffffffffffff` is a long read.
#[derive(Default)]
struct Impatient(u32);

impl Sink for Impatient {
    fn row(&mut self, row: &dyn Row) -> rkd_dump::error::Result<()> {
        let _ = (row.text(), row.record());
        self.text("")
    }
    fn text(&mut self, _: &str) -> rkd_dump::error::Result<()> {
        self.0 += 1;
        if self.0 > 200 {
            Err(Error::Stopped)
        } else {
            Ok(())
        }
    }
    fn note(&mut self, _: &str) -> rkd_dump::error::Result<()> {
        Ok(())
    }
}

proptest! {
    /// Whatever is typed behind whatever command: an answer or a refusal, and the session is as usable as before.
    #[test]
    fn no_line_does_harm(
        command in 0..1000usize,
        arguments in r#"[0-9a-fxnL?@$`*/+,;(){}"'\\% .=#!~-]{0,40}"#,
        blank in "[ ]?",
    ) {
        let names: Vec<&str> = rkd::commands::ALL
            .iter()
            .flat_map(|command| std::iter::once(command.name).chain(command.aliases.iter().copied()))
            // These go on for ever when they are told to.
            .filter(|name| ![".while", ".for", ".do"].contains(name))
            .collect();
        let mut session = session();
        session.permissions.files = false;
        let line = format!("{}{blank}{arguments}", names[command % names.len()]);
        let _ = run_line(&mut session, &line, &mut Impatient::default());
        prop_assert_eq!(session.control.depth, 0);
        prop_assert_eq!(session.control.loops, 0);
        session.numbers.aliases.clear();
        session.numbers.radix = 16;
        session.control.quit = false;
        prop_assert_eq!(say(&mut session, "? 1"), "Evaluate expression: 1 = 00000000`00000001\n");
    }
}
