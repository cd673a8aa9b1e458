//! A symbol file that lies: types that contain themselves, offsets and counts without measure, names with escape codes. Every
//! command ends, with a sentence or with as much as anybody reads.

use super::machine::{OBJECTS, fixtures, session};
use crate::support::say;
use goblin::pe::PE;
use rkd::command::{Row, Sink, run_line};
use rkd_dump::error::Error;
use rkd_symbols::{Guid, PdbId};
use std::sync::atomic::Ordering;

fn hostile() -> tempfile::TempDir {
    let image = std::fs::read(fixtures().join("driver.sys")).unwrap();
    let image = PE::parse(&image).unwrap();
    let record = image.debug_data.unwrap().codeview_pdb70_debug_info.unwrap();
    let id = PdbId::new(
        Guid::from_memory(record.signature),
        record.age,
        "driver.pdb",
    );
    let user = |name: &str| format!(r#"{{"kind":"struct","name":"{name}"}}"#);
    let field = |offset: u64, ty: &str| format!(r#"{{"offset":{offset},"type":{ty}}}"#);
    let pointer = |to: &str| format!(r#"{{"kind":"pointer","subtype":{to}}}"#);
    let array =
        |of: &str, count: u64| format!(r#"{{"kind":"array","count":{count},"subtype":{of}}}"#);
    let byte = r#"{"kind":"base","name":"unsigned char"}"#;
    let bits = r#"{"kind":"bitfield","bit_position":200,"bit_length":255,"type":{"kind":"base","name":"unsigned char"}}"#;
    let hidden =
        |offset: u64, ty: &str| format!(r#"{{"offset":{offset},"anonymous":true,"type":{ty}}}"#);
    let udt = |size: u64, fields: &[(&str, String)]| {
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, field)| format!("\"{name}\":{field}"))
            .collect();
        format!(
            r#"{{"kind":"struct","size":{size},"fields":{{{}}}}}"#,
            fields.join(",")
        )
    };
    let types = [
        (
            "_SELF",
            udt(
                0,
                &[
                    ("A", field(0, &user("_SELF"))),
                    ("B", hidden(0, &user("_SELF"))),
                    ("C", field(0, &array(&user("_SELF"), 1 << 62))),
                ],
            ),
        ),
        (
            "_PING",
            udt(
                8,
                &[
                    ("P", field(0, &user("_PONG"))),
                    ("To", field(0, &pointer(&user("_PONG")))),
                ],
            ),
        ),
        (
            "_PONG",
            udt(
                8,
                &[
                    ("P", field(0, &user("_PING"))),
                    ("To", field(0, &pointer(&user("_PING")))),
                ],
            ),
        ),
        (
            "_HUGE",
            udt(
                u64::MAX,
                &[
                    ("Bytes", field(0, &array(byte, u64::MAX))),
                    ("Far", field(u64::MAX - 3, byte)),
                    ("Many", field(8, &array(&user("_PING"), u64::MAX))),
                    ("Bits", field(0, bits)),
                    ("Lost", field(0, &user("_NOWHERE"))),
                    ("Kind", field(0, r#"{"kind":"enum","name":"_ODD"}"#)),
                    ("\\u001b[2JName", field(0, byte)),
                ],
            ),
        ),
        ("_LIST_ENTRY", udt(16, &[("Flink", field(u64::MAX, byte))])),
        (
            "_UNICODE_STRING",
            udt(
                2,
                &[
                    ("Length", field(0, byte)),
                    ("Buffer", field(0, &pointer(byte))),
                ],
            ),
        ),
    ];
    let types: Vec<String> = types
        .iter()
        .map(|(name, udt)| format!("\"{name}\":{udt}"))
        .collect();
    let text = format!(
        r#"{{"metadata":{{"format":"6.1.0","windows":{{"pdb":{{"GUID":"{}","age":{},"database":"driver.pdb","machine_type":34404}}}}}},
        "symbols":{{"Good":{{"address":4096}},"\u001b[31mRed":{{"address":4100}},"Far":{{"address":4294967295}}}},
        "enums":{{"_ODD":{{"base":"int","size":18446744073709551615,"constants":{{"\u001b[0mX":-1}}}}}},
        "base_types":{{"void":{{"kind":"void","size":0,"signed":false,"endian":"little"}},
        "pointer":{{"kind":"int","size":8,"signed":false,"endian":"little"}},
        "unsigned char":{{"kind":"char","size":1,"signed":false,"endian":"little"}}}},
        "user_types":{{{}}}}}"#,
        id.guid,
        id.age,
        types.join(",")
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(format!("{}.json", id.isf_name())), text).unwrap();
    folder
}

#[test]
fn every_command_ends() {
    let folder = hostile();
    let mut session = session(folder.path());
    let at = format!("{OBJECTS:x}");
    for ty in [
        "_SELF",
        "_PING",
        "_PONG",
        "_HUGE",
        "_LIST_ENTRY",
        "_UNICODE_STRING",
        "_ODD",
    ] {
        for options in [
            "", "-v", "-r", "-b", "-a", "-a3 -b", "-r9 -a", "-c", "-oi", "-rv",
        ] {
            for address in ["", &at, "0", "ffffffff`ffffffff"] {
                say(&mut session, &format!("dt {options} driver!{ty} {address}"));
            }
        }
        say(
            &mut session,
            &format!(
                "dt driver!{ty} {at} A.A.A.A. P.P.P. To.To.To. C[4611686018427387904]. Many[9]."
            ),
        );
        say(&mut session, &format!("dt -l To driver!{ty} {at}"));
        say(&mut session, &format!("dt -l A driver!{ty} {at}"));
        say(&mut session, &format!("dt driver!{ty}[3] {at}"));
    }
    let screen = say(&mut session, "dt driver!_SELF");
    assert_eq!(
        screen,
        "   +0x000 A                : _SELF\n   +0x000 B                : _SELF\n   +0x000 C                : [4611686018427387904] _SELF\n"
    );
    say(&mut session, "dt driver!*[*");
    say(&mut session, &format!("x driver!{}", "*a".repeat(300)));
    assert!(say(&mut session, "x driver!*").contains("driver!Good"));
    assert!(say(&mut session, "ln driver+1004").contains("Red"));
}

#[test]
fn arrays_without_measure_are_cut_and_said() {
    let folder = hostile();
    let mut session = session(folder.path());
    let screen = say(
        &mut session,
        &format!("dt -a driver!_HUGE {OBJECTS:x} Bytes"),
    );
    assert!(
        screen.contains(
            "\nnote: Bytes: the first 65536 of 18446744073709551615 elements are shown\n"
        )
    );
    assert_eq!(
        screen
            .lines()
            .filter(|line| line.starts_with("    ["))
            .count(),
        65536
    );
}

/// Counts rows, and asks for the end after some.
struct Impatient<'a> {
    rows: usize,
    stop: &'a std::sync::atomic::AtomicBool,
}

impl Sink for Impatient<'_> {
    fn row(&mut self, _: &dyn Row) -> rkd_dump::error::Result<()> {
        self.rows += 1;
        if self.rows == 5 {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
    fn text(&mut self, _: &str) -> rkd_dump::error::Result<()> {
        Ok(())
    }
    fn note(&mut self, _: &str) -> rkd_dump::error::Result<()> {
        Ok(())
    }
}

#[test]
fn ctrl_c_ends_every_walk() {
    for line in [
        format!("dt -r driver!_OBJECT {OBJECTS:x}"),
        format!("dt -a driver!_OBJECT {OBJECTS:x}"),
        format!("dt -l Links.Flink driver!_OBJECT {OBJECTS:x}"),
        "dt driver!*".into(),
        format!("dt ULONG[100] {OBJECTS:x}"),
        "x driver!*".into(),
    ] {
        let mut session = session(&fixtures());
        let stop = session.control.stop.clone();
        let mut out = Impatient {
            rows: 0,
            stop: &stop,
        };
        let result = run_line(&mut session, &line, &mut out);
        assert!(matches!(result, Err(Error::Stopped)), "{line}: {result:?}");
        assert_eq!(out.rows, 5, "{line}");
    }
}
