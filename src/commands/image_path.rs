//! `.exepath`: where the files of images are looked for.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Signature, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::Result;
use rkd_symbols::ImagePath;

/// `.exepath`: show or set where files of drivers are looked for.
pub static COMMAND: Command = Command {
    name: ".exepath",
    aliases: &[".exepath+"],
    rhai: "",
    topic: Topic::Symbols,
    summary: "show or set where files of drivers are looked for",
    grammar: Grammar::Signature(Signature {
        written: Some(".exepath[+] [Path[;Path]...]"),
        ..Signature::of(&[Item::optional(
            "Path",
            Kind::Path,
            "a folder (its subfolders drivers, System32 and System32\\drivers are looked into, too), a single file, or\n\
             srv*CACHE*URL, of which the cache is used",
        )])
    }),
    help: "\
.exepath shows the executable image path, or sets it; .exepath+ adds to it; -i on the command line sets it from the start.

A dump lacks pages of drivers: INIT is discarded after the start, and PAGE is paged out when memory is short. !poolowner and !leak
then read the driver's file instead, if the time stamp and the size in its header are those of the loaded image. A file of another
build is never taken.",
    examples: &[Example {
        line: ".exepath /images; .exepath+ /more",
        shows: "a path of two places",
        output: "\
Executable image search path is: /images
Expanded Executable image search path is: /images
Executable image search path is: /images;/more
Expanded Executable image search path is: /images;/more",
    }],
    rows: &[Path::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let wanted = args.text("Path").unwrap_or_default();
    if !wanted.is_empty() {
        session.check_files()?;
        let path = match args.name.ends_with('+') && !session.target.image_path.is_empty() {
            true => format!("{};{wanted}", session.target.image_path.text()),
            false => wanted.to_owned(),
        };
        session.target.image_path = ImagePath::parse(&path);
        for missing in session.target.image_path.missing() {
            out.note(&format!(
                "{}: there is no such file or folder",
                missing.display()
            ))?;
        }
    }
    out.row(&Path {
        path: session.target.image_path.text(),
    })
}

/// Where the files of images are looked for.
#[derive(Row)]
#[row(kind = "image_path")]
struct Path<'a> {
    /// The path as it was given, its places divided by semicolons.
    path: &'a str,
}

impl KdLine for Path<'_> {
    fn line(&self) -> String {
        let path = self.path;
        format!(
            "Executable image search path is: {path}\nExpanded Executable image search path is: {path}"
        )
    }
}
