//! Searches in folders and stores that the test makes.

use super::*;
use crate::Guid;

fn isf(guid: &str, age: u32) -> String {
    format!(
        r#"{{"metadata": {{"format": "6.1.0", "windows": {{"pdb": {{"GUID": "{guid}", "age": {age}, "database": "nt.pdb"}}}}}}}}"#
    )
}

const GUID: &str = "606FF669409B00F7FC8C61A9C1670129";

fn id() -> PdbId {
    PdbId::new(GUID.parse::<Guid>().unwrap(), 10, "nt.pdb")
}

#[test]
fn every_layout_is_found() {
    for place in [
        format!("{GUID}-10.json"),
        format!("{}-10.json", GUID.to_lowercase()),
        format!("nt.pdb/{GUID}-10.json"),
        format!("windows/nt.pdb/{GUID}-10.json"),
        format!("nt.pdb/{GUID}A/nt.json"),
        format!("nt.pdb/{}a/x.json", GUID.to_lowercase()),
    ] {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join(&place);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, isf(GUID, 10)).unwrap();
        for element in [root.path(), &file] {
            let found =
                SymbolPath::parse(&format!("/nonexistent;{}", element.display())).find(&id());
            let table = found.table.unwrap_or_else(|| panic!("{place}"));
            assert_eq!(table.source().to_string(), file.display().to_string());
            assert_eq!(found.tried.len(), 1);
            assert_eq!(
                found.tried[0].to_string(),
                "/nonexistent: there is no such directory"
            );
        }
    }
}

#[test]
fn a_file_of_another_build_is_refused_and_said() {
    let root = tempfile::tempdir().unwrap();
    let file = |name: &str| root.path().join(format!("{GUID}-10.{name}"));
    std::fs::write(file("json"), isf(GUID, 9)).unwrap();
    std::fs::write(file("json.xz"), b"\xfd7zXZ\0garbage").unwrap();
    std::fs::create_dir_all(root.path().join(format!("nt.pdb/{GUID}A"))).unwrap();
    std::fs::write(
        root.path().join(format!("nt.pdb/{GUID}A/a.json")),
        r#"{"metadata": {"format": "6.0"}}"#,
    )
    .unwrap();
    let found = SymbolPath::parse(&root.path().display().to_string()).find(&id());
    assert!(found.table.is_none());
    let why: Vec<_> = found.tried.iter().map(|tried| tried.why.as_str()).collect();
    assert_eq!(
        why,
        [
            &*format!("it is for nt.pdb {GUID}-9, not for nt.pdb {GUID}-10"),
            "cannot unpack: lzma data error",
            "it does not say which PDB it was made from",
        ]
    );
}

#[test]
fn a_pdb_name_from_an_image_leads_nowhere_else() {
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("in");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(root.path().join(format!("{GUID}-10.json")), isf(GUID, 10)).unwrap();
    for name in ["..", "../", r"x\..", "/"] {
        let id = PdbId {
            name: name.into(),
            ..id()
        };
        let found = SymbolPath::parse(&inner.display().to_string()).find(&id);
        assert!(found.table.is_none(), "{name}");
        assert_eq!(found.tried.len(), 1);
    }
}

fn put(file: &Path, text: &str) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// What the search says of a path below `root`, in which `R` stands for it.
fn search(root: &Path, path: &str, how: &How) -> (Option<String>, Vec<String>) {
    let text = path.replace('R', &root.display().to_string());
    let lookup = SymbolPath::parse(&text).search(&id(), how);
    let short = |text: String| text.replace(&root.display().to_string(), "R");
    (
        lookup.table.map(|table| short(table.source().to_string())),
        lookup
            .tried
            .iter()
            .map(|tried| short(tried.to_string()))
            .collect(),
    )
}

#[test]
fn what_lies_far_away_is_copied_nearer() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let name = format!("nt.pdb/{GUID}-10.json");
    put(&root.join("far").join(&name), &isf(GUID, 10));
    let how = How::default();
    let (found, _) = search(root, "cache*R/c;srv*R/a*R/b*R/far", &how);
    assert_eq!(found, Some(format!("R/far/{name}")));
    for store in ["a", "b", "c"] {
        assert!(root.join(store).join(&name).is_file(), "{store}");
    }
    let (found, _) = search(root, "cache*R/c;srv*R/a*R/b*R/far", &how);
    assert_eq!(found, Some(format!("R/c/{name}")));
    // A folder before a cache gives it nothing.
    let (found, _) = search(root, "R/far;cache*R/late", &how);
    assert_eq!(found, Some(format!("R/far/{name}")));
    assert!(!root.join("late").exists());
}

#[test]
fn a_store_points_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let pointer = root.join(format!("store/nt.pdb/{GUID}A/file.ptr"));
    put(&root.join("builds/nt.json"), &isf(GUID, 10));
    put(
        &pointer,
        &format!("PATH:{}", root.join("builds/nt.json").display()),
    );
    let how = How::default();
    let (found, _) = search(root, "srv*R/store", &how);
    assert_eq!(found.as_deref(), Some("R/builds/nt.json"));
    put(&pointer, "MSG: gone since May");
    let (found, tried) = search(root, "srv*R/store", &how);
    assert_eq!(found, None);
    let expected = format!("R/store/nt.pdb/{GUID}A/file.ptr: it says: gone since May");
    assert_eq!(tried, [expected]);
}

#[test]
fn another_build_is_taken_when_the_user_insists() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    put(&root.join(format!("{GUID}-10.json")), &isf(GUID, 9));
    assert_eq!(search(root, "R", &How::default()).0, None);
    let how = How {
        mismatched: true,
        ..How::default()
    };
    let lookup = SymbolPath::parse(&root.display().to_string()).search(&id(), &how);
    assert!(lookup.is_mismatched && lookup.table.is_some());
    assert_eq!(how.servers.journal().take().len(), 1);
    put(&root.join(format!("nt.pdb/{GUID}-10.json")), &isf(GUID, 10));
    let lookup = SymbolPath::parse(&root.display().to_string()).search(&id(), &how);
    assert!(
        !lookup.is_mismatched && lookup.table.is_some(),
        "the right one is better"
    );
}

#[test]
fn the_noisy_mode_tells_every_place() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("a/sys")).unwrap();
    let how = How::default();
    how.servers.journal().set_noisy(true);
    search(root.path(), "R/a;srv*R/b", &how);
    let lines: Vec<String> = how
        .servers
        .journal()
        .take()
        .into_iter()
        .map(|entry| match entry {
            crate::server::Entry::Noise(line) => {
                line.replace(&root.path().display().to_string(), "R")
            }
            crate::server::Entry::Remark(text) => text,
        })
        .collect();
    for expected in [
        "DBGHELP: R/a/nt.pdb - file not found".to_string(),
        "DBGHELP: R/a/sys/nt.pdb - file not found".to_string(),
        "DBGHELP: R/a/symbols/sys/nt.pdb - path not found".to_string(),
        format!("SYMSRV:  UNC: R/b/nt.pdb/{GUID}A/nt.pdb - path not found"),
        format!("SYMSRV:  UNC: R/b/nt.pdb/{GUID}A/nt.pd_ - path not found"),
        format!("SYMSRV:  UNC: R/b/nt.pdb/{GUID}A/file.ptr - path not found"),
    ] {
        assert!(lines.contains(&expected), "{expected}\n{lines:#?}");
    }
}
