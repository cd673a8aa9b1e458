//! Every command says its own Rhai (`--rhai`), and that line gives the same rows.

use crate::support::practice::{ARTICLE, session};
use rkd::command::{Collect, run_line};
use rkd::script::Script;

#[test]
fn what_a_command_says_of_itself_in_rhai_is_true() {
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
            run_line(&mut session(ARTICLE), example.line, &mut typed).unwrap();

            let mut said = Collect::default();
            run_line(
                &mut session(ARTICLE),
                &format!("{} --rhai", example.line),
                &mut said,
            )
            .unwrap();
            let call = said.screen.trim_end();

            let mut called = Collect::default();
            let outcome =
                Script::with_modules(None).run_line(&mut session(ARTICLE), call, &mut called);
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
