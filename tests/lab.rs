//! The practice dumps, read by other people's code and by reading of our own that shares nothing with the library's.

use kdmp_parser::gxa::Gpa;
use kdmp_parser::parse::KernelDumpParser;
use kdmp_parser::phys;
use rkd::lab::{self, Kind, Options};
use rkd::symbols::{SymbolTable, builtin_facts};

fn table(version: &str) -> SymbolTable {
    builtin_facts().by_version(version).expect("a known kernel")
}

fn article() -> SymbolTable {
    table("10.0.19041.3570")
}

fn make(table: &SymbolTable, options: &Options) -> Vec<u8> {
    let mut bytes = Vec::new();
    let case = lab::scenario("notmyfault").expect("the scenario");
    let made = lab::make(case, table, options, &mut bytes).expect("a dump");
    assert_eq!(made.bytes, bytes.len() as u64);
    bytes
}

fn options(kind: Kind) -> Options {
    Options {
        kind,
        ..Options::default()
    }
}

/// All kinds that hold physical memory are opened by kdmp-parser, and show the pages that the lab had.
#[test]
fn kdmp_parser_sees_the_same_pages_in_every_kind() {
    let case = lab::scenario("notmyfault").expect("the scenario");
    let snapshot = lab::snapshot(case, &article(), &Options::default()).expect("a machine");
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Triage) {
        let bytes = make(&article(), &options(kind));
        let parser = KernelDumpParser::with_reader(std::io::Cursor::new(bytes)).expect(kind.name());
        let reader = phys::Reader::new(&parser);
        let mut page = [0; 4096];
        for (pfn, contents) in snapshot.ram.frames() {
            reader
                .read_exact(Gpa::new(pfn.phys().0), &mut page)
                .expect(kind.name());
            assert!(page == *contents, "{}: frame {pfn} differs", kind.name());
        }
        let present = parser.physmem().len() as u64;
        if kind == Kind::Full {
            assert!(present >= snapshot.ram.present());
        } else {
            assert_eq!(present, snapshot.ram.present(), "{}", kind.name());
        }
        let modules: Vec<&str> = parser.kernel_modules().map(|(_, name)| name).collect();
        assert_eq!(modules.len(), 175, "{}", kind.name());
        assert!(modules.contains(&"\\??\\C:\\Windows\\system32\\drivers\\myfault.sys"));
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for kind in Kind::ALL {
        assert!(
            make(&article(), &options(kind)) == make(&article(), &options(kind)),
            "{}",
            kind.name()
        );
    }
}

#[test]
fn dumps_are_small() {
    for kind in Kind::ALL {
        let bytes = make(&article(), &options(kind)).len();
        assert!(bytes <= 32 << 20, "{}: {bytes} bytes", kind.name());
    }
}
