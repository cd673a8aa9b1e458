//! `rkd tags` as the shell sees it, on drivers of our own.

use crate::support::drivers::drivers;
use crate::support::program::{Said, rkd};
use std::fs;
use std::path::Path;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let drivers = drivers();
    for name in [
        "filter-x64-O2.sys",
        "direct-arm64-O2.sys",
        "framework-old-x86-O2.sys",
    ] {
        fs::write(folder.path().join(name), &drivers[name]).unwrap();
    }
    fs::write(folder.path().join("notes.txt"), "no image").unwrap();
    fs::write(folder.path().join("short.sys"), "MZ").unwrap();
    folder
}

fn tags(folder: &Path, arguments: &[&str]) -> Said {
    rkd(folder, &[&["tags"], arguments].concat()).wait("")
}

#[test]
fn a_driver_is_told_with_its_proofs() {
    let folder = folder();
    let output = tags(folder.path(), &["filter-x64-O2.sys"]);
    assert_eq!(output.err, "");
    assert_eq!(output.out, include_str!("filter.txt"));
    assert_eq!(output.status, Some(0));
    let brief = tags(folder.path(), &["--brief", "filter-x64-O2.sys"]);
    let without: String = include_str!("filter.txt")
        .lines()
        .filter(|line| !line.starts_with("          "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(brief.out, without);
}

/// Programs get twelve fields a line, always the same.
#[test]
fn lines_for_programs() {
    let folder = folder();
    let output = tags(
        folder.path(),
        &["--format", "jsonl", "framework-old-x86-O2.sys"],
    );
    let lines = output.out;
    let names = [
        "file",
        "arch",
        "call_rva",
        "function_rva",
        "constant_rva",
        "api",
        "tag",
        "tag_u32",
        "class",
        "pool",
        "size",
        "note",
    ];
    for line in lines.lines() {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        assert_eq!(object.keys().collect::<Vec<_>>(), names, "{line}");
    }
    let memory = lines.lines().find(|l| l.contains("FMe0")).unwrap();
    let object: serde_json::Value = serde_json::from_str(memory).unwrap();
    assert_eq!(object["api"], "WdfMemoryCreate");
    assert_eq!(
        (&object["tag_u32"], &object["class"]),
        (&"0x30654d46".into(), &"E1".into())
    );
    assert_eq!(
        (&object["pool"], &object["size"]),
        (&512.into(), &42.into())
    );
    assert!(object["call_rva"].as_str().unwrap().starts_with("0x1"));
}

#[test]
fn folders_and_what_is_no_image() {
    let folder = folder();
    let output = tags(folder.path(), &[".", "--format", "csv"]);
    let rows = output.out;
    assert!(
        rows.starts_with(
            "file,arch,call_rva,function_rva,constant_rva,api,tag,tag_u32,class,pool,size,note\n"
        ),
        "{rows}"
    );
    for file in [
        "filter-x64-O2.sys,x64",
        "direct-arm64-O2.sys,arm64",
        "framework-old-x86-O2.sys,x86",
    ] {
        assert!(rows.contains(file), "{rows}");
    }
    assert_eq!(rows.matches("file,arch").count(), 1);
    assert!(
        output.err.contains("1 file that is no image"),
        "{}",
        output.err
    );
    assert_eq!(output.status, Some(0));
    // what was named must be an image, and does not keep the others from being read
    let output = tags(
        folder.path(),
        &[
            "short.sys",
            "gone.sys",
            "filter-x64-O2.sys",
            "--format",
            "jsonl",
        ],
    );
    assert!(output.out.contains("CVol"));
    let said = output.err;
    assert!(
        said.contains("short.sys") && said.contains("gone.sys"),
        "{said}"
    );
    assert_eq!(output.status, Some(1));
    let output = tags(folder.path(), &["--format", "json", "filter-x64-O2.sys"]);
    let document: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(document["rows"][0]["row"], "image");
    assert_eq!(document["rows"][0]["answered"], true);
    assert_eq!(document["rows"][1]["row"], "site");
    assert_eq!(tags(folder.path(), &[]).status, Some(2));
}

#[test]
fn a_database_grows_and_is_not_written_over_what_is_none() {
    use rkd_pooltags::{Database, TagImage};
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    for name in [
        "filter-x64-O2.sys",
        "direct-arm64-O2.sys",
        "filter-x64-O2.sys",
    ] {
        let output = tags(folder.path(), &["--database", "tags.jsonl", name]);
        assert_eq!(output.status, Some(0), "{}", output.err);
    }
    let database = Database::open(&at("tags.jsonl")).unwrap();
    assert_eq!(database.len(), 2);
    let image = TagImage::open(&at("filter-x64-O2.sys")).unwrap();
    let stored = database
        .lookup(image.time_stamp, image.size, "filter-x64-O2.sys")
        .unwrap();
    assert_eq!(
        stored.report.of_tag(u32::from_le_bytes(*b"CVol")).count(),
        1
    );
    let output = tags(
        folder.path(),
        &["--database", "notes.txt", "filter-x64-O2.sys"],
    );
    assert_eq!(output.status, Some(1));
    assert!(output.err.contains("no tag database"), "{}", output.err);
    assert_eq!(fs::read_to_string(at("notes.txt")).unwrap(), "no image");
}
