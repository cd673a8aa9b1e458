//! `rkd symbols list`, `import` and `facts`: the way of a machine without a network.

use crate::support::data::data;
use crate::support::practice::{ARTICLE, own_folder};
use crate::support::program::{Said, rkd};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const DRIVER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/driver/driver.pdb"
);
const NT: &str = "ntkrnlmp.pdb/606FF669409B00F7FC8C61A9C16701291/ntkrnlmp.pdb";
const MYFAULT: &str = "myfault.pdb/0EF4116A57934BD28C215E70A33F19C81/myfault.pdb";

/// A folder with `leak.dmp`, and nothing else of the machine's.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        Desk(own_folder(ARTICLE))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn rkd(&self, arguments: &[&str]) -> Said {
        rkd(self.0.path(), arguments)
            .with("RKD_CACHE", self.path("cache"))
            .with("RKD_FACTS", self.path("own.facts.xz"))
            .wait("")
    }
}

#[test]
fn the_list_has_names_and_addresses() {
    let desk = Desk::new();
    let said = desk.rkd(&[
        "symbols", "list", "leak.dmp", "--only", "nt", "--only", "MYF*",
    ]);
    let server = "https://msdl.microsoft.com/download/symbols";
    assert_eq!(
        said.out,
        format!(
            "nt               ntkrnlmp.pdb 606FF669409B00F7FC8C61A9C1670129-1  (here: built-in facts)\n\
             {:17}{server}/{NT}\n\
             myfault          myfault.pdb 0EF4116A57934BD28C215E70A33F19C8-1\n\
             {:17}{server}/{MYFAULT}\n",
            "", ""
        )
    );
    let server = "http://symbols.example/x";
    let path = format!("srv*cache*{server}/");
    let said = desk.rkd(&[
        "symbols",
        "list",
        "leak.dmp",
        "--only",
        "myfault.sys",
        "-y",
        &path,
        "--format",
        "json",
    ]);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let row = &json["rows"][0];
    assert_eq!(row["guid"], "0EF4116A57934BD28C215E70A33F19C8");
    assert_eq!(
        (&row["age"], &row["here"]),
        (&1.into(), &serde_json::Value::Null)
    );
    assert_eq!(row["url"], format!("{server}/{MYFAULT}"));
    let all = desk.rkd(&["symbols", "list", "leak.dmp", "--format", "jsonl"]);
    assert_eq!(all.out.lines().count(), 175);

    let none = desk.rkd(&["symbols", "list", "leak.dmp", "--only", "nonesuch"]);
    assert_eq!((none.out.as_str(), none.status), ("", Some(1)));
    assert_eq!(none.err, "rkd: no module of the dump is called nonesuch\n");
    let none = desk.rkd(&["symbols", "list", "nonesuch.dmp"]);
    assert_eq!(none.status, Some(3));
}

/// The whole way: the script is run by a shell with a `curl` that copies from a folder, and what it brings is imported.
#[cfg(unix)]
#[test]
fn a_script_brings_what_import_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    let script = desk.rkd(&[
        "symbols",
        "list",
        "leak.dmp",
        "--script",
        "sh",
        "--only",
        "nt",
        "--only",
        "myfault",
        "--server",
        "http://s.example",
    ]);
    fs::write(desk.path("get.sh"), &script.out).unwrap();
    let bin = desk.path("bin");
    fs::create_dir(&bin).unwrap();
    // It is called as: -fsSL --retry 2 -o FILE URL.
    let curl =
        format!("#!/bin/sh\ncase $6 in *ntkrnlmp.pdb) cp '{DRIVER}' \"$5\";; *) exit 22;; esac\n");
    fs::write(bin.join("curl"), curl).unwrap();
    fs::set_permissions(bin.join("curl"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let ran = Command::new("sh")
        .args(["get.sh", "it's here"])
        .current_dir(desk.0.path())
        .env("PATH", path)
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(ran.stderr).unwrap(),
        format!("not to be had: http://s.example/{MYFAULT}\n1 of 2 files are missing\n")
    );
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), format!("{NT}\n"));
    assert!(desk.path("it's here").join(NT).is_file());
}

#[test]
fn what_is_brought_is_checked_and_filed() {
    let desk = Desk::new();
    let bring = desk.path("bring");
    fs::create_dir_all(bring.join("sub")).unwrap();
    let whole = fs::read(DRIVER).unwrap();
    fs::write(bring.join("a.pdb"), &whole[..5000]).unwrap();
    fs::write(bring.join("b.pdb"), "<html>not found</html>").unwrap();
    fs::write(bring.join("readme.txt"), "hello").unwrap();
    fs::write(bring.join("sub/driver.pdb"), &whole).unwrap();
    let said = desk.rkd(&["symbols", "import", "bring", "--format", "jsonl"]);
    assert_eq!(said.status, Some(1), "two were refused");
    let rows: Vec<serde_json::Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0]["place"].is_null() && rows[1]["place"].is_null());
    let place = rows[2]["place"].as_str().unwrap();
    let expected =
        desk.path("cache/symbols/driver.pdb/336551033F50CA8B4C4C44205044422E1/driver.pdb");
    assert_eq!(Path::new(place), expected);
    assert_eq!(fs::read(expected).unwrap(), whole);
    let text = desk.rkd(&["symbols", "import", "bring/a.pdb", "bring/b.pdb"]);
    assert_eq!(
        text.out,
        "bring/a.pdb: refused: cut short: 5000 of 86016 bytes\n\
         bring/b.pdb: refused: a web page, not a symbol file\n"
    );
    let none = desk.rkd(&["symbols", "import", "bring/readme.txt"]);
    assert_eq!(none.status, Some(1));
    // Into the first store of the path, when there is one.
    desk.rkd(&[
        "symbols",
        "import",
        "bring/sub",
        "-y",
        "plain;srv*near*far*https://s.example",
    ]);
    assert!(desk.path("near/driver.pdb").is_dir());
}

#[test]
fn a_kernel_becomes_a_fact() {
    let desk = Desk::new();
    let refused = desk.rkd(&["symbols", "facts", DRIVER]);
    assert_eq!(refused.status, Some(1));
    let said = "these are not a kernel's symbols: PsLoadedModuleList is not among them";
    assert!(refused.err.contains(said), "{}", refused.err);

    let Some(file) = data("isf/606FF669409B00F7FC8C61A9C1670129-1.json.xz") else {
        return;
    };
    // The same kernel under another GUID is one that rkd does not know; the dump is made for it.
    let guid = "0123456789ABCDEF0123456789ABCDEF";
    let table = desk.rkd(&["symbols", "convert", file.to_str().unwrap(), "-o", "x.json"]);
    assert_eq!(table.status, Some(0), "{}", table.err);
    let text = fs::read_to_string(desk.path("x.json")).unwrap();
    fs::write(
        desk.path("x.json"),
        text.replace("606FF669409B00F7FC8C61A9C1670129", guid),
    )
    .unwrap();
    let made = desk.rkd(&[
        "lab",
        "make",
        "notmyfault",
        "--isf",
        "x.json",
        "-o",
        "new.dmp",
    ]);
    assert_eq!(made.status, Some(0), "{}", made.err);
    let leak = " Leak       119   4991221760";
    let before = desk.rkd(&["new.dmp", "-c", "!poolused 2 Leak; q"]);
    assert!(!before.out.contains(leak), "{}", before.out);
    let added = desk.rkd(&["symbols", "facts", "x.json", "--build", "10.0.19041.99999"]);
    assert_eq!(added.status, Some(0), "{}", added.err);
    let after = desk.rkd(&["new.dmp", "-c", "!poolused 2 Leak; q"]);
    assert!(after.out.contains(leak), "{}{}", after.out, after.err);
    assert!(
        after.err.contains("symbols of nt: facts of your own"),
        "{}",
        after.err
    );

    fs::write(desk.path("own.facts.xz"), "nonsense").unwrap();
    let broken = desk.rkd(&["new.dmp", "-c", "q"]);
    assert!(
        broken.err.contains("facts of your own are not used: "),
        "{}",
        broken.err
    );
}

#[test]
fn a_file_of_another_build_is_taken_only_when_the_user_insists() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("sym/symbols/sys")).unwrap();
    fs::copy(DRIVER, desk.path("sym/symbols/sys/myfault.pdb")).unwrap();
    let said = |switches: &str| {
        let line = format!(".reload {switches} myfault; q");
        desk.rkd(&["leak.dmp", "-q", "-y", "sym", "-c", &line])
    };
    let refused = said("/f");
    let error = "Defaulted to export symbols for myfault.sys - ";
    assert!(refused.out.contains(error), "{}", refused.out);
    let why = "it is for myfault.pdb 336551033F50CA8B4C4C44205044422E-1, not for myfault.pdb 0EF4116A57934BD28C215E70A33F19C8-1";
    assert!(refused.err.contains(why), "{}", refused.err);
    let taken = said("/f /i");
    assert_eq!(taken.out, "");
    let warning = "is of another build than myfault.pdb 0EF4116A57934BD28C215E70A33F19C8-1: its names and addresses may be wrong";
    assert!(taken.err.contains(warning), "{}", taken.err);
}
