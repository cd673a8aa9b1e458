//! The prompt and files as a person uses them: whole outputs, errors with their carets, state from line to line.

use super::support::{empty, finish, say, talk};
use rkd::command::{Collect, Row, Sink, Value};
use rkd::script::{Failure, Script};
use rkd_dump::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[test]
fn results_are_shown_and_nothing_is_not() {
    assert_eq!(talk(&["1 + 2"]), "3\n");
    assert_eq!(talk(&["let x = 5;"]), "");
    assert_eq!(talk(&["\"text\""]), "text\n");
    assert_eq!(
        talk(&["addr(\"fffff807`47f50000\") + 0x1559"]),
        "fffff807`47f51559\n"
    );
    assert_eq!(
        talk(&["[1, \"a\", addr(16)]"]),
        "[1, \"a\", 00000000`00000010]\n"
    );
    assert_eq!(talk(&["[]"]), "[]\n");
    assert_eq!(
        talk(&["#{tag: \"Leak\", bytes: 4991221760}"]),
        "bytes: 4991221760\ntag:   Leak\n"
    );
    assert_eq!(
        talk(&["blob(18, 0x41)"]),
        "41 41 41 41 41 41 41 41 41 41 41 41 41 41 41 41\n41 41\n"
    );
    assert_eq!(
        talk(&["print(1); out(2); note(\"n\"); note(\"n\"); 3"]),
        "1\n2\n3\nnote: n\n"
    );
    assert_eq!(
        talk(&["print(`${addr(16)} ${[addr(1)]}`)"]),
        "00000000`00000010 [00000000`00000001]\n"
    );
}

#[test]
fn variables_functions_and_imports_stay() {
    assert_eq!(talk(&["let x = 5;", "x + 1"]), "6\n");
    assert_eq!(talk(&["fn twice(n) { n * 2 }", "twice(4)"]), "8\n");
    assert_eq!(
        talk(&["fn a(n) { b(n) }", "fn b(n) { n + 1 }", "a(1)"]),
        "2\n"
    );
    assert_eq!(talk(&["fn a() { 1 }", "fn a() { 2 }", "a()"]), "2\n");
    assert_eq!(
        talk(&["import \"format\" as f;", "f::human(41943040)"]),
        "40.0 MiB\n"
    );
    assert_eq!(
        talk(&[
            "import \"format\" as f;",
            "fn h(n) { f::human(n) }",
            "h(1536)"
        ]),
        "1.5 KiB\n"
    );
    assert_eq!(
        talk(&["let x = 1; nosuch(x)", "x"]),
        "\
There is no function nosuch (INT)
    let x = 1; nosuch(x)
               ^
1
"
    );
}

#[test]
fn rows_of_a_script_reach_the_sink_as_data() {
    let mut out = Collect::default();
    let mut script = Script::with_modules(None);
    script
        .run_line(
            &mut empty(),
            "emit(#{tag: \"Leak\", at: addr(16), n: -1, none: ()}, \"Leak it is\")",
            &mut out,
        )
        .unwrap();
    assert_eq!(out.screen, "Leak it is\n");
    assert_eq!(out.rows[0].kind, "row");
    assert_eq!(
        serde_json::to_string(&Value::Record(out.rows[0].record.clone())).unwrap(),
        r#"{"at":"0x10","n":-1,"none":null,"tag":"Leak"}"#
    );
}

#[test]
fn errors_stand_under_their_line() {
    let table = [
        (
            "1 + nosuch(2)",
            "There is no function nosuch (INT)\n    1 + nosuch(2)\n        ^\n",
        ),
        (
            "let x = ;",
            "Unexpected ';'\n    let x = ;\n            ^\n",
        ),
        (
            "x + 1",
            "There is no variable 'x' here (a function sees its parameters only, not the variables around it)\n    x + 1\n    ^\n",
        ),
        (
            "read_u8(1, 2)",
            "There is no function read_u8 (INT, INT); there is read_u8(address)\n    read_u8(1, 2)\n    ^\n",
        ),
        (
            "let n = poolused;",
            "There is no variable 'poolused'; the function is called as poolused(..)\n    let n = poolused;\n            ^\n",
        ),
        (
            "poolusd(2)",
            "There is no function poolusd (INT); did you mean poolused(..)?\n    poolusd(2)\n    ^\n",
        ),
        (
            "give_up(\"this dump has no pool\")",
            "this dump has no pool\n",
        ),
        ("throw \"no\"", "No\n    throw \"no\"\n    ^\n"),
        ("1 / 0", "Division by zero: 1 / 0\n    1 / 0\n      ^\n"),
        (
            "addr(1.5)",
            "A floating point number cannot be an address: it holds only 53 bits. Write the address in hexadecimal\n    addr(1.5)\n    ^\n",
        ),
        (
            "\tif true {\n\t\tnosuch()\n\t}",
            "There is no function nosuch ()\n      nosuch()\n      ^\n",
        ),
    ];
    for (source, expected) in table {
        assert_eq!(talk(&[source]), expected, "{source}");
    }
}

#[test]
fn an_error_in_a_function_shows_the_line_of_the_function() {
    assert_eq!(
        talk(&[
            "fn bad(n) {\n  let y = n;\n  nosuch(y)\n}",
            "1 + 1",
            "let z = bad(7);"
        ]),
        "2\nThere is no function nosuch (INT)\n      nosuch(y)\n      ^\n  in bad, called at prompt:6:9\n"
    );
}

#[test]
fn ctrl_c_ends_a_loop_and_the_conversation_goes_on() {
    let mut script = Script::with_modules(None);
    let mut session = empty();
    let stop = Arc::clone(&session.control.stop);
    let pressed = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        stop.store(true, Ordering::Relaxed);
        Instant::now()
    });
    let said = say(
        &mut script,
        &mut session,
        "let n = 0; try { loop { n += 1; } } catch { print(\"caught\"); }",
    );
    let late = pressed.join().unwrap().elapsed();
    assert_eq!(said, "stopped\n");
    assert!(late < Duration::from_secs(5), "{late:?}");
    session.control.stop.store(false, Ordering::Relaxed);
    assert_eq!(say(&mut script, &mut session, "n > 0"), "true\n");
}

#[test]
fn an_output_that_takes_no_more_ends_the_script() {
    struct Full(usize);
    impl Sink for Full {
        fn row(&mut self, _: &dyn Row) -> rkd_dump::error::Result<()> {
            Ok(())
        }
        fn text(&mut self, _: &str) -> rkd_dump::error::Result<()> {
            self.0 += 1;
            if self.0 < 3 {
                Ok(())
            } else {
                Err(Error::Stopped)
            }
        }
        fn note(&mut self, _: &str) -> rkd_dump::error::Result<()> {
            Ok(())
        }
    }
    let mut full = Full(0);
    let mut script = Script::with_modules(None);
    let outcome = script.run_line(&mut empty(), "loop { print(1); }", &mut full);
    assert!(matches!(outcome, Err(Failure::Stopped)));
    assert_eq!(full.0, 3);
}

#[test]
fn the_sandbox_holds() {
    let table = [
        (
            "eval(\"1\", 2)",
            "There is no function eval (text, INT); there is eval(text)\n    eval(\"1\", 2)\n    ^\n",
        ),
        (
            "eval(5)",
            "eval() takes the text of an expression, not a number\n    eval(5)\n    ^\n",
        ),
        (
            "import \"/etc/passwd\" as p;",
            "'/etc/passwd' is not the name of a module: letters, digits, _ and - only, with / between folders\n    import \"/etc/passwd\" as p;\n           ^\n",
        ),
        (
            "import \"../x\" as p;",
            "'../x' is not the name of a module: letters, digits, _ and - only, with / between folders\n    import \"../x\" as p;\n           ^\n",
        ),
        (
            "import \"nosuch\" as p;",
            "There is no module 'nosuch'\n    import \"nosuch\" as p;\n           ^\n",
        ),
        (
            "let s = \"x\"; loop { s += s; }",
            "Length of string too large\n    let s = \"x\"; loop { s += s; }\n                          ^\n",
        ),
        (
            "let a = []; a.pad(1000000000000, 0)",
            "Size of array/BLOB too large\n    let a = []; a.pad(1000000000000, 0)\n                  ^\n",
        ),
    ];
    for (source, expected) in table {
        assert_eq!(talk(&[source]), expected, "{source}");
    }
    assert_eq!(
        talk(&["fn f(n) { f(n + 1) }", "f(0)"]),
        "Too many functions call each other\n    f(0)\n    ^\n"
    );
}

#[test]
fn names_that_rhai_reserves_are_ordinary() {
    assert_eq!(
        talk(&["let module = 5; let thread = 6; module + thread"]),
        "11\n"
    );
    assert_eq!(
        talk(&["let m = #{module: 7, call: 1}; m.module + m.call"]),
        "8\n"
    );
}

#[test]
fn files_see_their_arguments_and_their_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("near.rhai"),
        "//! Near.\nfn twice(n) {\n    n * 2\n}\nfn bad(n) {\n    throw `no ${n}`\n}\n",
    )
    .unwrap();
    let main = folder.path().join("main.rhai");
    std::fs::write(
        &main,
        "import \"near\" as near;\nprint(args);\nnear::twice(21)\n",
    )
    .unwrap();
    let mut script = Script::with_modules(None);
    let run = |script: &mut Script| {
        let mut out = Collect::default();
        let outcome = script.run_file(&mut empty(), &main, &["a".into(), "b".into()], &mut out);
        finish(out, outcome).replace(&format!("{}/", folder.path().display()), "")
    };
    assert_eq!(run(&mut script), "[\"a\", \"b\"]\n42\n");
    std::fs::write(&main, "import \"near\" as near;\nlet x = near::bad(1);\n").unwrap();
    assert_eq!(
        run(&mut script),
        "near.rhai:6:5: No 1\n        throw `no ${n}`\n        ^\n  in bad, called at main.rhai:2:15\n"
    );
    std::fs::write(&main, "import \"near\" as near;\nlet x = near::bad(1;\n").unwrap();
    assert_eq!(
        run(&mut script),
        "main.rhai:2:20: Expecting ',' to separate the arguments to function call 'bad'\n    let x = near::bad(1;\n                       ^\n"
    );
    let format = folder.path().join("format.rhai");
    std::fs::write(&format, "import \"format\" as format; format::human(1024)").unwrap();
    let mut out = Collect::default();
    let outcome = script.run_file(&mut empty(), &format, &[], &mut out);
    assert_eq!(
        finish(out, outcome),
        "1.0 KiB\n",
        "a script never imports itself"
    );
    assert_eq!(
        say(&mut script, &mut empty(), "import \"near\" as near;"),
        "There is no module 'near'\n    import \"near\" as near;\n           ^\n"
    );
}

#[test]
fn the_users_modules_shadow_the_embedded_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut script = Script::with_modules(Some(folder.path().to_path_buf()));
    let mut session = empty();
    assert_eq!(
        say(
            &mut script,
            &mut session,
            "import \"format\" as f; f::human(1024)"
        ),
        "1.0 KiB\n"
    );
    let own = folder.path().join("format.rhai");
    std::fs::write(&own, "fn human(n) { `${n} of mine` }").unwrap();
    assert_eq!(
        say(
            &mut script,
            &mut session,
            "import \"format\" as f; f::human(1024)"
        ),
        "1024 of mine\n"
    );
    std::fs::write(&own, "import \"format\" as again; fn human(n) { n }").unwrap();
    let path = own.display().to_string();
    let said = say(&mut script, &mut session, "import \"format\" as f;");
    assert!(
        said.contains("in a circle") && said.contains(&path),
        "{said}"
    );
}

#[test]
fn a_script_that_is_not_there() {
    let mut script = Script::with_modules(None);
    let mut out = Collect::default();
    let outcome = script.run_file(&mut empty(), Path::new("no/such.rhai"), &[], &mut out);
    let said = finish(out, outcome);
    assert!(said.starts_with("no/such.rhai: No such file or directory (os error 2); the investigations that come with rkd are"), "{said}");
}

#[test]
fn help_tells_what_a_name_does() {
    let table = [
        (
            "help(\"read_u32\")",
            "read_u32(address)\n    Reads a 4-byte number.\n",
        ),
        (
            "help(\"read_u32()\")",
            "read_u32(address)\n    Reads a 4-byte number.\n",
        ),
        (
            "help(\"row.keys\")",
            "row.keys()\n    the names of the cells, in their order\n",
        ),
        (
            "help(\"pool::find\")",
            "pool::find(tag)\n    The row of one tag, `()` when nothing is allocated with it. Upper and lower case differ.\n",
        ),
        (
            "help(\"poolused\")",
            "poolused(..)\n    which tag holds how much pool: `!poolused [/tN] [Flags [TagString]]`\n",
        ),
        (
            "help(\"raed_u32\")",
            "There is no 'raed_u32'; did you mean read_u32(address)?\n    help(\"raed_u32\")\n    ^\n",
        ),
        (
            "help(\"xyzzy\")",
            "There is no 'xyzzy': help() lists what there is\n    help(\"xyzzy\")\n    ^\n",
        ),
    ];
    for (source, expected) in table {
        assert_eq!(talk(&[source]), expected, "{source}");
    }
    let all = talk(&["help()"]);
    assert!(all.lines().all(|line| line.len() <= 120), "{all}");
    for name in [
        "read_u32(address)",
        "hits.coverage()",
        "poolused(..)",
        "owners(..)",
    ] {
        assert!(all.contains(name), "{name}");
    }
}

#[test]
fn a_wait_ends_with_ctrl_c() {
    let mut script = Script::with_modules(None);
    let mut session = empty();
    let stop = Arc::clone(&session.control.stop);
    let pressed = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        stop.store(true, Ordering::Relaxed);
        Instant::now()
    });
    assert_eq!(say(&mut script, &mut session, "sleep(1000)"), "stopped\n");
    assert!(pressed.join().unwrap().elapsed() < Duration::from_secs(2));
    assert_eq!(
        talk(&["sleep(-1)"]),
        "Cannot wait for -1 seconds\n    sleep(-1)\n    ^\n"
    );
}
