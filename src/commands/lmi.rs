//! `!lmi`: a module in a few lines, from its image and from what was done about its symbols.

use super::lm::{SymbolState, symbol_state};
use crate::command::signature::{Item, Kind, ModuleRef, given};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic, masm};
use crate::session::Session;
use jiff::Timestamp;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::{Kernel, Module};
use rkd_symbols::pe::{DebugEntry, Image};

/// `!lmi`: summarize a module's headers and symbols.
pub static COMMAND: Command = Command {
    name: "!lmi",
    aliases: &[],
    rhai: "lmi",
    topic: Topic::Modules,
    summary: "summarize a module's headers and symbols",
    grammar: Grammar::of(&[Item::required("Module | Address", Kind::Module, "")]),
    help: "\
Shows what the headers of a module's image say: machine, time stamp, size, checksum, the debug directory with the GUID and age of
its PDB; and what was done about its symbols so far. What is not mapped or not in the dump is said.

The lines about the image are left out when its headers are not in the dump. !dh shows all of the headers.",
    examples: &[Example {
        line: "!lmi myfault",
        shows: "the driver of the article",
        output: "\
Loaded Module Info: [myfault] 
         Module: myfault
   Base Address: fffff80747f50000
     Image Name: myfault.sys
   Machine Type: 34404 (X64)
     Time Stamp: 6335c51b Fri Sep 30 00:17:31 2022
           Size: 9000
       CheckSum: 10ced
Characteristics: 22  
Debug Data Dirs: Type  Size     VA  Pointer
             CODEVIEW    24,  331c,    231c RSDS - GUID: {0EF4116A-5793-4BD2-8C21-5E70A33F19C8}
               Age: 1, Pdb: myfault.pdb
     Image Type: MEMORY   - Image read successfully from loaded memory.
    Symbol Type: DEFERRED - No error - symbol load deferred
    Load Report: no symbols loaded",
    }],
    rows: &[Info::SCHEMA],
    run,
};

/// The machine's name behind its number.
pub(super) fn machine(number: u16) -> &'static str {
    match number {
        0x14c => "I386",
        0x1c4 => "ARMNT",
        0x8664 => "X64",
        0xaa64 => "ARM64",
        _ => "UNKNOWN",
    }
}

/// The module that a name or an address means.
pub(super) fn module_of<'a>(
    session: &Session,
    kernel: &'a Kernel,
    place: ModuleRef<'_>,
) -> Result<&'a Module> {
    let refused = |why: Error| Error::Refused {
        text: format!("{place} not found"),
        why: Box::new(why),
    };
    let at = match place {
        ModuleRef::At(at) => at,
        ModuleRef::Named(text) => {
            let by_file = |module: &&Module| module.image_name.eq_ignore_ascii_case(text);
            let module = kernel.module(text);
            if let Some(module) = module.or_else(|| kernel.modules().iter().find(by_file)) {
                return Ok(module);
            }
            Virt(masm::evaluate(session, text).map_err(refused)?)
        }
    };
    kernel
        .module_at(at)
        .ok_or_else(|| refused(Error::NotFound(format!("{at} lies in no loaded module"))))
}

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let place = given(args.module("Module | Address"))?;
    out.text(&format!(
        "Loaded Module Info: [{}] ",
        place.to_string().to_lowercase()
    ))?;
    let kernel = session.target.kernel.clone();
    let module = module_of(session, &kernel, place)?;
    let image = Image::read(kernel.space(), module.base);
    let missing = match &image {
        Err(why) => Some(format!("the headers of {}: {why}", module.name)),
        Ok(image) => image
            .debug_entries()
            .missing
            .map(|why| format!("the debug directory of {}: {why}", module.name)),
    };
    out.row(&Info::new(
        session,
        module,
        image.ok(),
        symbol_state(&kernel, module),
    ))?;
    match missing {
        Some(why) => out.note(&why),
        None => Ok(()),
    }
}

/// A module in a few lines.
#[derive(Row)]
#[row(kind = "module_info", absent = "the headers are not in the dump")]
struct Info<'a> {
    /// Its name in kd.
    module: &'a str,
    /// Where its image begins.
    base: Virt,
    /// The name of the image's file.
    image_name: &'a str,
    /// The kind of processor that it is for.
    machine: Option<&'static str>,
    /// When it was linked, or a hash of its contents.
    #[row(unit = "s since 1970")]
    time_stamp: Option<u32>,
    /// Whether the time stamp is such a hash.
    reproducible: Option<bool>,
    /// The size of the image.
    size_bytes: u64,
    /// The checksum of the image's file.
    checksum: Option<u32>,
    /// The flags of the file header.
    characteristics: Option<u16>,
    /// The GUID of its PDB.
    pdb_guid: Option<String>,
    /// The age of its PDB.
    pdb_age: Option<u32>,
    /// The path of its PDB, as the linker wrote it.
    pdb: Option<String>,
    /// What was done about its symbols.
    symbols: &'static str,
    /// The file of its symbols; empty where there is none.
    symbol_file: String,
    #[row(skip)]
    session: &'a Session,
    #[row(skip)]
    image: Option<Image<'a>>,
    #[row(skip)]
    state: SymbolState,
}

impl KdLine for Info<'_> {
    fn line(&self) -> String {
        let mut lines = Vec::new();
        let mut line = |label: &str, text: String| lines.push(format!("{label:>15}: {text}"));
        line("Module", self.module.to_string());
        line("Base Address", format!("{:x}", self.base));
        line("Image Name", self.image_name.to_string());
        if let Some(image) = &self.image {
            let headers = image.headers();
            line(
                "Machine Type",
                format!("{} ({})", headers.machine, machine(headers.machine)),
            );
            line("Time Stamp", self.stamp(image));
            line("Size", format!("{:x}", self.size_bytes));
            line("CheckSum", format!("{:x}", headers.checksum));
            line(
                "Characteristics",
                format!("{:x}  ", headers.characteristics),
            );
            lines.extend(debug_lines(image));
            lines.push(
                "     Image Type: MEMORY   - Image read successfully from loaded memory.".into(),
            );
        } else {
            line("Size", format!("{:x}", self.size_bytes));
            lines.push("     Image Type: NONE     - Image header paged out".into());
        }
        lines.extend(self.symbol_lines());
        lines.join("\n")
    }
}

impl<'a> Info<'a> {
    fn new(
        session: &'a Session,
        module: &'a Module,
        image: Option<Image<'a>>,
        state: SymbolState,
    ) -> Info<'a> {
        let headers = image.as_ref().map(Image::headers);
        let debug = image.as_ref().map(|image| image.debug().value);
        let pdb = image.as_ref().and_then(Image::codeview);
        Info {
            module: &module.name,
            base: module.base,
            image_name: &module.image_name,
            machine: headers.map(|headers| machine(headers.machine)),
            time_stamp: headers.map(|headers| headers.time_stamp),
            reproducible: debug.as_ref().map(|debug| debug.reproducible),
            size_bytes: module.size,
            checksum: headers.map(|headers| headers.checksum),
            characteristics: headers.map(|headers| headers.characteristics),
            pdb_guid: pdb.as_ref().map(|pdb| pdb.guid.to_string()),
            pdb_age: pdb.as_ref().map(|pdb| pdb.age),
            pdb: debug.and_then(|debug| debug.pdb_path),
            symbols: state.words(),
            symbol_file: state.file().to_string(),
            session,
            image,
            state,
        }
    }

    fn stamp(&self, image: &Image) -> String {
        let seconds = image.headers().time_stamp;
        if image.debug().value.reproducible {
            return format!(
                "{seconds:08x} (This is a reproducible build file hash, not a true timestamp)"
            );
        }
        match Timestamp::from_second(i64::from(seconds)) {
            Ok(time) => {
                let local = time.to_zoned(self.session.display.time_zone.clone());
                format!("{seconds:08x} {}", local.strftime("%a %b %e %H:%M:%S %Y"))
            }
            Err(_) => format!("{seconds:08x}"),
        }
    }

    fn symbol_lines(&self) -> Vec<String> {
        let loaded = "Symbols loaded successfully from symbol search path.";
        let (kind, why, report) = match &self.state {
            SymbolState::Deferred => (
                "DEFERRED",
                "No error - symbol load deferred",
                "no symbols loaded",
            ),
            SymbolState::None => (
                "NONE",
                "PDB not found from symbol search path.",
                "no symbols loaded",
            ),
            SymbolState::Exports(_) => ("EXPORT", "PDB not found", "export symbols"),
            SymbolState::Facts(_) => (
                "PDB",
                "PDB not found; rkd knows this kernel.",
                "some public symbols",
            ),
            SymbolState::Public(_) => ("PDB", loaded, "public symbols , not source indexed "),
            SymbolState::Private(_) => (
                "PDB",
                loaded,
                "private symbols & lines, not source indexed ",
            ),
        };
        let mut lines = vec![format!("    Symbol Type: {kind:<8} - {why}")];
        let file = match &self.state {
            SymbolState::Public(file) | SymbolState::Private(file) => {
                Some(format!("{:17}{file}", ""))
            }
            _ => None,
        };
        lines.extend(file.clone());
        lines.push(format!("    Load Report: {report}"));
        lines.extend(file);
        lines
    }
}

/// The debug directory.
fn debug_lines(image: &Image) -> Vec<String> {
    let entries = image.debug_entries();
    let debug = image.debug().value;
    let mut lines = vec!["Debug Data Dirs: Type  Size     VA  Pointer".to_string()];
    for entry in &entries.value {
        let DebugEntry {
            kind,
            size,
            rva,
            pointer,
        } = *entry;
        let mapped = rva.0 != 0 && image.has(rva, size);
        let mut line = format!(
            "{:>21} {size:>5x}, {:>5x}, {pointer:>7x} ",
            name(kind),
            rva.0
        );
        match (kind, &debug.pdb) {
            (2, Some(pdb)) if mapped => {
                line.push_str(&format!(
                    "RSDS - GUID: {{{}}}\n               Age: {:x}, Pdb: {}",
                    guid(&pdb.guid.to_string()),
                    pdb.age,
                    debug.pdb_path.as_deref().unwrap_or_default()
                ));
            }
            (16, _) => line.push_str(if mapped {
                "Reproducible build"
            } else {
                "Reproducible build[Data not mapped]"
            }),
            _ if mapped => {}
            _ => line.push_str("[Data not mapped]"),
        }
        lines.push(line.trim_end().to_string());
    }
    lines
}

/// The digits of a GUID in its usual groups.
pub(super) fn guid(digits: &str) -> String {
    let mut text = String::new();
    for (number, digit) in digits.chars().enumerate() {
        if [8, 12, 16, 20].contains(&number) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

/// The name of a type of debug data; kd writes two question marks for those that it does not know.
fn name(kind: u32) -> &'static str {
    match kind {
        1 => "COFF",
        2 => "CODEVIEW",
        3 => "FPO",
        4 => "MISC",
        5 => "EXCEPTION",
        6 => "FIXUP",
        7 => "OMAP_TO",
        8 => "OMAP_FROM",
        9 => "BORLAND",
        11 => "CLSID",
        12 => "VC_FEATURE",
        13 => "POGO",
        14 => "ILTCG",
        15 => "MPX",
        16 => "REPRO",
        20 => "EX_DLLCHARACTERISTICS",
        _ => "??",
    }
}
