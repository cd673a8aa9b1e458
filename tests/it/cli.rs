//! The program as the shell sees it: what it prints where, and its exit status.

use crate::support::practice::{self, ARTICLE};
use crate::support::program::rkd;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

fn folder() -> PathBuf {
    practice::folder(ARTICLE)
}

/// Runs on the practice dump and compares everything.
fn says(arguments: &[&str], input: &str, out: &str, err: &str, status: i32) {
    let output = rkd(&folder(), arguments).wait(input);
    assert_eq!(output.out, out, "{arguments:?}");
    assert_eq!(output.err, err, "{arguments:?}");
    assert_eq!(output.status, Some(status), "{arguments:?}");
}

#[test]
fn what_cannot_be_opened_gets_one_line_and_status_3() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.dmp"), "").unwrap();
    fs::write(
        folder.path().join("garbage.dmp"),
        [0xd0, 0xcf, 0x11, 0xe0].repeat(5000),
    )
    .unwrap();
    fs::write(folder.path().join("short.dmp"), "PAGEDU64").unwrap();
    fs::create_dir(folder.path().join("folder.dmp")).unwrap();
    for name in [
        "empty.dmp",
        "garbage.dmp",
        "short.dmp",
        "folder.dmp",
        "missing.dmp",
    ] {
        let arguments: [&[&str]; 4] = [
            &[name],
            &["-z", name, "-c", "!vm;q"],
            &[name, "--format", "json", "-c", "lm"],
            &["run", "pool-leak", name],
        ];
        for arguments in arguments {
            let output = rkd(folder.path(), arguments).wait("lm\n");
            assert_eq!(output.out, "", "{arguments:?}");
            let said = output.err;
            assert!(said.starts_with("rkd: ") && said.contains(name), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            assert_eq!(output.status, Some(3), "{arguments:?}");
        }
    }
}

#[test]
fn wrong_usage_is_status_2() {
    let folder = folder();
    for (arguments, said) in [
        (&[][..], "Usage: rkd [OPTIONS] [DUMP]"),
        (&["--quiet"], "rkd: which dump?"),
        (&["--nonsense"], "unexpected argument '--nonsense'"),
        (&["-z", "a", "-z", "b"], "one dump at a time"),
        (
            &["leak.dmp", "--format", "xml"],
            "[possible values: text, json, jsonl, csv]",
        ),
        (&["-k", "com:port=1"], "it cannot debug a running machine"),
        (&["run", "pool-leak"], "<DUMP>"),
        (
            &["lab", "make", "notmyfault", "-o", "x", "--kind", "core"],
            "the kinds are kernel, ",
        ),
        (
            &["leak.dmp", "--tz", "Nowhere"],
            "Nowhere: no such time zone",
        ),
    ] {
        let output = rkd(&folder, arguments).wait("");
        assert_eq!(output.out, "", "{arguments:?}");
        assert!(output.err.contains(said), "{arguments:?}: {}", output.err);
        assert_eq!(output.status, Some(2), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_answers() {
    for (arguments, said) in [
        (&["--help"][..], "Exit status: 0 all went well"),
        (&["-?"], "Exit status: 0 all went well"),
        (&["help"], "Usage: rkd"),
        (&["-V"], concat!("rkd ", env!("CARGO_PKG_VERSION"), "\n")),
        (
            &["-version"],
            concat!("rkd ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
        (
            &["lab", "list"],
            "notmyfault   Five gigabytes of nonpaged pool\n",
        ),
        (&["run", "--list"], "pool-leak "),
    ] {
        let output = rkd(&folder(), arguments).wait("");
        assert!(output.out.contains(said), "{arguments:?}: {}", output.out);
        assert_eq!(
            (output.err.as_str(), output.status),
            ("", Some(0)),
            "{arguments:?}"
        );
    }
}

#[test]
fn the_command_line_runs_commands_and_leaves() {
    let sum = "Evaluate expression: 2 = 00000000`00000002\n";
    says(&["leak.dmp", "-q", "-c", "? 1+1"], "", sum, "", 0);
    says(
        &["leak.dmp", "-q", "-c", "? 1+1; q; ? 3", "-c", "? 4"],
        "",
        sum,
        "",
        0,
    );
}

#[test]
fn kds_switches_are_understood() {
    let sum = "Evaluate expression: 2 = 00000000`00000002\n";
    let arguments = [
        "-z",
        "leak.dmp",
        "--quiet",
        "/c",
        "? 1+1; q; ? 3",
        "-v",
        "-ee",
        "masm",
    ];
    says(&arguments, "", sum, "", 0);
    let commands = tempfile::NamedTempFile::new().unwrap();
    fs::write(commands.path(), "\u{feff}? 1+1\r\n\r\n? 2\r\nq\r\n? 3\r\n").unwrap();
    let path = commands.path().to_str().unwrap();
    let both = format!("{sum}{sum}");
    says(
        &["leak.dmp", "-q", "-cf", path, "-c", "? 4"],
        "",
        &both,
        "",
        0,
    );
    let missing = rkd(&folder(), &["leak.dmp", "-q", "-cf", "nothing.txt"]).wait("");
    assert!(missing.err.starts_with("rkd: cannot open nothing.txt: "));
    assert_eq!(missing.status, Some(1));
}

#[test]
fn an_error_is_part_of_the_session_and_status_1() {
    says(
        &["leak.dmp", "-q", "-c", "? zz; !pooluesd; ? 1"],
        "",
        "Couldn't resolve error at 'zz'\nNo export pooluesd found\nEvaluate expression: 1 = 00000000`00000001\n",
        "note: no symbol nt!zz\nnote: did you mean !poolused ?\n",
        1,
    );
    says(
        &["leak.dmp", "-q", "-c", "nosuch"],
        "",
        "There is no variable 'nosuch' here (a function sees its parameters only, not the variables around it)\n    \
         nosuch\n    ^\n",
        "",
        1,
    );
}

/// A file that was cut short opens and says what is gone, and a command that finds nothing there is no success.
#[test]
fn what_a_cut_dump_lacks_is_an_error_and_no_empty_table() {
    let folder_of_cut = tempfile::tempdir().unwrap();
    let whole = fs::read(folder().join("leak.dmp")).unwrap();
    fs::write(folder_of_cut.path().join("cut.dmp"), &whole[..3_000_000]).unwrap();
    let lost = "where the kernel was loaded cannot be told from this dump: it holds neither the module list nor the debugger data block";
    for (line, out) in [
        (
            "lm",
            "start             end                 module name\nthe list of modules is not in this dump\n".to_string(),
        ),
        (
            "s -a * \"Leak\"",
            "the list of modules is not in this dump\n".to_string(),
        ),
        (
            "!for_each_module s -a @#Base @#End \"Leak\"",
            "the list of modules is not in this dump\n".to_string(),
        ),
        (
            "search_all(\"Leak\")",
            "The list of modules is not in this dump\n    search_all(\"Leak\")\n    ^\n".to_string(),
        ),
        ("!vm 1", format!("nt's symbols are missing: {lost}\n")),
        ("!poolused 2", format!("nt's symbols are missing: {lost}\n")),
    ] {
        let output = rkd(folder_of_cut.path(), &["cut.dmp", "-q", "-c", line]).wait("");
        assert_eq!(output.out, out, "{line}");
        assert_eq!(output.err, "", "{line}");
        assert_eq!(output.status, Some(1), "{line}");
    }
}

/// Another program cuts the file while it is open: what is lost reads as zeros, and every answer says that it may be wrong.
#[cfg(unix)]
#[test]
fn a_file_that_is_cut_while_it_is_open_is_no_end() {
    let own = tempfile::tempdir().unwrap();
    let path = own.path().join("leak.dmp");
    fs::copy(folder().join("leak.dmp"), &path).unwrap();
    let mut program = rkd(own.path(), &["leak.dmp", "-q"]);
    let mut child = program.0.spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    keys.write_all(b"? myfault\n").unwrap();
    assert_eq!(next(), "3: kd> ? myfault");
    assert_eq!(
        next(),
        "Evaluate expression: -8764821012480 = fffff807`47f50000"
    );
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(8192)
        .unwrap();
    keys.write_all(b"db myfault L4\nprint(lm().len)\n").unwrap();
    drop(keys);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(
        rest.iter()
            .filter(|line| line.starts_with("leak.dmp: the file was cut short while it was open"))
            .count(),
        2,
        "{rest:?}"
    );
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_pipe_reads_like_a_session() {
    says(
        &["leak.dmp", "-q"],
        "? 1+1\n\nfn twice(x) {\n  x * 2\n}\ntwice(21)\n.echo a;.echo b\nq\n? 3\n",
        "3: kd> ? 1+1\nEvaluate expression: 2 = 00000000`00000002\n3: kd> fn twice(x) {\n  x * 2\n}\n\
         3: kd> twice(21)\n42\n3: kd> .echo a;.echo b\na\nb\n3: kd> q\n",
        "",
        0,
    );
    // The last line needs no newline, and a block that is never closed is an error.
    let open = rkd(&folder(), &["leak.dmp", "-q"]).wait("if true {");
    assert!(open.out.starts_with("3: kd> if true {\nExpecting '}'"));
    assert_eq!(open.status, Some(1));
}

#[test]
fn with_commands_on_the_command_line_standard_input_is_left_alone() {
    let mut child = rkd(&folder(), &["leak.dmp", "-q", "-c", ".echo done"])
        .0
        .spawn()
        .unwrap();
    // Nobody writes to it and nobody closes it, as under some job runners.
    let _held = child.stdin.take();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it waits for its input"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn json_is_a_document_per_command() {
    says(
        &["leak.dmp", "--format", "json", "-c", "? 1+1;.echo hi;? zz;"],
        "",
        "{\"command\":\"? 1+1\",\"rows\":[\n\
         {\"row\":\"value\",\"expression\":\"1+1\",\"value\":\"0x2\",\"signed\":2}\n\
         ],\"notes\":[],\"errors\":[],\"status\":\"ok\"}\n\
         {\"command\":\".echo hi\",\"rows\":[\n{\"row\":\"echo\",\"text\":\"hi\"}\n],\"notes\":[],\"errors\":[],\"status\":\"ok\"}\n\
         {\"command\":\"? zz\",\"rows\":[],\"notes\":[\"no symbol nt!zz\"],\"errors\":[\"Couldn't resolve error at 'zz'\"],\"status\":\"error\"}\n",
        "",
        1,
    );
}

#[test]
fn rows_go_through_pipes_in_every_format() {
    let lines = rkd(&folder(), &["leak.dmp", "--format", "jsonl"]).wait("!poolused 2 Leak\n");
    let rows: Vec<serde_json::Value> = lines
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&rows[0]["tag"], &rows[0]["nonpaged_bytes"]),
        (&"Leak".into(), &4_991_221_760_u64.into())
    );
    let table = rkd(
        &folder(),
        &["leak.dmp", "--format", "csv", "-c", "!poolused 2 Leak"],
    )
    .wait("");
    let mut reader = csv::Reader::from_reader(table.out.as_bytes());
    let column = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "nonpaged_bytes")
        .unwrap();
    assert_eq!(
        &reader.records().next().unwrap().unwrap()[column],
        "4991221760"
    );
}

#[test]
fn colours_are_for_terminals_and_those_who_ask() {
    let arguments = ["leak.dmp", "-q", "-c", "lm a fffff807`47f50000"];
    let plain = rkd(&folder(), &arguments).wait("").out;
    assert!(plain.contains("fffff807`47f50000") && !plain.contains('\x1b'));
    let always = [&arguments[..], &["--color", "always"]].concat();
    for coloured in [
        rkd(&folder(), &always).with("NO_COLOR", "1"),
        rkd(&folder(), &arguments).with("CLICOLOR_FORCE", "1"),
    ] {
        let coloured = coloured.wait("").out;
        assert!(
            coloured.contains("\x1b[36mfffff807`47f50000\x1b[0m"),
            "{coloured}"
        );
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
    let never = [&arguments[..], &["--color", "never"]].concat();
    let never = rkd(&folder(), &never).with("CLICOLOR_FORCE", "1");
    assert_eq!(never.wait("").out, plain);
}

#[test]
fn a_reader_that_leaves_early_is_no_trouble() {
    let mut child = rkd(
        &folder(),
        &[
            "leak.dmp",
            "-q",
            "-c",
            "lm;!poolused;lm;for i in 0..1000000 { print(i) }",
        ],
    )
    .0
    .spawn()
    .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stderr, b"");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_log_is_a_session() {
    let folder = folder();
    let log = tempfile::NamedTempFile::new().unwrap();
    let path = log.path().to_str().unwrap();
    for (switch, command) in [("-logo", "? 1"), ("-loga", "? 2")] {
        let output = rkd(
            &folder,
            &[
                "leak.dmp", "-q", switch, path, "--format", "json", "-c", command,
            ],
        )
        .wait("");
        assert_eq!(output.status, Some(0), "{}", output.err);
    }
    let opened = format!("Opened log file '{path}'\n");
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        format!(
            "{opened}3: kd> ? 1\nEvaluate expression: 1 = 00000000`00000001\n\
             {opened}3: kd> ? 2\nEvaluate expression: 2 = 00000000`00000002\n"
        )
    );
}

#[test]
fn times_are_shown_in_the_zone_that_is_asked_for() {
    let time = |arguments: &[&str], zone: &str| {
        let output = rkd(&folder(), arguments).with("TZ", zone).wait("");
        output.out.lines().next().unwrap().to_string()
    };
    let local = "Debug session time: Sun Dec 10 21:48:36.492 2023 (UTC + 8:00)";
    let command = ["leak.dmp", "-q", "-c", ".time"];
    assert_eq!(time(&command, "Asia/Shanghai"), local);
    for zone in ["Asia/Shanghai", "CST-8"] {
        assert_eq!(
            time(&[&command[..], &["--tz", zone]].concat(), "UTC"),
            local
        );
    }
}

#[test]
fn every_dump_gets_a_row() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(self::folder().join("leak.dmp"), folder.path().join("b.dmp")).unwrap();
    fs::write(folder.path().join("a.dmp"), "no dump").unwrap();
    fs::write(folder.path().join("c.dmp"), "").unwrap();
    let dumps = ["a.dmp", "b.dmp", "c.dmp"];
    let output = rkd(
        folder.path(),
        &[&["run", "pool-leak", "--format", "csv"][..], &dumps].concat(),
    )
    .wait("");
    assert_eq!(output.status, Some(1));
    let mut reader = csv::Reader::from_reader(output.out.as_bytes());
    let heading = reader.headers().unwrap().clone();
    let at = |name: &str| heading.iter().position(|known| known == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name: &str| {
        rows.iter()
            .map(|row| row[at(name)].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(column("dump"), dumps);
    assert_eq!(column("suspects"), ["", "[\"myfault.sys\"]", ""]);
    let errors = column("error");
    assert!(
        errors[0].contains("a.dmp") && errors[1].is_empty() && errors[2].contains("c.dmp"),
        "{errors:?}"
    );

    let json = rkd(
        folder.path(),
        &[&["run", "pool-leak", "--format", "json"][..], &dumps].concat(),
    )
    .wait("");
    let documents: Vec<serde_json::Value> = serde_json::Deserializer::from_str(&json.out)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let status: Vec<&str> = documents
        .iter()
        .map(|document| document["status"].as_str().unwrap())
        .collect();
    assert_eq!(status, ["error", "ok", "error"]);
    assert_eq!(documents[1]["rows"][0]["suspects"][0], "myfault.sys");
}

#[test]
fn the_demo_ends_by_itself_without_a_terminal() {
    let temporary = tempfile::tempdir().unwrap();
    let place = temporary.path().to_str().unwrap();
    let output = rkd(&folder(), &["demo", "--quiet"])
        .with("TMPDIR", place)
        .with("TMP", place)
        .wait("");
    assert_eq!(output.status, Some(0), "{}", output.err);
    let shown = output.out;
    for part in [
        "3: kd> !vm 1\n",
        "NonPagedPool Usage:       1219892 (    4879568 Kb)\n",
        " Leak       119   4991221760          0            0\tUNKNOWN pooltag 'Leak', please update pooltag.txt\n",
        "fffff807`47f51559  4c 65 61 6b 0f 42 c1 41-8d 49 fd 8b d0 ff 15 0c  Leak.B.A.I......\n",
        "myfault fffff807`47f515c7\n",
        "$ rkd run pool-leak notmyfault.dmp\n",
        "fffff807`47f515d2 ff15a01a0000    call    qword ptr [myfault+0x3078 (fffff807`47f53078)] ; ExAllocatePoolWithTag\n",
        "\nmyfault.sys leaks nonpaged pool, proven: 119 allocations of 40.0 MiB with the tag Leak hold 4.6 GiB",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    assert_eq!(
        fs::read_dir(temporary.path()).unwrap().count(),
        0,
        "it leaves something behind"
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_pipe_with_130_and_keeps_what_was_found() {
    let mut child = rkd(
        &folder(),
        &["leak.dmp", "-q", "-c", ".echo before; loop {}"],
    )
    .0;
    child.args(["-c", "loop {}", "-c", ".echo never"]);
    let mut child = child.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "before\n");
    // The script has started when the program has used some time; the signal may come earlier, too.
    std::thread::sleep(Duration::from_millis(300));
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let status = child.wait().unwrap();
    let (mut rest, mut remarks) = (String::new(), String::new());
    out.read_to_string(&mut rest).unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut remarks)
        .unwrap();
    assert!(!rest.contains("never"), "{rest}");
    assert!(
        remarks.ends_with("note: stopped by Ctrl-C: the output is partial\n"),
        "{remarks}"
    );
    assert_eq!(status.code(), Some(130));
}
