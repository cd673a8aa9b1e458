//! `.sympath`, `.symfix`: where symbols are looked for.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Signature, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::Result;
use rkd_symbols::SymbolPath;
use rkd_symbols::server::MICROSOFT;

/// `.sympath`: show or set where symbols are looked for.
pub static COMMAND: Command = Command {
    name: ".sympath",
    aliases: &[".sympath+", ".symfix", ".symfix+"],
    rhai: "",
    topic: Topic::Symbols,
    summary: "show or set where symbols are looked for",
    grammar: Grammar::Signature(Signature {
        written: Some(".sympath[+] [Place[;Place]...] | .symfix[+] [Cache]"),
        ..Signature::of(&[Item::optional("Place", Kind::Path, "")])
    }),
    help: "\
.sympath shows the symbol path, or sets it; .sympath+ adds to it. .symfix sets it to Microsoft's server behind a cache: yours, or
the default one. A new path is used from the next .reload on. A place is one of these:

  C:\\sym                a folder with symbol files: x.pdb, symbols\\sys\\x.pdb, GUID-AGE.json.xz, or a symbol store; or one file
  srv*A*B*SERVER        symbol stores, the nearest first: folders, and at the end https://SERVER; what one has is copied into
                        those before it
  srv*                  Microsoft's server behind the default cache; an empty part (srv**SERVER) is the default cache
  cache*C               a store that gets a copy of everything that is found behind it on the path

%NAME% stands for a variable of the environment. -y on the command line sets the path too, and without it the variables
_NT_ALT_SYMBOL_PATH and _NT_SYMBOL_PATH, in this order.

Symbol files are PDBs (also compressed, x.pd_), and symbol tables in the format of Volatility 3. A file must have the GUID and the
age of the image; another one is refused, and a note says so. Everything on this machine is looked at first, in the order of the
path, and then the servers. nt's symbols are fetched when the dump is opened only if rkd does not know this kernel by itself,
otherwise when a command needs more than that; other modules' when a command needs them. Every fetch is told. A server that does
not answer is left alone until the next .reload. --offline keeps rkd from using the network at all. !sym noisy shows every place
that is tried.",
    examples: &[
        Example {
            line: ".sympath+ /symbols; .sympath+ /more",
            shows: "a path of two places",
            output: "\
Symbol search path is: /symbols
Expanded Symbol search path is: /symbols
Symbol search path is: /symbols;/more
Expanded Symbol search path is: /symbols;/more",
        },
        Example {
            line: ".symfix /cache; .sympath",
            shows: "Microsoft's server behind a cache",
            output: "\
Symbol search path is: srv*/cache*https://msdl.microsoft.com/download/symbols
Expanded Symbol search path is: srv*/cache*https://msdl.microsoft.com/download/symbols",
        },
        Example {
            line: ".sympath",
            shows: "no path at all",
            output: "\
Symbol search path is: *** Invalid ***
****************************************************************************
* Symbol loading may be unreliable without a symbol search path.           *
* Use .symfix to have the debugger choose a symbol path.                   *
* After setting your symbol path, use .reload to refresh symbol locations. *
****************************************************************************",
        },
    ],
    rows: &[Path::SCHEMA],
    run,
};

/// kd's remark on an empty path.
const NO_PATH: &str = "\
Symbol search path is: *** Invalid ***
****************************************************************************
* Symbol loading may be unreliable without a symbol search path.           *
* Use .symfix to have the debugger choose a symbol path.                   *
* After setting your symbol path, use .reload to refresh symbol locations. *
****************************************************************************";

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let text = args.text("Place").unwrap_or_default();
    let is_fix = args.name.starts_with(".symfix");
    let wanted = match (is_fix, text) {
        (true, "") => "srv*".to_string(),
        (true, cache) => format!("srv*{cache}*{MICROSOFT}"),
        (false, path) => path.to_string(),
    };
    if !wanted.is_empty() {
        // The path decides which files are read and which servers are spoken to.
        session.check_files()?;
        session.target.symbol_path =
            match args.name.ends_with('+') && !session.target.symbol_path.is_empty() {
                true => format!("{};{wanted}", session.target.symbol_path),
                false => wanted,
            };
        let path = SymbolPath::parse(&session.target.symbol_path);
        if !path.servers().is_empty() && !session.target.servers.are_online() {
            out.note("the network is not used: of a server's place on the path only the folders are searched")?;
        }
        out.note("the new path is used from the next .reload on")?;
    }
    // kd's .symfix says nothing.
    if is_fix { Ok(()) } else { show(session, out) }
}

/// The lines about the path, as in the start-up banner.
///
/// # Errors
/// Those of the sink.
pub fn show(session: &Session, out: &mut dyn Sink) -> Result<()> {
    let path = SymbolPath::parse(&session.target.symbol_path);
    out.row(&Path {
        path: &session.target.symbol_path,
        expanded: path.in_full(),
        places: path
            .directories()
            .into_iter()
            .map(|place| place.display().to_string())
            .collect(),
        servers: path.servers(),
    })
}

/// Where symbols are looked for.
#[derive(Row)]
#[row(kind = "symbol_path")]
struct Path<'a> {
    /// The path as it was given.
    path: &'a str,
    /// The same with the parts that kd fills in.
    expanded: String,
    /// The folders on it.
    places: Vec<String>,
    /// The servers on it.
    servers: Vec<&'a str>,
}

impl KdLine for Path<'_> {
    fn line(&self) -> String {
        match self.path {
            "" => NO_PATH.to_string(),
            path => format!(
                "Symbol search path is: {path}\nExpanded Symbol search path is: {}",
                self.expanded
            ),
        }
    }
}
