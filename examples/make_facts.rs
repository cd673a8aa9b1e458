//! Makes the file of built-in facts from ISF symbol files, or adds kernels to those that are already in it.
//!
//! ```text
//! cargo run --release --example make_facts -- crates/symbols/src/facts/nt.facts.xz builtin NEW.json.xz=10.0.22621.2506
//! ```
//!
//! The first argument is the file to write. The others are what goes into it: `builtin` for the facts that this program
//! carries, an ISF file (`.json` or `.json.xz`) with its kernel's version behind an equals sign, or a collection: one JSON
//! file that holds the types of many kernels by their hashes. What is kept of a kernel is listed in
//! `crates/symbols/src/facts/selection.rs`.

#![allow(clippy::print_stdout)]

use anyhow::{Context, Result, bail};
use rkd_symbols::{SymbolTable, builtin_facts, facts, isf};
use serde_json::{Value, json};
use std::path::Path;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((out, inputs)) = arguments
        .split_first()
        .filter(|(_, inputs)| !inputs.is_empty())
    else {
        bail!(
            "usage: make_facts OUT (builtin | FILE.json[.xz][=VERSION] | COLLECTION.json[.xz])..."
        );
    };
    let mut tables = Vec::new();
    for input in inputs {
        let before = tables.len();
        if input == "builtin" {
            tables.extend(builtin_facts().tables());
        } else {
            let (file, version) = input
                .rsplit_once('=')
                .map_or((&**input, None), |(file, v)| (file, Some(v)));
            read(Path::new(file), version, &mut tables)?;
        }
        println!("{input}: {} kernels", tables.len() - before);
    }
    let packed = facts::encode(&tables)?;
    let carried = facts::Facts::parse(&packed)?.builds().len();
    std::fs::write(out, &packed).with_context(|| format!("cannot write {out}"))?;
    println!("{out}: {carried} kernels, {} bytes", packed.len());
    Ok(())
}

fn read(file: &Path, version: Option<&str>, tables: &mut Vec<SymbolTable>) -> Result<()> {
    let name = || file.display().to_string();
    let packed = std::fs::read(file).with_context(name)?;
    let text = isf::unpack(&packed)
        .map_err(anyhow::Error::msg)
        .with_context(name)?;
    let json: Value = serde_json::from_slice(&text).with_context(name)?;
    let Some(builds) = json["builds"].as_array() else {
        let table = isf::parse(file, &text)?;
        let table = match version.or(table.version()) {
            Some(version) => table.clone().with_version(version),
            None => bail!(
                "{}: say the version: {0}=10.0.BUILD.REVISION",
                file.display()
            ),
        };
        tables.push(facts::select(&table));
        return Ok(());
    };
    for build in builds {
        let id = build["guid_age"].as_str().unwrap_or_default();
        let table = one_of(&json, build).with_context(|| format!("{}: {id}", file.display()))?;
        tables.push(facts::select(&table));
    }
    Ok(())
}

/// One kernel of a collection, by way of the ISF file that it once was.
fn one_of(collection: &Value, build: &Value) -> Result<SymbolTable> {
    let text = |key: &str| build[key].as_str().with_context(|| format!("no {key}"));
    let (guid, age) = text("guid_age")?.split_once('-').context("no age")?;
    let definitions = |key: &str| -> Result<Value> {
        let hashes = build[key]
            .as_object()
            .with_context(|| format!("no {key}"))?;
        let definition =
            |hash: &Value| collection["types"][hash.as_str().unwrap_or_default()][1].clone();
        Ok(hashes
            .iter()
            .map(|(name, hash)| (name.clone(), definition(hash)))
            .collect())
    };
    let symbols = build["symbols"].as_object().context("no symbols")?;
    let symbols: Value = symbols
        .iter()
        .map(|(name, rva)| (name.clone(), json!({"address": rva})))
        .collect();
    let pdb = json!({"GUID": guid, "age": age.parse::<u32>()?, "database": text("pdb")?, "machine_type": build["machine"]});
    let isf = json!({
        "metadata": {"format": "6.1.0", "windows": {"pdb": pdb}},
        "symbols": symbols,
        "base_types": collection["base_types"],
        "user_types": definitions("user_types")?,
        "enums": definitions("enums")?,
    });
    let table = isf::parse(Path::new("collection"), isf.to_string().as_bytes())?;
    // The symbol after MiState is not in the collection, which says instead what it would tell.
    Ok(table
        .with_version(text("version")?)
        .with_mi_state_slack(build["mi_state_slack"].as_u64()))
}
