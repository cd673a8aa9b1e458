//! `!dh`: the headers of an image, as they lie in memory.

mod rows;
mod words;

use super::lmi::module_of;
use crate::command::signature::{Item, Kind, ModuleRef, Signature, Unknown, given};
use crate::command::{Args, Command, Example, Grammar, Sink, Topic, masm, sink};
use crate::session::Session;
use jiff::Timestamp;
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::{Error, Result};
use rkd_symbols::pe::Image;
use rows::{DebugRow, DirectoryRow, ExportRow, HeaderRow, ImportRow, SectionRow};
use words::DIRECTORIES;

/// `!dh`: show the headers of an image.
pub static COMMAND: Command = Command {
    name: "!dh",
    aliases: &[],
    rhai: "dh",
    topic: Topic::Modules,
    summary: "show the headers of an image",
    grammar: Grammar::Signature(Signature {
        unknown: Unknown::IsNone("!dh -h"),
        ..Signature::of(&[
            Item::flag("-f", "the file header and the optional header"),
            Item::flag("-s", "the sections and the debug directory"),
            Item::flag("-e", "the exports"),
            Item::flag("-i", "the imports, with the slots of the import address table"),
            Item::flag("-a", "everything"),
            Item::flag("-h", "this help"),
            Item::required("Module | Address", Kind::Module, ""),
        ])
    }),
    help: "\
Shows the headers of an image: the file header, the optional header with the data directories, the sections, and behind the
section that holds it the debug directory.

The image is the one in memory: sections that are discarded after a driver has started are listed, though their pages are gone,
and the image base is where the image was loaded. What is not in the dump is said. !lmi is shorter.",
    examples: &[Example {
        line: "!dh -s myfault",
        shows: "the sections of a driver",
        output: "
SECTION HEADER #1
   .text name
    1A40 virtual size
    1000 virtual address
    1C00 size of raw data
     400 file pointer to raw data
       0 file pointer to relocation table
       0 file pointer to line numbers
       0 number of relocations
       0 number of line numbers
68000020 flags
         Code
         Not Paged
         (no align specified)
         Execute Read

SECTION HEADER #2
...",
    }],
    rows: &[HeaderRow::SCHEMA, DirectoryRow::SCHEMA, SectionRow::SCHEMA, DebugRow::SCHEMA, ExportRow::SCHEMA, ImportRow::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    if args.has("h") {
        return out.text(&COMMAND.manual());
    }
    let place = given(args.module("Module | Address"))?;
    let wants = |part| args.has(part) || args.has("a");
    let is_short = args.flags().next().is_none();
    let headers_wanted = wants("f") || is_short;
    let base = base(session, place)?;
    let kernel = session.target.kernel.clone();
    let image = Image::read(kernel.space(), base).map_err(|why| Error::Refused {
        text: format!("Cannot read the headers of the image at {base}"),
        why: Box::new(why),
    })?;
    if headers_wanted {
        headers(session, base, &image, out)?;
    }
    if wants("s") || is_short {
        sections(&image, headers_wanted, out)?;
    }
    if wants("e") {
        let exports = image.exports();
        out.table(ExportRow::SCHEMA)?;
        out.text("\n\nExports\n Ordinal  Address Name\n")?;
        for export in &exports.value.list {
            sink::check(&session.control.stop)?;
            out.row(&ExportRow::from(export))?;
        }
        if let Some(why) = exports.missing {
            out.note(&format!("exports: {why}"))?;
        }
    }
    if wants("i") {
        let imports = image.imports();
        out.table(ImportRow::SCHEMA)?;
        out.text("\n\nImports\n Address Name\n")?;
        for import in &imports.value {
            sink::check(&session.control.stop)?;
            out.row(&ImportRow::from(import))?;
        }
        if let Some(why) = imports.missing {
            out.note(&format!("imports: {why}"))?;
        }
    }
    Ok(())
}

/// Where the image lies: at a module's base, or where it is said to.
fn base(session: &Session, place: ModuleRef<'_>) -> Result<Virt> {
    let text = match place {
        ModuleRef::At(at) => return Ok(at),
        ModuleRef::Named(text) => text,
    };
    match module_of(session, &session.target.kernel, place) {
        Ok(module) if session.target.kernel.module(text).is_some() => Ok(module.base),
        // An address inside of a module is one that is meant: an image may lie there.
        Ok(_) => Ok(Virt(masm::evaluate(session, text)?)),
        Err(error) => masm::evaluate(session, text).map(Virt).map_err(|_| error),
    }
}

fn headers(session: &Session, base: Virt, image: &Image, out: &mut dyn Sink) -> Result<()> {
    let headers = image.headers();
    let time = match (
        image.debug().value.reproducible,
        Timestamp::from_second(headers.time_stamp.into()),
    ) {
        // kd shows the hash as a time; the remark of lmv says what it is.
        (true, _) => "(This is a reproducible build file hash, not a timestamp)".into(),
        (false, Ok(time)) => time
            .to_zoned(session.display.time_zone.clone())
            .strftime("%a %b %e %H:%M:%S %Y")
            .to_string(),
        (false, Err(_)) => String::new(),
    };
    out.row(&HeaderRow::new(base, headers, time))?;
    for (name, (rva, size)) in DIRECTORIES.into_iter().zip(headers.directories()) {
        out.row(&DirectoryRow {
            name,
            rva: *rva,
            size_bytes: *size,
        })?;
    }
    Ok(())
}

fn sections(image: &Image, behind_headers: bool, out: &mut dyn Sink) -> Result<()> {
    let headers = image.headers();
    if behind_headers {
        out.text("")?;
    }
    // The debug directory is shown behind the section that it lies in.
    let directory = headers.directories().get(6).map(|(rva, _)| Rva(*rva));
    let mut shown = false;
    for (number, section) in headers.sections.iter().enumerate() {
        out.row(&SectionRow::new(number + 1, section))?;
        let holds = directory.is_some_and(|rva| headers.section_of(rva) == Some(section));
        if holds && !shown {
            debug(image, out)?;
            shown = true;
        }
    }
    if !shown {
        debug(image, out)?;
    }
    match &headers.sections_missing {
        Some(why) => out.note(why),
        None => Ok(()),
    }
}

fn debug(image: &Image, out: &mut dyn Sink) -> Result<()> {
    let entries = image.debug_entries();
    let debug = image.debug();
    if !entries.value.is_empty() {
        out.text(&format!(
            "\n\nDebug Directories({})\n\tType       Size     Address  Pointer",
            entries.value.len()
        ))?;
    }
    let path = debug.value.pdb_path.as_deref().unwrap_or_default();
    for entry in &entries.value {
        let pdb = debug.value.pdb.as_ref().filter(|_| entry.kind == 2);
        out.row(&DebugRow::new(entry, pdb.map(|pdb| (pdb, path))))?;
    }
    match entries.missing.or(debug.missing) {
        Some(why) => out.note(&format!("debug directory: {why}")),
        None => Ok(()),
    }
}
