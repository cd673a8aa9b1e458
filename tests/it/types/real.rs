//! A real kernel's types and symbols: every line of `dt` on all its structures is compared with what another, smaller reader
//! makes of the same file.

use crate::support::data::{self, data};
use crate::support::say;
use rkd::command::{Collect, run_line};
use rkd::session::Session;
use rkd_dump::Dump;
use rkd_kernel::{Kernel, Options};
use rkd_symbols::SymbolPath;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};

const ISF: &str = "5278AFF86C341677D7D7835C85B7B844-1.json.xz";

/// The folder with the dump and its symbols.
fn real() -> Option<PathBuf> {
    data(&format!("isf/{ISF}"))?;
    data("dumps/triage_x64.dmp")?;
    Some(data::folder())
}

fn session(data: &Path) -> Session {
    let dump = Dump::open(&data.join("dumps/triage_x64.dmp")).unwrap();
    let options = Options {
        symbols: SymbolPath::parse(&data.join("isf").display().to_string()),
        ..Options::default()
    };
    Session::new(Kernel::open(dump, &options))
}

/// The type in kd's words, made from the file's own.
fn spell(ty: &Value) -> String {
    let name = ty["name"].as_str().unwrap_or_default();
    match ty["kind"].as_str().unwrap() {
        "base" => match name {
            "unsigned char" => "UChar".into(),
            "char" => "Char".into(),
            "wchar" => "Wchar".into(),
            "void" => "Void".into(),
            "double" | "f32" => "Float".into(),
            "HRESULT" => "HRESULT".into(),
            "short" => "Int2B".into(),
            "long" | "int" => "Int4B".into(),
            "long long" => "Int8B".into(),
            "unsigned short" => "Uint2B".into(),
            "unsigned long" | "unsigned int" => "Uint4B".into(),
            "unsigned long long" => "Uint8B".into(),
            other => panic!("{other}"),
        },
        "pointer" if ty["subtype"]["kind"] == "function" => "Ptr64     function".into(),
        "pointer" => format!("Ptr64 {}", spell(&ty["subtype"])),
        "array" => format!("[{}] {}", ty["count"], spell(&ty["subtype"])),
        "bitfield" => {
            let bits = ty["bit_length"].as_u64().unwrap();
            let s = if bits == 1 { "" } else { "s" };
            format!("Pos {}, {bits} Bit{s}", ty["bit_position"])
        }
        _ if name.starts_with("__anonymous_") => "<anonymous-tag>".into(),
        _ if name.starts_with("__unnamed_") => "<unnamed-tag>".into(),
        _ => name.into(),
    }
}

#[test]
fn every_structure_of_a_real_kernel() {
    let Some(data) = real() else { return };
    let mut text = Vec::new();
    let file = std::fs::File::open(data.join("isf").join(ISF)).unwrap();
    liblzma::read::XzDecoder::new(file)
        .read_to_end(&mut text)
        .unwrap();
    let isf: Value = serde_json::from_slice(&text).unwrap();
    let mut session = session(&data);
    let (mut types, mut fields) = (0, 0);
    for (name, udt) in isf["user_types"].as_object().unwrap() {
        let mut expected: Vec<(u64, Option<u64>, String, String)> = udt["fields"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(field, raw)| {
                let bit = raw["type"]["bit_position"].as_u64();
                (
                    raw["offset"].as_u64().unwrap(),
                    bit,
                    field.clone(),
                    spell(&raw["type"]),
                )
            })
            .collect();
        expected.sort();
        let expected: String = expected
            .iter()
            .map(|(offset, _, field, ty)| format!("   +0x{offset:03x} {field:<16} : {ty}\n"))
            .collect();
        assert_eq!(
            say(&mut session, &format!("dt nt!{name}")),
            expected,
            "{name}"
        );
        types += 1;
        fields += expected.lines().count();
    }
    assert!(
        types > 1600 && fields > 14_000,
        "{types} types, {fields} fields"
    );
}

#[test]
fn every_symbol_of_a_real_kernel() {
    let Some(data) = real() else { return };
    let mut text = Vec::new();
    let file = std::fs::File::open(data.join("isf").join(ISF)).unwrap();
    liblzma::read::XzDecoder::new(file)
        .read_to_end(&mut text)
        .unwrap();
    let isf: Value = serde_json::from_slice(&text).unwrap();
    let mut expected: Vec<(u64, String)> = isf["symbols"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.to_lowercase().starts_with("pool"))
        .map(|(name, raw)| {
            (
                0xffff_f804_7ba0_0000 + raw["address"].as_u64().unwrap(),
                name.clone(),
            )
        })
        .collect();
    expected.sort();
    let mut session = session(&data);
    let mut out = Collect::default();
    run_line(&mut session, "x /2 nt!Pool*", &mut out).unwrap();
    let expected: String = expected
        .iter()
        .map(|(at, name)| format!("{:08x}`{:08x} nt!{name}\n", at >> 32, at & 0xffff_ffff))
        .collect();
    assert_eq!(out.screen, expected);
    assert!(expected.lines().count() >= 2);
    // The stack of the crash: what dps names is what ln names.
    let stack = say(&mut session, "dps @rsp L200");
    for line in stack.lines().filter(|line| line.contains(" nt!")) {
        let (value, name) = (line.get(19..36).unwrap(), line.get(37..).unwrap());
        let near = say(&mut session, &format!("ln {value}"));
        assert!(
            near.contains(&format!(")   {name}   |  (")),
            "{line}\n{near}"
        );
    }
    assert!(stack.contains(" nt!"), "{stack}");
}
