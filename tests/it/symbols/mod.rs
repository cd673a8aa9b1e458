//! The symbol tables of real kernels: nine whole ISF files and the facts of 213 builds, read and compared.

mod cache;
mod driver;
mod hostile;
mod msf;
mod msvc;

use crate::support::data::data;
use rkd_dump::addr::Rva;
use rkd_symbols::{Guid, PdbId, Source, SymbolPath, SymbolTable, builtin_facts, facts, isf};
use std::collections::{BTreeMap, BTreeSet};

/// GUID, version and slack of the nine whole tables.
const NINE: [(&str, &str, Option<u64>); 9] = [
    ("339E74133576439CBCDF7E0229DA3773", "6.1.7601.24540", None),
    ("BF4B4160C2CB414E9C4516DA1E7B6609", "6.3.9600.20012", None),
    (
        "517E128F7B7C4EA79491DE6B9B9CE190",
        "10.0.14393.4583",
        Some(0),
    ),
    (
        "8B11040A5928757B11390AC78F6B6925",
        "10.0.17763.379",
        Some(0),
    ),
    (
        "DCA4AD4BEEB4746D48F84C0125019E43",
        "10.0.18362.836",
        Some(64),
    ),
    (
        "606FF669409B00F7FC8C61A9C1670129",
        "10.0.19041.3570",
        Some(64),
    ),
    (
        "5278AFF86C341677D7D7835C85B7B844",
        "10.0.19041.804",
        Some(64),
    ),
    (
        "919A1777F2295244131278B022C5778B",
        "10.0.20348.1607",
        Some(64),
    ),
    (
        "32C1A669D5FFEFD41091F636CFDB6E99",
        "10.0.22000.318",
        Some(64),
    ),
];

fn id(guid: &str) -> PdbId {
    PdbId::new(guid.parse::<Guid>().unwrap(), 1, "ntkrnlmp.pdb")
}

/// Everything that is asked of a kernel's table, by either route.
fn check_known(table: &SymbolTable, version: &str, slack: Option<u64>) {
    assert_eq!(table.version(), Some(version));
    assert_eq!(table.machine(), Some(0x8664), "{version}");
    assert_eq!(table.pointer_size(), 8);
    assert_eq!(table.mi_state_slack(), slack, "{version}");
    let build: u32 = version.split('.').nth(2).unwrap().parse().unwrap();
    let offset = |ty: &str, path: &str| table.field(ty, path).map(|field| field.offset).ok();
    let size = |ty: &str| table.udt(ty).map(|udt| udt.size);
    let tracker = match build {
        ..=14393 => (0x28, 0x10, 4),
        17763..=19041 => (0x38, 8, 0x10),
        _ => (0x50, 8, 0x10),
    };
    assert_eq!(size("_POOL_TRACKER_TABLE"), Some(tracker.0), "{version}");
    assert_eq!(
        offset("_POOL_TRACKER_TABLE", "NonPagedBytes"),
        Some(tracker.1)
    );
    assert_eq!(
        offset("_POOL_TRACKER_TABLE", "NonPagedAllocs"),
        Some(tracker.2)
    );
    assert_eq!(
        size("_POOL_TRACKER_BIG_PAGES"),
        Some(if build >= 20348 { 0x20 } else { 0x18 })
    );
    assert_eq!(size("_POOL_HEADER"), Some(0x10));
    let vs = match build {
        ..=9600 => None,
        14393 => Some(0x1380),
        17763 => Some(0x24c0),
        18362 => Some(0x2480),
        19041 => Some(0x2600),
        20348 => Some(0x4200),
        _ => Some(0x4400),
    };
    assert_eq!(offset("_MI_SYSTEM_INFORMATION", "Vs"), vs, "{version}");
    if build == 19041 {
        let known = [
            ("PagedPoolInfo.AllocatedPagedPool", 0x2628),
            ("MaximumNonPagedPoolInPages", 0x2630),
            ("SystemPteInfo.TotalFreeSystemPtes", 0x2698),
            ("NonPagedPoolCommit", 0x26a0),
            ("ProcessCommit", 0x26c8),
        ];
        let found = known.map(|(path, _)| offset("_MI_SYSTEM_INFORMATION", &format!("Vs.{path}")));
        assert_eq!(found, known.map(|(_, offset)| Some(offset)), "{version}");
        let field = table
            .field("_MI_VISIBLE_STATE", "SystemPteInfo.TotalFreeSystemPtes")
            .unwrap();
        assert_eq!((field.offset, table.size_of(field.ty)), (0x98, Some(8)));
    }
}

#[test]
fn the_built_in_facts_know_the_nine_kernels() {
    for (guid, version, slack) in NINE {
        let table = builtin_facts().find(&id(guid)).expect(version);
        assert_eq!(table.identity(), Some(&id(guid)));
        assert_eq!(table.source(), &Source::Facts);
        check_known(&table, version, slack);
        let short = version.splitn(3, '.').nth(2).unwrap();
        assert!(
            table
                .symbols()
                .eq(builtin_facts().by_version(short).expect(short).symbols())
        );
    }
    for (version, rva) in [
        ("19041.3570", 0xc16998),
        ("10.0.19041.3448", 0xc169a8),
        ("19041.3324", 0xc169b8),
    ] {
        let table = builtin_facts().by_version(version).expect(version);
        assert_eq!(table.rva("PoolTrackTable"), Some(Rva(rva)), "{version}");
    }
    for unknown in ["19041", "3570", "10.0.19041.3571", "0.19041.3570", ""] {
        assert!(builtin_facts().by_version(unknown).is_none(), "{unknown}");
    }
    let wrong_age = PdbId {
        age: 2,
        ..id(NINE[0].0)
    };
    assert!(builtin_facts().find(&wrong_age).is_none());
}

#[test]
fn the_built_in_facts_cover_213_builds_in_order() {
    let builds = builtin_facts().builds();
    let mut families: BTreeMap<String, usize> = BTreeMap::new();
    for (version, _) in &builds {
        *families
            .entry(version.rsplit_once('.').unwrap().0.to_owned())
            .or_default() += 1;
    }
    let expected = [
        ("10.0.14393", 26),
        ("10.0.17763", 40),
        ("10.0.18326", 2),
        ("10.0.18362", 9),
        ("10.0.19041", 39),
        ("10.0.20348", 35),
        ("10.0.22000", 29),
        ("6.1.7601", 1),
        ("6.3.9600", 32),
    ];
    assert_eq!(
        families,
        expected.map(|(family, n)| (family.to_owned(), n)).into()
    );
    assert_eq!(builds.first().map(|b| b.0), Some("6.1.7601.24540"));
    let ids: BTreeSet<_> = builds.iter().map(|(_, id)| id.isf_name()).collect();
    assert_eq!(ids.len(), 213);
}

#[test]
fn the_whole_tables_say_the_same_as_the_facts() {
    let Some(directory) = data("isf") else { return };
    for (guid, version, slack) in NINE {
        let file = directory.join(format!("{guid}-1.json.xz"));
        let whole = isf::open(&file).unwrap();
        assert_eq!(whole.identity(), Some(&id(guid)));
        check_known(&whole, version, slack);
        let fact = builtin_facts().find(&id(guid)).unwrap();
        for (name, rva) in fact.symbols() {
            assert_eq!(whole.rva(name), Some(rva), "{version} {name}");
        }
        assert!(
            fact.udts().all(|udt| whole.udt(&udt.name) == Some(udt)),
            "{version}"
        );
        assert!(
            fact.enumerations()
                .all(|e| whole.enumeration(&e.name) == Some(e)),
            "{version}"
        );
        // And the other way: what the selection takes from the whole table is the fact, no more and no less.
        let kept = facts::select(&whole);
        assert!(kept.symbols().eq(fact.symbols()), "{version}");
        let names = |table: &SymbolTable| -> BTreeSet<String> {
            let udts = table.udts().map(|udt| udt.name.to_string());
            udts.chain(table.enumerations().map(|e| e.name.to_string()))
                .collect()
        };
        assert_eq!(names(&kept), names(&fact), "{version}");
        assert_eq!(kept.mi_state_slack(), fact.mi_state_slack());
    }
}

#[test]
fn the_facts_say_the_same_as_the_collection_they_were_made_of() {
    let Some(file) = data("nt-facts.json.xz") else {
        return;
    };
    let text = isf::unpack(&std::fs::read(file).unwrap())
        .unwrap()
        .into_owned();
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let builds = json["builds"].as_array().unwrap();
    assert_eq!(builds.len(), builtin_facts().builds().len());
    for build in builds {
        let name = build["guid_age"].as_str().unwrap();
        let (guid, age) = name.split_once('-').unwrap();
        assert_eq!(age, "1");
        let table = builtin_facts().find(&id(guid)).expect(name);
        assert_eq!(table.version(), build["version"].as_str(), "{name}");
        assert_eq!(
            table.mi_state_slack(),
            build["mi_state_slack"].as_u64(),
            "{name}"
        );
        let symbols: BTreeMap<_, _> = table
            .symbols()
            .map(|(name, rva)| (name, u64::from(rva.0)))
            .collect();
        let expected = build["symbols"].as_object().unwrap();
        assert_eq!(
            symbols,
            expected
                .iter()
                .map(|(name, rva)| (&**name, rva.as_u64().unwrap()))
                .collect()
        );
        let user_types = build["user_types"].as_object().unwrap();
        assert_eq!(table.udts().count(), user_types.len(), "{name}");
        for (ty, hash) in user_types {
            let definition = &json["types"][hash.as_str().unwrap()][1];
            let udt = table.udt(ty).expect(ty);
            assert_eq!(Some(udt.size), definition["size"].as_u64());
            let fields: BTreeMap<_, _> = udt.fields.iter().map(|f| (&*f.name, f.offset)).collect();
            let expected = definition["fields"].as_object().unwrap();
            let expected = expected
                .iter()
                .map(|(n, field)| (&**n, field["offset"].as_u64().unwrap()));
            assert_eq!(fields, expected.collect(), "{name} {ty}");
        }
        let enums = build["enums"].as_object().unwrap();
        assert_eq!(table.enumerations().count(), enums.len(), "{name}");
        for (ty, hash) in enums {
            let definition = &json["types"][hash.as_str().unwrap()][1];
            let constants: BTreeMap<_, _> = table
                .enumeration(ty)
                .unwrap()
                .constants
                .iter()
                .cloned()
                .collect();
            let expected = definition["constants"].as_object().unwrap();
            assert_eq!(
                constants,
                expected
                    .iter()
                    .map(|(n, v)| (n.as_str().into(), v.as_i64().unwrap()))
                    .collect()
            );
        }
    }
}

#[test]
fn facts_that_are_packed_again_are_the_same() {
    let some: Vec<_> = ["7601.24540", "19041.3448", "19041.3570", "22000.318"]
        .map(|version| builtin_facts().by_version(version).unwrap())
        .into();
    let again = facts::Facts::parse(&facts::encode(&some).unwrap()).unwrap();
    assert_eq!(again.builds().len(), some.len());
    for (before, after) in some.iter().zip(again.tables()) {
        assert_eq!(format!("{before:?}").len(), format!("{after:?}").len());
        assert_eq!(
            (before.identity(), before.version()),
            (after.identity(), after.version())
        );
        assert!(before.symbols().eq(after.symbols()));
        assert!(before.udts().all(|udt| after.udt(&udt.name) == Some(udt)));
        assert!(
            before
                .enumerations()
                .all(|e| after.enumeration(&e.name) == Some(e))
        );
    }
}

#[test]
fn the_symbol_path_finds_the_exact_kernel() {
    let Some(directory) = data("isf") else { return };
    let path = SymbolPath::parse(&format!(
        "srv*{}*https://example.invalid",
        directory.display()
    ));
    let found = path.find(&id("606FF669409B00F7FC8C61A9C1670129"));
    let table = found.table.expect("the table");
    assert_eq!(found.tried, []);
    assert_eq!(table.len(), 40086);
    assert_eq!(table.rva("PoolTrackTable"), Some(Rva(0xc16998)));
    assert_eq!(table.nearest(Rva(0xc16998)), Some(("PoolTrackTable", 0)));
    assert_eq!(
        table.rva("SmGlobals"),
        table.rva("?SmGlobals@@3U_SM_GLOBALS@@A")
    );
    assert!(table.rva("SmGlobals").is_some());
    let missing = path.find(&id("79BE8C368BEC7DD9677EA9B355ACE784"));
    assert!(missing.table.is_none());
    let why = "no file for ntkrnlmp.pdb 79BE8C368BEC7DD9677EA9B355ACE784-1";
    assert_eq!(
        missing
            .tried
            .iter()
            .map(|t| t.why.as_str())
            .collect::<Vec<_>>(),
        [why]
    );
}
