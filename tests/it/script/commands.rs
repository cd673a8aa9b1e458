//! The commands as functions: arguments, rows, errors, lines of kd.

use super::support::talk;
use rhai::Engine;
use rkd::command::Command;
use rkd::commands;
use std::collections::BTreeSet;

#[test]
fn arguments_become_a_line_of_kd() {
    let table = [
        ("evaluate(0x10)[0].value", "00000000`00000010\n"),
        ("evaluate(\"10 + 0n10\")[0].value", "00000000`0000001a\n"),
        (
            "evaluate(\"10\", \"+\", 0x20)[0].value",
            "00000000`00000030\n",
        ),
        (
            "evaluate(addr(\"fffff807`47f50000\"), \"+\", 1)[0].value",
            "fffff807`47f50001\n",
        ),
        ("evaluate([1, \"+\", 2])[0].signed", "3\n"),
        ("evaluate(-1)[0].value", "ffffffff`ffffffff\n"),
        (
            "evaluate(1)",
            "Evaluate expression: 1 = 00000000`00000001\n",
        ),
        (
            "evaluate(1)[0].keys()",
            "[\"expression\", \"value\", \"signed\"]\n",
        ),
        (
            "evaluate(1.5)",
            "A command takes numbers, addresses and text, not a floating point number\n    evaluate(1.5)\n    ^\n",
        ),
        ("eval(\"10 * 2\")", "00000000`00000020\n"),
        ("eval(\"hi 12345\") == 1", "true\n"),
    ];
    for (source, expected) in table {
        assert_eq!(talk(&[source]), expected, "{source}");
    }
}

#[test]
fn lines_of_kd_give_text_or_rows_or_go_straight_to_the_screen() {
    let table = [
        ("kd(\"? 1; ? 2\").len", "86\n"),
        (
            "print(kd(\"? 1\"))",
            "Evaluate expression: 1 = 00000000`00000001\n\n",
        ),
        ("kd_rows(\"? 1; ? 2\").map(|row| row.signed)", "[1, 2]\n"),
        (
            "kd_show(\"? 1; ? 2\")",
            "Evaluate expression: 1 = 00000000`00000001\nEvaluate expression: 2 = 00000000`00000002\n",
        ),
        (
            "kd(\"r $t0 = 5\"); eval(\"@$t0 + 1\")",
            "00000000`00000006\n",
        ),
        (
            "kd(\"? 1 +\")",
            "Numeric expression missing from '<EOL>'\n    kd(\"? 1 +\")\n    ^\n",
        ),
        (
            "kd(\"!vmm\")",
            "No export vmm found\n    kd(\"!vmm\")\n    ^\n",
        ),
        (
            "try { kd(\"!vmm\"); } catch (why) { print(why); }",
            "No export vmm found\n",
        ),
        (
            "kd(\".logopen x\")",
            "A script may not open files: type the command at the prompt, or start rkd with --allow.\n    kd(\".logopen x\")\n    ^\n",
        ),
        (
            "kd(\"q\")",
            "A script does not leave the prompt: exit() ends the script\n    kd(\"q\")\n    ^\n",
        ),
    ];
    for (source, expected) in table {
        assert_eq!(talk(&[source]), expected, "{source}");
    }
}

#[test]
fn a_dump_without_the_answer_says_why() {
    let said = talk(&["poolused(2)"]);
    assert!(said.ends_with("\n    poolused(2)\n    ^\n"), "{said}");
    assert!(said.contains("symbols"), "{said}");
}

/// A name that Rhai reserves, or that two commands share, could never be called.
#[test]
fn every_command_has_a_name_of_its_own_that_can_be_called() {
    let engine = Engine::new();
    let mut names = BTreeSet::new();
    for command in commands::ALL
        .iter()
        .filter(|command| !command.rhai.is_empty())
    {
        let Command { name, rhai, .. } = command;
        assert!(
            engine.compile(format!("{rhai}()")).is_ok(),
            "{name}: {rhai} is no name in Rhai"
        );
        assert!(names.insert(*rhai), "{name}: {rhai} is taken");
    }
}

/// What a command says of its own Rhai gives the same rows.
#[test]
fn what_rhai_prints_gives_the_same_rows() {
    for line in ["? 10 + 20", ".formats 41", "vertarget"] {
        let typed = talk(&[&format!("kd_rows({line:?}).map(|row| row.to_json())")]);
        let call = talk(&[&format!("kd_rows({:?})[0].call", format!("{line} --rhai"))]);
        let called = talk(&[&format!("{}.map(|row| row.to_json())", call.trim_end())]);
        assert_eq!(typed, called, "{line}: {call}");
    }
}
