//! Every command says its own Rhai (`--rhai`), and that line gives the same rows.

use rkd::command::{Collect, run_line};
use rkd::script::Script;
use rkd::session::Session;
use rkd_dump::Dump;
use rkd_kernel::{Kernel, Options};
use rkd_symbols::builtin_facts;
use std::path::Path;

fn session(path: &Path) -> Session {
    Session::new(Kernel::open(Dump::open(path).unwrap(), &Options::default()))
}

#[test]
fn what_a_command_says_of_itself_in_rhai_is_true() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notmyfault.dmp");
    let scenario = rkd_lab::scenario("notmyfault").unwrap();
    let table = builtin_facts().by_version(scenario.version).unwrap();
    rkd_lab::make_file(scenario, &table, &rkd_lab::Options::default(), &path).unwrap();

    let mut compared = 0;
    for command in rkd::commands::ALL
        .iter()
        .filter(|command| !command.rhai.is_empty())
    {
        for example in command
            .examples
            .iter()
            .filter(|example| !example.line.contains(';'))
        {
            let mut typed = Collect::default();
            run_line(&mut session(&path), example.line, &mut typed).unwrap();

            let mut said = Collect::default();
            run_line(
                &mut session(&path),
                &format!("{} --rhai", example.line),
                &mut said,
            )
            .unwrap();
            let call = said.screen.trim_end();

            let mut called = Collect::default();
            let outcome =
                Script::with_modules(None).run_line(&mut session(&path), call, &mut called);
            if typed.rows.is_empty() {
                continue;
            }
            assert!(outcome.is_ok(), "{}: {call}", example.line);
            assert_eq!(called.rows, typed.rows, "{}: {call}", example.line);
            compared += 1;
        }
    }
    assert!(compared > 15, "only {compared} examples could be compared");
}
