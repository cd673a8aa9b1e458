//! The practice dump, asked in Rhai: searches, modules, and every ready investigation with its whole output.

use super::support::{finish, machine, practice, practise};
use rkd::command::{Collect, Value};
use rkd::script::{Script, library};
use rkd::session::Session;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What an investigation says, and its rows as JSON.
fn investigate(session: &mut Session, script: &str, args: &[&str]) -> (String, Vec<String>) {
    let mut out = Collect::default();
    let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
    let outcome = Script::with_modules(None).run_file(session, script.as_ref(), &args, &mut out);
    let json = |row: &rkd::command::Kept| {
        serde_json::to_string(&Value::Record(row.record.clone())).unwrap()
    };
    let rows = out.rows.iter().map(json).collect();
    (finish(out, outcome), rows)
}

/// The practice dump with the clock of the article's author.
fn in_shanghai() -> Session {
    let mut session = practice();
    session.display.time_zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    session
}

#[test]
fn the_article() {
    let (said, rows) = investigate(&mut in_shanghai(), "pool-leak", &[]);
    assert_eq!(said, include_str!("pool-leak.txt"));
    assert_eq!(
        rows,
        [concat!(
            r#"{"verdict":"leak","confidence":"proven","suspects":["myfault.sys"],"#,
            r#""pool":"nonpaged","pool_bytes":5097078784,"pool_share":0.6013295506327615,"#,
            r#""tag":"Leak","tag_bytes":4991221760,"tag_allocations":119,"tag_frees":0,"tag_share":0.9792318250343136,"#,
            r#""sentence":"myfault.sys leaks nonpaged pool, proven: 119 allocations of 40.0 MiB with the tag Leak hold 4.6 GiB, "#,
            r#"97.9 % of nonpaged pool; not one was freed since the start.","roles":["allocates"],"#,
            r#""image_path":"\\??\\C:\\Windows\\system32\\drivers\\myfault.sys","class":"E1","explained_bytes":4991221760,"#,
            r#""evidence":["the tag is the only value that reaches ExAllocatePoolWithTag at 2 sites"],"importers":[],"code_sites":2,"#,
            r#""proof":"fffff807`47f515c5 41b84c65616b    mov     r8d,6B61654Ch             ; 'Leak' | "#,
            r#"fffff807`47f515d2 ff15a01a0000    call    qword ptr [myfault+0x3078 (fffff807`47f53078)] ; ExAllocatePoolWithTag"}"#,
        )]
    );
}

#[test]
fn the_loop_that_the_article_left_out() {
    let (said, rows) = investigate(&mut practice(), "tag-everywhere", &["Leak"]);
    assert_eq!(
        said,
        "myfault fffff807`47f51559\nmyfault fffff807`47f515c7\n"
    );
    assert_eq!(
        rows,
        [
            r#"{"module":"myfault","va":"0xfffff80747f51559","section":".text"}"#,
            r#"{"module":"myfault","va":"0xfffff80747f515c7","section":".text"}"#,
        ]
    );
    let (said, rows) = investigate(&mut practice(), "tag-everywhere", &[]);
    assert_eq!(
        (said.as_str(), rows.len()),
        ("Which tag? rkd run tag-everywhere MEMORY.DMP -- Leak\n", 0)
    );
}

/// The three lines of the introduction, word for word.
#[test]
fn the_loop_at_the_prompt() {
    assert_eq!(
        practise(&[
            "for m in lm() { for hit in m.search(\"Leak\") { print(`${m.name} ${hit}`) } }"
        ]),
        "myfault fffff807`47f51559\nmyfault fffff807`47f515c7\n"
    );
}

#[test]
fn every_investigation_runs() {
    for script in library::SCRIPTS {
        let (said, _) = investigate(&mut practice(), script.name, &["Leak"]);
        assert!(
            !said.is_empty() && !said.contains(".rhai:"),
            "{}: {said}",
            script.name
        );
    }
}

#[test]
fn a_dump_without_pool_tables_gets_one_sentence_and_one_row() {
    let (said, rows) = investigate(&mut machine(&[]), "pool-leak", &[]);
    let why = "nt's symbols are missing: where the kernel was loaded cannot be told from this dump: it holds neither the module list nor the debugger data block";
    assert_eq!(
        said,
        format!("This dump cannot tell who uses the pool: {why}\n")
    );
    assert_eq!(rows, [""; 0]);
}

#[test]
fn a_tag_of_ones_own_choice() {
    let (said, rows) = investigate(&mut practice(), "pool-leak", &["EtwB"]);
    assert_eq!(
        said.lines().rfind(|line| line.contains("allocates it")),
        Some(
            "ntoskrnl.exe allocates it (proven), but for others: look for who makes it do so: 196 allocations with the tag EtwB hold 7.2 MiB, 0.1 % of nonpaged pool; 2318 of 2514 were freed since the start, 7.8 % are still held."
        )
    );
    assert_eq!(rows.len(), 1);
    let (said, rows) = investigate(&mut practice(), "pool-leak", &["leak"]);
    assert_eq!(
        said.lines().last(),
        Some(
            "Nothing is allocated with the tag 'leak'; did you mean 'Leak'? Upper and lower case differ."
        )
    );
    assert_eq!(rows.len(), 0);
}

#[test]
fn searches() {
    let table = [
        ("search_all(\"Leak\")", "\
fffff807`47f51559  4c 65 61 6b 0f 42 c1 41-8d 49 fd 8b d0 ff 15 0c  Leak.B.A.I......
fffff807`47f515c7  4c 65 61 6b 0f 42 c1 33-c9 8b d0 ff 15 a0 1a 00  Leak.B.3........
note: searched A of B in modules: the rest is not in the dump (coverage() says what is missing where)
"),
        ("search_all(\"Leak\", #{modules: [\"myfault\"], code_only: true}).count()", "2\nnote: searched A of B in modules: the rest is not in the dump (coverage() says what is missing where)\n"),
        ("search_all([\"Leak\", \"eak\"], #{modules: [module(\"myfault\")]}).to_array().map(|hit| `${hit.pattern} ${hit}`)", "[\"Leak fffff807`47f51559\", \"eak fffff807`47f5155a\", \"Leak fffff807`47f515c7\", \"eak fffff807`47f515c8\"]\nnote: searched A of B in modules: the rest is not in the dump (coverage() says what is missing where)\n"),
        ("search(0xfffff80747f50000, 0x9000, \"Leak\").first().section_offset", "1369\n"),
        ("search(0xfffff80747f50000, 0x9000, \"Leak\").first().module_offset", "5465\n"),
        ("search(0xfffff80747f50000, 0x9000, \"leak\", #{any_case: true}).count()", "2\n"),
        ("search(0xfffff80747f5155a, 0x9000, \"Leak\").count()", "1\n"),
        ("search(0xfffff80747f51559, 4, \"Leak\").count()", "1\n"),
        ("search(0xfffff80747f51559, 3, \"Leak\").count()", "0\n"),
        ("space().search(0xfffff80747f50000, 0x9000, \"Leak\").count()", "2\n"),
        ("space().search(0xfffff80747f50000, 0x9000, #{hex: \"4c65616b\"}).count()", "2\n"),
        ("space(0x1ad000).search(0xfffff80747f50000, 0x9000, \"lEAK\", #{any_case: true}).first().section", ".text\n"),
        ("space().search(0xfffff80747f50000, 0x9000, \"Leak\", #{writable: true}).count()", "0\n"),
        ("let n = 0; for hit in space().search(\"Leak\") { if hit.module == \"myfault\" { n += 1; } } n", "2\n"),
        ("let n = 0; for hit in physical().search(\"Leak\") { if hit.page_offset == 0x559 || hit.page_offset == 0x5c7 { n += 1; } } n", "2\n"),
        ("physical().search(\"Leak\").first().keys()", "[\"physical\", \"pfn\", \"page_offset\", \"pattern\", \"bytes\"]\n"),
        ("physical().search(\"Leak\", #{writable: true})", "Physical memory does not know what may be written to\n    physical().search(\"Leak\", #{writable: true})\n               ^\n"),
        ("module(\"myfault\").search(#{u32: tag(\"Leak\")}).count()", "2\n"),
        ("module(\"myfault\").search(#{hex: \"41 b8 ?? 65 61 6b\"}).first()", "fffff807`47f51557  41 b8 4c 65 61 6b 0f 42-c1 41 8d 49 fd 8b d0 ff  A.Leak.B.A.I....\n"),
        ("module(\"myfault\").search(#{utf16: \"Leak\"}).first()", ""),
        ("lm().filter(|m| m.kind() == \"unloaded_module\").map(|m| m.search(\"Leak\").count())", "[0, 0]\n"),
        ("search_all(5)", "Say how wide the number is: #{u32: n} or #{u64: n}\n    search_all(5)\n    ^\n"),
        ("search_all(#{u16: tag(\"Leak\")})", "1801545036 does not fit into 2 bytes\n    search_all(#{u16: tag(\"Leak\")})\n    ^\n"),
        ("search_all(#{align: 4})", "A pattern needs one of text, utf16, hex, bytes, u8, u16, u32, u64\n    search_all(#{align: 4})\n    ^\n"),
        ("search_all(\"x\", #{modules: [\"nosuch\"]})", "No module 'nosuch' is loaded\n    search_all(\"x\", #{modules: [\"nosuch\"]})\n    ^\n"),
        ("vm(1)[0].search(\"x\")", "A row of kind 'page_file' has no start and end\n    vm(1)[0].search(\"x\")\n             ^\n"),
    ];
    for (source, expected) in table {
        assert_eq!(practise(&[source]), expected, "{source}");
    }
}

/// A loop that breaks off leaves the rest unsearched, and Ctrl-C ends a search that would go on for hours.
#[test]
fn a_search_goes_only_as_far_as_it_is_asked() {
    let start = Instant::now();
    assert_eq!(
        practise(&[
            "let n = 0; for hit in search(0, -1, #{hex: \"0?\"}) { n += 1; if n == 5 { break; } } n"
        ]),
        "5\n"
    );
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    let mut session = practice();
    let stop = std::sync::Arc::clone(&session.control.stop);
    let pressed = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
        Instant::now()
    });
    let mut script = Script::with_modules(None);
    let mut out = Collect::default();
    let outcome = script.run_line(
        &mut session,
        "loop { search(0xffff800000000000, 0x7fffffffffff, \"no such text\").count(); }",
        &mut out,
    );
    let late = pressed.join().unwrap().elapsed();
    assert_eq!(finish(out, outcome), "stopped\n");
    assert!(late < Duration::from_secs(2), "{late:?}");
}

#[test]
fn the_kernel_by_its_types() {
    let table = [
        (
            "text(list_of(sym(\"PsActiveProcessHead\"), \"_EPROCESS\", \"ActiveProcessLinks\")[0].ImageFileName)",
            "System\n",
        ),
        (
            "let p = list_of(sym(\"PsActiveProcessHead\"), \"_EPROCESS\", \"ActiveProcessLinks\")[0]; p.UniqueProcessId",
            "00000000`00000004\n",
        ),
        (
            "offset_of(\"nt!_EPROCESS\", \"ActiveProcessLinks\")",
            "1096\n",
        ),
        ("size_of(\"_EPROCESS\")", "2624\n"),
        (
            "typed(\"_NOSUCH\", 0)",
            "No type _NOSUCH\n    typed(\"_NOSUCH\", 0)\n    ^\n",
        ),
        (
            "typed(\"_EPROCESS\", 0).UniqueProcessId",
            "Cannot read 00000000`00000440: not mapped (PXE is zero)\n    typed(\"_EPROCESS\", 0).UniqueProcessId\n                         ^\n",
        ),
        (
            "typed(\"_EPROCESS\", 0).Nosuch",
            "_EPROCESS has no field Nosuch\n    typed(\"_EPROCESS\", 0).Nosuch\n                         ^\n",
        ),
        (
            "typed(\"_EPROCESS\", 0).has(\"Pcb.DirectoryTableBase\")",
            "true\n",
        ),
        (
            "name_of(sym(\"nt!KeBugCheckEx\") + 5)",
            "nt!KeBugCheckEx+0x5\n",
        ),
        ("name_of(0xfffff80747f51559)", "myfault+0x1559\n"),
        ("sym(\"myfault\")", "fffff807`47f50000\n"),
        (
            "sym(\"nt!NoSuch\")",
            "No symbol nt!NoSuch\n    sym(\"nt!NoSuch\")\n    ^\n",
        ),
        (
            "eval(\"poi(nt!PoolTrackTable)\") == read_ptr(sym(\"PoolTrackTable\"))",
            "true\n",
        ),
        ("module(\"MYFAULT\").name", "myfault\n"),
        ("module(0xfffff80747f51559).name", "myfault\n"),
        ("module(\"myfault\").contains(0xfffff80747f58fff)", "true\n"),
        (
            "module(\"myfault\").contains(0xfffff80747f59000)",
            "false\n",
        ),
        ("module(\"myfault\").read(0, 2)", "4d 5a\n"),
        (
            "module(0)",
            "No loaded module holds 00000000`00000000\n    module(0)\n    ^\n",
        ),
        ("lm().len - modules().len", "2\n"),
        ("poolused(2)[0].tag", "Leak\n"),
        (
            "[poolused(\"2 Leak\"), poolused(2, \"Leak\"), kd_rows(\"!poolused 2 Leak\")].map(|rows| rows[0].nonpaged_bytes)",
            "[4991221760, 4991221760, 4991221760]\n",
        ),
        (
            "poolused(2, \"Leak\")[0].nosuch",
            "A row of kind 'tag' has no field 'nosuch'; it has tag, tag_bytes, nonpaged_allocs, nonpaged_frees, nonpaged_outstanding, nonpaged_bytes, paged_allocs, paged_frees, paged_outstanding, paged_bytes, description\n    poolused(2, \"Leak\")[0].nosuch\n                          ^\n",
        ),
        (
            "tag(\"Leak\") == 0x6b61654c && tag(0x6b61654c) == \"Leak\"",
            "true\n",
        ),
        (
            "tag(\"Leaks\")",
            "'Leaks' is no pool tag: a tag has one to four characters\n    tag(\"Leaks\")\n    ^\n",
        ),
        ("dump_info().build", "19041\n"),
    ];
    for (source, expected) in table {
        assert_eq!(practise(&[source]), expected, "{source}");
    }
}
