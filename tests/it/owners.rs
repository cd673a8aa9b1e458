//! From the shell: owners that only a tag database knows, growth between two dumps, and dumps that cannot tell.

use crate::support::practice::{ARTICLE, own_folder, session};
use crate::support::program::rkd;
use std::fs;
use std::path::Path;

/// Runs it, wants this status, and gives standard output.
fn done(folder: &Path, arguments: &[&str], status: i32) -> String {
    let output = rkd(folder, arguments).wait("");
    let (out, err) = (output.out, output.err);
    assert_eq!(output.status, Some(status), "{arguments:?}: {out}{err}");
    assert!(!err.contains("panicked"), "{arguments:?}: {err}");
    out
}

/// The machine's dump lacks the driver's pages; its file was read on another day, and is no longer there.
#[test]
fn a_tag_database_convicts_where_the_pages_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let make = [
        "lab",
        "make",
        "paged-out",
        "-o",
        "witness.dmp",
        "--drivers",
        "drivers",
    ];
    done(folder, &make, 0);
    let file = folder.join("drivers/scanq.sys");
    let database = ["tags", "drivers/scanq.sys", "--database", "tags.jsonl"];
    done(folder, &database, 0);
    // the same name, another build: what is known of it must not speak for the one that was loaded
    let mut other = fs::read(&file).unwrap();
    let stamp = other.windows(4).position(|four| four == b"PE\0\0").unwrap() + 8;
    other[stamp] ^= 1;
    fs::write(&file, other).unwrap();
    let database = ["tags", "drivers/scanq.sys", "--database", "other.jsonl"];
    done(folder, &database, 0);
    fs::remove_file(&file).unwrap();

    let ask = |database: &str| {
        let line = "!poolowner ScnQ";
        let arguments = ["witness.dmp", "-q", "--tag-database", database, "-c", line];
        done(folder, &arguments, 0)
    };
    let holds = "Pool tag 'ScnQ' (0x516e6353) holds 2147483648 bytes of paged pool in 1048576 allocations, 40960 freed since the start";
    assert_eq!(
        ask("tags.jsonl"),
        format!(
            "{holds}\n
scanq.sys: proven (E1)   \\SystemRoot\\System32\\drivers\\scanq.sys
    the tag is the only value that reaches ExAllocatePoolWithTag at 1 site
    asks for 0x7f0 bytes; the blocks are 2.0 KiB: that fits, with the header and the allocator's rounding
    read from the tag database
  E1: paged pool, 0x7f0 bytes
fffff807`4a001024 41b853636e51    mov     r8d,516E6353h             ; 'ScnQ'
fffff807`4a001034 ff151e100000    call    qword ptr [scanq+0x2058 (fffff807`4a002058)] ; ExAllocatePoolWithTag
  E3: frees
fffff807`4a001054 ba53636e51      mov     edx,516E6353h             ; 'ScnQ'
fffff807`4a001060 ff15fa0f0000    call    qword ptr [scanq+0x2060 (fffff807`4a002060)] ; ExFreePoolWithTag
"
        )
    );
    assert_eq!(ask("other.jsonl"), format!("{holds}\n\n"));
}

/// A healthy machine, and the same one with a leak.
#[test]
fn growth_between_two_dumps_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = done(folder, &["lab", "make", "healthy", "-o", "before.dmp"], 0);
    assert!(made.starts_with("before.dmp: a kernel dump of Windows 10.0.19041."));
    done(folder, &["lab", "make", "shared-tag", "-o", "after.dmp"], 0);
    let ask = |dump: &str, line: &str, status| done(folder, &[dump, "-q", "-c", line], status);
    let table = |bytes: &str, count: &str| {
        format!(
            " Tag      Change in bytes    Allocs      Bytes per hour   Allocs per hour\n AcLb {bytes:>19} {count:>9}                   -                 -\tUNKNOWN pooltag 'AcLb', please update pooltag.txt\n"
        )
    };
    assert_eq!(
        ask("after.dmp", "!pooldiff before.dmp", 0),
        table("2013265920", "24576")
    );
    assert_eq!(
        ask("before.dmp", "!pooldiff after.dmp", 0),
        table("-2013265920", "-24576")
    );
    let first =
        "print(pool_diff([], ()).map(|row| row.tag)[0]); print(pool_diff((), poolused()).len)";
    assert_eq!(ask("after.dmp", first, 0), "AcLb\n0\n");
    // a script opens no files, not even by way of this function, unless the user lets it
    let refused = ask("after.dmp", r#"pool_diff("before.dmp", ())"#, 1);
    assert!(
        refused.starts_with("A script may not open files: "),
        "{refused}"
    );
    let both = r#"for row in pool_diff("before.dmp", "after.dmp") { print(`${row.tag} ${row.nonpaged_bytes + row.paged_bytes}`) }"#;
    assert_eq!(
        done(folder, &["after.dmp", "-q", "--allow", "-c", both], 0),
        "AcLb 2013265920\n"
    );
}

/// What `!poolowner` and `!leak` say last on a dump that cannot tell is a sentence, and the status is 1.
#[test]
fn dumps_that_cannot_tell_are_an_error_with_the_reason() {
    let folder = own_folder(ARTICLE);
    let folder = folder.path();
    let triage = [
        "lab",
        "make",
        "notmyfault",
        "-o",
        "triage.dmp",
        "--kind",
        "triage",
    ];
    done(folder, &triage, 0);
    let mut bytes = fs::read(folder.join("leak.dmp")).unwrap();
    fs::write(folder.join("cut.dmp"), &bytes[..3_000_000]).unwrap();
    // a kernel that nobody has symbols for: its PDB has another GUID, which stands before the name
    let name = bytes
        .windows(12)
        .position(|at| at == b"ntkrnlmp.pdb")
        .unwrap();
    bytes[name - 20..name - 4].fill(0xee);
    fs::write(folder.join("strange.dmp"), &bytes).unwrap();
    for (dump, why) in [
        (
            "cut.dmp",
            "nt's symbols are missing: where the kernel was loaded cannot be told from this dump: it holds neither the module list nor the debugger data block",
        ),
        (
            "triage.dmp",
            "this is a triage (\"small memory\") dump, which never holds the pool tables: ask for a kernel, automatic, active or complete memory dump, or a live kernel dump from Task Manager",
        ),
        (
            "strange.dmp",
            "nt's symbols are missing, and this kernel is not among the built-in ones: give its PDB or symbol table with -y, or fetch it (.symfix, .reload)",
        ),
    ] {
        for line in [
            "!poolowner *",
            "!poolowner Leak",
            "!poolowner Leak -all",
            "!leak",
            "!leak Leak",
        ] {
            // the code of the driver speaks for itself, even when the counters do not
            if dump == "strange.dmp" && line.contains("Leak") {
                let said = done(folder, &[dump, "-q", "-c", line], 0);
                assert!(said.contains("\nmyfault.sys: proven (E1)   "), "{said}");
                assert!(
                    line.starts_with("!poolowner")
                        || said.ends_with(&format!("\n  Proven to allocate under 'Leak': myfault.sys. How much that is this dump cannot tell: {why}\n")),
                    "{said}"
                );
                continue;
            }
            let said = done(folder, &[dump, "-q", "-c", line], 1);
            assert_eq!(said.lines().last(), Some(why), "{dump} {line}");
        }
    }
}

/// Escape codes and other bytes that no screen should get: shown as dots, and answered like any other tag.
#[test]
fn tags_that_cannot_be_printed_are_answered_in_dots() {
    let folder = own_folder(ARTICLE);
    let folder = folder.path();
    for (tag, status, said) in [
        ("\u{1b}]0x", 0, "Pool tag '.]0x' (0x78305d1b) holds nothing"),
        (
            "\u{7}\u{8}",
            0,
            "Pool tag '..  ' (0x20200807) holds nothing",
        ),
        ("\u{6f22}", 0, "Pool tag '... ' (0x20a2bce6) holds nothing"),
        (
            "0x9b9b9b9b",
            0,
            "Pool tag '....' (0x9b9b9b9b) holds nothing",
        ),
        (
            "\u{1b}[31mLeak",
            1,
            "is no pool tag: a tag has one to four characters",
        ),
        (
            "0x123456789",
            1,
            "'0x123456789' is no pool tag: a tag has one to four characters",
        ),
    ] {
        let output = rkd(
            folder,
            &["leak.dmp", "-q", "-c", &format!("!poolowner {tag}")],
        )
        .wait("");
        let (out, err) = (output.out, output.err);
        assert!(out.contains(said), "{tag:?}: {out}{err}");
        assert_eq!(output.status, Some(status), "{tag:?}: {out}{err}");
        let output = rkd(folder, &["leak.dmp", "-q", "-c", &format!("!leak {tag}")]).wait("");
        let status = output.status;
        let leak = output.all();
        assert_eq!(status, Some(1), "{tag:?}: {leak}");
        for said in [&out, &err, &leak] {
            let is_control = |c: char| c.is_control() && c != '\n';
            assert!(!said.contains(is_control), "{tag:?}: {said:?}");
        }
    }
}

/// A screen on which Ctrl-C is pressed when the last module has been read: it takes remarks, and nothing else any more.
#[derive(Default)]
struct Impatient {
    pressed: bool,
    notes: Vec<String>,
}

impl Impatient {
    fn check(&self) -> rkd_dump::error::Result<()> {
        match self.pressed {
            true => Err(rkd_dump::error::Error::Stopped),
            false => Ok(()),
        }
    }
}

impl rkd::command::Sink for Impatient {
    fn row(&mut self, _: &dyn rkd::command::Row) -> rkd_dump::error::Result<()> {
        self.check()
    }

    fn text(&mut self, _: &str) -> rkd_dump::error::Result<()> {
        self.check()
    }

    fn note(&mut self, note: &str) -> rkd_dump::error::Result<()> {
        self.notes.push(note.to_owned());
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64, _: &'static str) -> rkd_dump::error::Result<()> {
        self.pressed |= done == total;
        self.check()
    }
}

#[test]
fn ctrl_c_keeps_who_was_proven_until_then() {
    for (line, kept) in [
        (
            "!poolowner Leak",
            "until then: myfault.sys is proven to allocate under 'Leak'",
        ),
        (
            "!leak",
            "until then: myfault.sys is proven to allocate under 'Leak'",
        ),
        (
            "!poolowner * /t20",
            "until then 19 of 20 tags had a proven owner",
        ),
    ] {
        let mut session = session(ARTICLE);
        let mut screen = Impatient::default();
        let outcome = rkd::command::run_line(&mut session, line, &mut screen);
        assert!(
            matches!(outcome, Err(rkd_dump::error::Error::Stopped)),
            "{line}"
        );
        assert!(screen.notes[0].starts_with("stopped after "), "{line}");
        assert_eq!(screen.notes[1], kept, "{line}");
    }
}
