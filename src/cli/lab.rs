//! `rkd lab`: practice dumps.

use super::World;
use super::arguments::{Lab, Make};
use crate::command::{KdLine, Row};
use crate::render::{Outcome, WIDTH, wrapped};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_lab::{Options, Scenario};
use rkd_symbols::{SymbolTable, builtin_facts, isf};
use std::path::Path;

/// Lists the scenarios, or makes the dump of one.
///
/// # Errors
/// When there is no such scenario or kernel, or the file cannot be written.
pub(super) fn run(world: &World<'_>, task: &Lab) -> Result<u8> {
    let mut out = world.screen();
    match task {
        Lab::List => {
            out.begin("lab list")?;
            for scenario in rkd_lab::scenarios() {
                out.row(&Listed::of(scenario))?;
            }
        }
        Lab::Make(make) => {
            let made = made(make)?;
            out.begin("lab make")?;
            out.row(&made)?;
        }
    }
    out.end(Outcome::Done)?;
    out.close()?;
    Ok(0)
}

/// A scenario that practice dumps are made of.
#[derive(Row)]
#[row(kind = "scenario")]
struct Listed {
    /// Its name.
    name: &'static str,
    /// What it is about, in a few words.
    title: &'static str,
    /// What is wrong in that machine.
    summary: &'static str,
    /// The version of its kernel.
    version: &'static str,
}

impl Listed {
    fn of(scenario: &'static Scenario) -> Listed {
        Listed {
            name: scenario.name,
            title: scenario.title,
            summary: scenario.summary,
            version: scenario.version,
        }
    }
}

impl KdLine for Listed {
    fn line(&self) -> String {
        let Listed { name, title, .. } = self;
        let summary = wrapped(self.summary, WIDTH - 13).replace('\n', &format!("\n{:13}", ""));
        format!("{name:<12} {title}\n{:13}{summary}", "")
    }
}

/// A practice dump that was made.
#[derive(Row)]
#[row(kind = "made")]
struct MadeDump {
    /// Its file.
    file: String,
    /// The scenario.
    scenario: &'static str,
    /// What kind of dump it is.
    kind: &'static str,
    /// The version of its kernel.
    version: String,
    /// The size of the file.
    bytes: u64,
    /// How many pages of memory it holds.
    pages: u64,
    /// Figures that this kernel has no place for.
    homeless: Vec<String>,
    /// Where the body lies that was laid into it.
    #[row(absent = "no body was laid into the dump")]
    body_at: Option<Virt>,
    /// The size of that body.
    #[row(absent = "no body was laid into the dump")]
    body_bytes: Option<u64>,
    #[row(skip, line)]
    line: String,
}

fn made(make: &Make) -> Result<MadeDump> {
    let scenario = scenario(&make.scenario)?;
    let options = Options {
        kind: make.kind,
        comment: make.comment.clone(),
        encoded_debugger_data: make.encoded,
        payload: make
            .body
            .as_deref()
            .map(rkd_lab::Payload::of_file)
            .transpose()?,
        ..Options::default()
    };
    let table = table(make, scenario)?;
    let made = rkd_lab::make_file(scenario, &table, &options, &make.output)?;
    if let Some(folder) = &make.drivers {
        write_drivers(folder, &rkd_lab::driver_files(scenario, &table, &options)?)?;
    }
    let path = make.output.display().to_string();
    let mut text = vec![
        format!(
            "{path}: {} of Windows {}, {:.1} MiB",
            made.kind.in_words(),
            made.version,
            mebibytes(made.bytes)
        ),
        String::new(),
        wrapped(scenario.summary, WIDTH),
        String::new(),
    ];
    text.extend(
        scenario
            .answers
            .iter()
            .map(|answer| format!("  - {}", answer.question)),
    );
    text.push(format!("\nOpen it with  rkd {path}"));
    if let (Some(laid), Some(file)) = (made.payload, &make.body) {
        text.push(format!(
            "{} lies at {}, {:#x} bytes",
            file.display(),
            laid.at,
            laid.bytes
        ));
    }
    if !made.homeless.is_empty() {
        text.push(format!(
            "This kernel has no place for: {}",
            made.homeless.join(", ")
        ));
    }
    Ok(MadeDump {
        file: path,
        scenario: scenario.name,
        kind: made.kind.name(),
        version: made.version,
        bytes: made.bytes,
        pages: made.pages,
        homeless: made.homeless,
        body_at: made.payload.map(|laid| laid.at),
        body_bytes: made.payload.map(|laid| laid.bytes),
        line: text.join("\n"),
    })
}

fn write_drivers(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    let failed = |path: &Path, error: std::io::Error| Error::File {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

/// The scenario of that name.
///
/// # Errors
/// When there is none; the names that there are.
pub(super) fn scenario(name: &str) -> Result<&'static Scenario> {
    rkd_lab::scenario(name).ok_or_else(|| {
        let names: Vec<&str> = rkd_lab::scenarios()
            .iter()
            .map(|scenario| scenario.name)
            .collect();
        Error::NotFound(format!(
            "there is no scenario {name}; there are: {}",
            names.join(", ")
        ))
    })
}

/// The kernel for which the dump is made.
fn table(make: &Make, scenario: &Scenario) -> Result<SymbolTable> {
    match &make.isf {
        Some(path) => isf::open(Path::new(path)),
        None => builtin(make.build.as_deref().unwrap_or(scenario.version)),
    }
}

/// One of the kernels that rkd knows.
///
/// # Errors
/// When it does not know that version.
pub(super) fn builtin(version: &str) -> Result<SymbolTable> {
    builtin_facts().by_version(version).ok_or_else(|| {
        let builds = builtin_facts().builds();
        let known = builds.iter().map(|(version, _)| *version).filter(|version| !version.is_empty());
        let (first, last) = (known.clone().next().unwrap_or("?"), known.clone().next_back().unwrap_or("?"));
        Error::NotFound(format!(
            "no kernel {version} is built in (there are {}, from {first} to {last}); --isf FILE takes any other",
            known.count()
        ))
    })
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
