//! The practice dumps, read by other people's code and by reading of our own that shares nothing with the library's.

use crate::support::practice::{self, ARTICLE, scenario, table};
use kdmp_parser::gxa::Gpa;
use kdmp_parser::parse::KernelDumpParser;
use kdmp_parser::phys;
use rkd_dump::Dump;
use rkd_dump::error::Error;
use rkd_kernel::Kernel;
use rkd_kernel::pool::tracker::tracker;
use rkd_kernel::vm::vm;
use rkd_lab::{Kind, Options};
use rkd_symbols::{Source, SymbolTable, TableBuilder};

fn article() -> SymbolTable {
    table("10.0.19041.3570")
}

fn make(table: &SymbolTable, options: &Options) -> Vec<u8> {
    practice::make(scenario(ARTICLE), table, options)
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
    let case = scenario(ARTICLE);
    let snapshot = rkd_lab::snapshot(case, &article(), &Options::default()).expect("a machine");
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| !matches!(kind, Kind::Triage | Kind::Raw))
    {
        let bytes = practice::bytes(ARTICLE, kind);
        let parser = KernelDumpParser::with_reader(std::io::Cursor::new(bytes))
            .unwrap_or_else(|error| panic!("{}: {error}", kind.name()));
        let reader = phys::Reader::new(&parser);
        let kernel_only = matches!(kind, Kind::BitmapKernel | Kind::RangeKernel);
        let mut page = [0; 4096];
        let mut left_out = 0;
        for (pfn, contents) in snapshot.ram.frames() {
            if kernel_only && snapshot.user_frames.contains(&pfn.0) {
                left_out += 1;
                assert!(
                    reader
                        .read_exact(Gpa::new(pfn.phys().0), &mut page)
                        .is_err()
                );
                continue;
            }
            reader
                .read_exact(Gpa::new(pfn.phys().0), &mut page)
                .unwrap_or_else(|error| panic!("{}: {error}", kind.name()));
            assert!(page == *contents, "{}: frame {pfn} differs", kind.name());
        }
        let present = parser.physmem().len() as u64;
        if kind == Kind::Full {
            assert!(present >= snapshot.ram.present());
        } else {
            assert_eq!(
                present + left_out,
                snapshot.ram.present(),
                "{}",
                kind.name()
            );
        }
        assert_eq!(left_out > 0, kernel_only);
        let modules: Vec<&str> = parser.kernel_modules().map(|(_, name)| name).collect();
        assert_eq!(modules.len(), 175, "{}", kind.name());
        assert!(modules.contains(&"\\??\\C:\\Windows\\system32\\drivers\\myfault.sys"));
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Raw) {
        assert!(
            make(&article(), &options(kind)) == practice::bytes(ARTICLE, kind),
            "{}",
            kind.name()
        );
    }
}

#[test]
fn dumps_are_small() {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Raw) {
        let bytes = practice::bytes(ARTICLE, kind).len();
        assert!(bytes <= 32 << 20, "{}: {bytes} bytes", kind.name());
    }
}

/// For the newest kernel of every family the library reads the same figures, as far as the kernel keeps them.
#[test]
fn every_family_of_kernels_tells_the_same_figures() {
    for version in [
        "6.1.7601.24540",
        "6.3.9600.21620",
        "10.0.14393.6343",
        "10.0.17763.5933",
        "10.0.18362.836",
        "10.0.19041.3570",
        "10.0.20348.2529",
        "10.0.22000.2538",
    ] {
        let dump = Dump::from_bytes("leak.dmp", make(&table(version), &Options::default()))
            .expect(version);
        let kernel = Kernel::open(dump, &Default::default());
        assert_eq!(kernel.notes(), &[] as &[String], "{version}");
        assert_eq!(
            (kernel.modules().len(), kernel.unloaded().len()),
            (175, 2),
            "{version}"
        );
        let vm = vm(&kernel).expect(version);
        let missing: Vec<&str> = vm
            .counters
            .iter()
            .filter(|counter| counter.pages.is_err())
            .map(|counter| counter.label)
            .collect();
        let old = version.starts_with('6');
        assert_eq!(missing.is_empty(), !old, "{version}: {missing:?}");
        for (key, pages) in [
            ("physical_pages", 2_069_421),
            ("available_pages", 445_015),
            ("resident_available_pages", 707_292),
            (
                "free_system_ptes",
                if version.starts_with("6.1") {
                    85_135
                } else {
                    4_295_052_431
                },
            ),
            ("modified_pages", 11_479),
            ("modified_no_write_pages", 0),
            ("nonpaged_pool_pages", 1_219_892),
            ("nonpaged_pool_nx_pages", 24_512),
            ("nonpaged_pool_max_pages", 1 << 32),
            ("paged_pool_pages", 32_907),
            ("paged_pool_max_pages", 1 << 32),
            ("nonpaged_pool_commit_pages", 1_246_469),
            ("kernel_stack_pages", 7_494),
        ] {
            let Some(counter) = vm.counter(key) else {
                assert!(
                    old && key == "nonpaged_pool_nx_pages",
                    "{version} has no line {key}"
                );
                continue;
            };
            match &counter.pages {
                Ok(found) => assert_eq!(*found, pages, "{version}: {key}"),
                Err(_) => assert!(
                    old && key == "nonpaged_pool_commit_pages",
                    "{version}: {key}"
                ),
            }
        }
        let sums = [vm.sum_system_commit(), vm.private, vm.committed, vm.limit];
        assert_eq!(
            sums.map(|sum| sum.expect(version)),
            [1_409_562, 279_673, 1_688_747, 4_166_573],
            "{version}"
        );
        let tracker = tracker(&kernel).expect(version);
        let leak = tracker
            .tags
            .iter()
            .find(|tag| tag.tag.0 == *b"Leak")
            .expect(version);
        assert_eq!(
            (leak.nonpaged.outstanding(), leak.nonpaged.bytes),
            (119, 4_991_221_760),
            "{version}"
        );
        assert_eq!(tracker.tables, 8, "{version}");
    }
}

/// What a kernel has no place for is said.
#[test]
fn figures_without_a_place_are_named() {
    let case = scenario(ARTICLE);
    let made = rkd_lab::make(
        case,
        &table("6.1.7601.24540"),
        &Options::default(),
        &mut Vec::new(),
    )
    .expect("a dump");
    assert!(
        made.homeless
            .iter()
            .any(|line| line == "NonPagedPool Commit"),
        "{:?}",
        made.homeless
    );
    assert_eq!(made.version, "6.1.7601.24540");
    let made =
        rkd_lab::make(case, &article(), &Options::default(), &mut Vec::new()).expect("a dump");
    assert_eq!(made.homeless, [] as [&str; 0]);
}

#[test]
fn what_cannot_be_made_is_said_and_leaves_no_file() {
    let case = scenario(ARTICLE);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("leak.dmp");
    let options = Options {
        version: Some("next".into()),
        ..Options::default()
    };
    let error = rkd_lab::make_file(case, &article(), &options, &path).expect_err("no version");
    assert!(error.to_string().contains("10.0.19041.3570"), "{error}");
    let empty = TableBuilder::new(Source::Facts).build();
    let error =
        rkd_lab::make_file(case, &empty, &Options::default(), &path).expect_err("no symbols");
    assert!(
        matches!(error, Error::NoType(_) | Error::NoSymbol(_)),
        "{error}"
    );
    assert!(!path.exists());
    let nowhere = folder.path().join("no").join("leak.dmp");
    assert!(matches!(
        rkd_lab::make_file(case, &article(), &Options::default(), &nowhere),
        Err(Error::Open { .. })
    ));
}
