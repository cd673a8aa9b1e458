//! A real triage dump (Windows 10 19041.804), where it is at hand: what it has, and what it can never have.

use super::support::{finish, say};
use crate::support::data::data;
use rkd::command::Collect;
use rkd::script::Script;
use rkd::session::Session;
use rkd_dump::Dump;
use rkd_kernel::{Kernel, Options};
use rkd_symbols::SymbolPath;

fn triage() -> Option<Session> {
    let (path, isf) = (data("dumps/triage_x64.dmp")?, data("isf")?);
    let options = Options {
        symbols: SymbolPath::parse(&isf.display().to_string()),
        ..Options::default()
    };
    Some(Session::new(Kernel::open(
        Dump::open(&path).unwrap(),
        &options,
    )))
}

#[test]
fn a_triage_dump_says_what_it_cannot_tell() {
    let Some(mut session) = triage() else { return };
    let mut script = Script::with_modules(None);
    let mut out = Collect::default();
    let outcome = script.run_file(&mut session, "pool-leak".as_ref(), &[], &mut out);
    assert_eq!(
        finish(out, outcome),
        "This dump cannot tell who uses the pool: this is a triage (\"small memory\") dump, which never holds the pool tables: ask for a kernel, automatic, active or complete memory dump, or a live kernel dump from Task Manager\n"
    );
    let table = [
        ("modules().len", "151\n"),
        ("module(\"nt\").size_bytes == 0x1046000", "true\n"),
        ("name_of(sym(\"nt!KeBugCheckEx\"))", "nt!KeBugCheckEx\n"),
        (
            "vm(1).find(|row| row.name == \"commit_limit_pages\").why(\"pages\")",
            "cannot read fffff804`7c652968: not in the dump, which holds only some blocks of memory\n",
        ),
        ("why_unreadable(module(\"nt\").start)", ""),
    ];
    for (source, expected) in table {
        let said = say(&mut script, &mut session, source);
        let said: String = said
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("note: "))
            .collect();
        assert_eq!(said, expected, "{source}");
    }
}
