//! `.sympath`, `.symfix`: where symbols are looked for.

use crate::command::{Args, Command, Completes, Example, Record, Row, Sink, Topic};
use crate::error::Result;
use crate::session::Session;
use crate::symbols::SymbolPath;

/// See the module.
pub static COMMAND: Command = Command {
    name: ".sympath",
    aliases: &[".sympath+", ".symfix", ".symfix+"],
    rhai: "",
    topic: Topic::Symbols,
    summary: "show or set where symbols are looked for",
    usage: ".sympath[+] [Path[;Path]...] | .symfix[+] [Cache]",
    help: "\
.sympath shows the symbol path, or sets it; .sympath+ adds to it. A place on the path is a directory with symbol tables, a symbol
table, or srv*CACHE*URL, of which the cache is used. .symfix sets the path to Microsoft's server with a cache of yours in front.

rkd reads symbol tables in the format of Volatility 3 (GUID-AGE.json.xz), of nt; it works without any for the kernels that it
knows (help .reload), and it never downloads anything. A new path is used from the next .reload on.",
    completes: Completes::Files,
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
    let text = args.text.trim().trim_matches('"');
    let is_fix = args.name.starts_with(".symfix");
    let wanted = match (is_fix, text) {
        (true, "") => "srv*".to_string(),
        (true, cache) => format!("srv*{cache}*https://msdl.microsoft.com/download/symbols"),
        (false, path) => path.to_string(),
    };
    if !wanted.is_empty() {
        session.symbol_path = match args.name.ends_with('+') && !session.symbol_path.is_empty() {
            true => format!("{};{wanted}", session.symbol_path),
            false => wanted,
        };
        let servers = SymbolPath::parse(&session.symbol_path).servers().to_vec();
        if !servers.is_empty() || session.symbol_path.contains("srv*") {
            out.note("rkd downloads nothing: of a server's place on the path only the local cache is searched")?;
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
    out.row(&Path(&session.symbol_path))
}

struct Path<'a>(&'a str);

impl Row for Path<'_> {
    fn kind(&self) -> &'static str {
        "symbol_path"
    }

    fn record(&self) -> Record {
        let path = SymbolPath::parse(self.0);
        let places = path
            .directories()
            .iter()
            .map(|place| place.display().to_string().into());
        vec![
            ("path", self.0.into()),
            (
                "places",
                places.collect::<Vec<crate::command::Value>>().into(),
            ),
        ]
    }

    fn text(&self) -> String {
        match self.0 {
            "" => NO_PATH.to_string(),
            path => {
                format!("Symbol search path is: {path}\nExpanded Symbol search path is: {path}")
            }
        }
    }
}
