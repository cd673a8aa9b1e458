//! The grammar of the command line, and its help.

use super::open::time_zone;
use crate::render::{ColorChoice, Format};
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use rkd_lab::Kind;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  rkd MEMORY.DMP                                   opens the dump and asks for commands
  rkd -z MEMORY.DMP -y DIR -c '!vm;!poolused 2;q'  as kd
  rkd MEMORY.DMP --format json -c '!poolused 2'    one JSON document per command
  rkd run pool-leak *.dmp --format csv             who eats the pool, for each dump
  rkd tags drivers/ --database tags.jsonl          which pool tags driver files allocate under, without a dump
  rkd demo                                         makes a practice dump and solves it

At the prompt: help lists the commands, help NAME explains one.

kd's switches are understood (-z -y -i -c -cf -loga -logo, also with / for -); those that steer what rkd does not do are \
passed over. A file that is named like a task is opened with ./NAME or -z NAME.

Exit status: 0 all went well; 1 a command or a script reported an error; 2 wrong usage; 3 the dump could not be opened; \
130 Ctrl-C.";

/// A kd-like debugger for Windows kernel dumps that finds out which driver is eating the pool, with proof
#[derive(Debug, Parser)]
#[command(name = "rkd", version, about, after_help = EXAMPLES, max_term_width = 120, subcommand_value_name = "TASK", subcommand_help_heading = "Tasks")]
pub(super) struct Cli {
    /// The dump to open
    #[arg(value_name = "DUMP")]
    pub dump: Option<PathBuf>,

    /// The dump to open, as kd takes it
    #[arg(short = 'z', value_name = "DUMP")]
    pub z: Vec<PathBuf>,

    /// Commands to run first, divided by ; (q at the end leaves)
    #[arg(short = 'c', value_name = "COMMANDS", allow_hyphen_values = true)]
    pub commands: Vec<String>,

    /// A file of commands to run first (also -cf FILE)
    #[arg(long = "command-file", value_name = "FILE")]
    pub command_files: Vec<PathBuf>,

    /// Writes the session to a new log file (also -logo FILE)
    #[arg(long = "logo", value_name = "FILE")]
    pub new_log: Option<PathBuf>,

    /// Appends the session to a log file (also -loga FILE)
    #[arg(long = "loga", value_name = "FILE", conflicts_with = "new_log")]
    pub old_log: Option<PathBuf>,

    #[command(flatten)]
    pub common: Common,

    #[command(subcommand)]
    pub task: Option<Task>,
}

/// What every task understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options")]
pub(super) struct Common {
    /// Where symbols are looked for: folders, or srv*CACHE*SERVER [env: _NT_ALT_SYMBOL_PATH, _NT_SYMBOL_PATH]
    #[arg(short = 'y', value_name = "PATH", global = true)]
    pub symbols: Option<String>,

    /// Where images are looked for
    #[arg(
        short = 'i',
        value_name = "PATH",
        env = "_NT_EXECUTABLE_IMAGE_PATH",
        hide_env_values = true,
        global = true
    )]
    pub images: Option<String>,

    /// How results are shown
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        global = true
    )]
    pub format: FormatName,

    /// When colours are used; auto asks the terminal and NO_COLOR
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    pub color: When,

    /// The time zone of all times that are shown (Asia/Shanghai); otherwise TZ or the system's
    #[arg(long = "tz", value_name = "ZONE", global = true, value_parser = time_zone)]
    pub zone: Option<TimeZone>,

    /// A tag database (rkd tags --database FILE), for drivers whose pages the dump lacks
    #[arg(long = "tag-database", value_name = "FILE", global = true)]
    pub tag_database: Option<PathBuf>,

    /// A pooltag.txt with the meanings of pool tags
    #[arg(long, value_name = "FILE", global = true)]
    pub pooltag: Option<PathBuf>,

    /// Lets scripts open files, as pool_diff("other.dmp", ()) and .logopen do
    #[arg(long, global = true)]
    pub allow: bool,

    /// Never uses the network, even if the symbol path names a server
    #[arg(long, global = true)]
    pub offline: bool,

    /// Says every place that is tried for symbols (also -n)
    #[arg(long, global = true)]
    pub noisy: bool,

    /// Leaves out the banner
    #[arg(long, short = 'q', global = true)]
    pub quiet: bool,
}

impl Common {
    /// The symbol path: that of -y, or those of the environment, the alternative one first.
    pub(super) fn symbol_path(&self) -> String {
        if let Some(path) = &self.symbols {
            return path.clone();
        }
        let paths = ["_NT_ALT_SYMBOL_PATH", "_NT_SYMBOL_PATH"].map(std::env::var);
        let paths: Vec<String> = paths
            .into_iter()
            .flatten()
            .filter(|path| !path.is_empty())
            .collect();
        paths.join(";")
    }
}

/// What rkd can do besides opening a dump.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Runs a script over dumps: a file, or the name of an investigation that comes with rkd
    Run(Run),
    /// Says which pool tags driver files allocate under, with the instructions that prove it
    Tags(Tags),
    /// Makes practice dumps
    #[command(subcommand)]
    Lab(Lab),
    /// Converts symbol files
    #[command(subcommand)]
    Symbols(Symbols),
    /// Makes a practice dump and solves it, step by step
    Demo,
    /// Prints the reference of the commands as Markdown
    #[command(hide = true)]
    Docs,
}

/// Symbol files.
#[derive(Debug, Subcommand)]
pub(super) enum Symbols {
    /// Makes an ISF file of a PDB, for Volatility 3 and for machines without a symbol server
    Convert(Convert),
    /// Lists the symbol files that a dump needs, with their addresses, or writes a script that downloads them
    List(List),
    /// Files symbol files that were brought here into the cache, after checking them
    Import(Import),
    /// Adds kernels to the facts of your own, with which their dumps open without any symbol file
    Facts(AddFacts),
}

/// The arguments of `symbols list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// The dump
    #[arg(value_name = "DUMP")]
    pub dump: PathBuf,

    /// Only these modules: names with wildcards (nt, my*)
    #[arg(long, value_name = "MODULE")]
    pub only: Vec<String>,

    /// The server whose addresses are shown; the first one on the symbol path, or else Microsoft's
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,

    /// Writes a script of downloads instead, to be run where there is a network
    #[arg(long, value_enum, value_name = "SHELL")]
    pub script: Option<ScriptFor>,
}

/// The shells for which scripts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ScriptFor {
    /// POSIX shells, with curl or wget
    Sh,
    /// PowerShell
    Powershell,
}

/// The arguments of `symbols import`.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// Symbol files, or folders with such files: PDBs, packed ones (.pd_), ISF files
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    /// The store to file them in; the first one on the symbol path, or else the default cache
    #[arg(long, value_name = "FOLDER")]
    pub into: Option<PathBuf>,
}

/// The arguments of `symbols facts`.
#[derive(Debug, Args)]
pub(super) struct AddFacts {
    /// Kernels' symbol files: PDBs or ISF files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// The kernel's version, 10.0.22631.4602, which no symbol file says
    #[arg(long, value_name = "VERSION")]
    pub build: Option<String>,

    /// The facts file; the one that rkd reads when it opens a dump, unless given
    #[arg(long, value_name = "FILE")]
    pub into: Option<PathBuf>,
}

/// The arguments of `symbols convert`.
#[derive(Debug, Args)]
pub(super) struct Convert {
    /// A PDB (also packed, .pd_), or an ISF file to write anew
    #[arg(value_name = "FILE")]
    pub input: PathBuf,

    /// The file to write, .json or .json.xz; GUID-AGE.json.xz unless given
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Practice dumps.
#[derive(Debug, Subcommand)]
pub(super) enum Lab {
    /// Lists the scenarios
    List,
    /// Makes the dump of a scenario
    Make(Make),
}

/// The arguments of `lab make`.
#[derive(Debug, Args)]
pub(super) struct Make {
    /// The scenario (rkd lab list shows them)
    #[arg(value_name = "SCENARIO")]
    pub scenario: String,

    /// The file to write
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: PathBuf,

    /// What kind of dump
    #[arg(long, value_name = "KIND", default_value = "kernel", value_parser = kind, help = kinds())]
    pub kind: Kind,

    /// The Windows it is of, one of the built-in kernels (19041.3570)
    #[arg(long, value_name = "VERSION", conflicts_with = "isf")]
    pub build: Option<String>,

    /// The symbols of the kernel it is of
    #[arg(long, value_name = "FILE")]
    pub isf: Option<PathBuf>,

    /// A comment for the dump's header
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,

    /// Lays the bytes of a file into the machine's memory, to see them found again
    #[arg(long, value_name = "FILE")]
    pub body: Option<PathBuf>,

    /// A folder for the files of the drivers that the case is about, for -i
    #[arg(long, value_name = "FOLDER")]
    pub drivers: Option<PathBuf>,

    /// Leaves the debugger data block encoded, as in memory taken from a running machine
    #[arg(long)]
    pub encoded: bool,
}

fn kinds() -> String {
    format!(
        "What kind of dump: {}",
        Kind::ALL.map(Kind::name).join(", ")
    )
}

/// A kind of dump that there is not.
#[derive(Debug, thiserror::Error)]
#[error("the kinds are {}", Kind::ALL.map(Kind::name).join(", "))]
struct UnknownKind;

fn kind(name: &str) -> Result<Kind, UnknownKind> {
    Kind::named(name).ok_or(UnknownKind)
}

/// The arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The script: a file, or a name (rkd run --list shows them)
    #[arg(value_name = "SCRIPT", required_unless_present = "list")]
    pub script: Option<PathBuf>,

    /// The dumps
    #[arg(value_name = "DUMP", required_unless_present = "list")]
    pub dumps: Vec<PathBuf>,

    /// Lists the investigations that come with rkd
    #[arg(long)]
    pub list: bool,

    /// Arguments for the script, which sees them as args
    #[arg(last = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
}

const TAGS: &str = "\
Each site is a call that names a pool tag, with the class of the evidence:
  E1 proven                 one constant reaches the tag argument of an interface that allocates
  E2 proven (via wrapper)   the same through functions of the driver, or as one of several constants
  E3 uses                   a constant reaches an interface that only frees or maps
  E4 likely                 it depends on a variable or a pointer found at run time, or is a default of Windows
  -  not known              the note says why

In files:  x64, x86 and ARM64. Nothing is guessed: what cannot be followed is said to be unknown. --format jsonl writes one
line a site: file, arch, call_rva, function_rva, constant_rva, api, tag, tag_u32, class, pool, size, note.

Examples:
  rkd tags myfault.sys                                        what it allocates under, with proof
  rkd tags C:\\Windows\\System32\\drivers --brief | grep Leak    who allocates under Leak
  rkd tags drivers --database tags.jsonl --format csv > sites.csv

Exit status: 0 all files were analysed; 1 one of them could not be read, or is no image; 2 wrong usage; 130 Ctrl-C.";

/// The arguments of `tags`.
#[derive(Debug, Args)]
#[command(after_help = TAGS)]
pub(super) struct Tags {
    /// Driver files; a folder stands for every image in it
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Adds what was found to a tag database, which dumps without these drivers' pages are read with
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,

    /// One line a site, without the instructions
    #[arg(long)]
    pub brief: bool,
}

/// The names of the formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatName {
    /// kd's text
    #[default]
    Text,
    /// One JSON document per command
    Json,
    /// One line of JSON per row
    Jsonl,
    /// Comma-separated tables
    Csv,
}

impl FormatName {
    /// What the renderers call it.
    pub(super) fn format(self) -> Format {
        match self {
            FormatName::Text => Format::Text,
            FormatName::Json => Format::Json,
            FormatName::Jsonl => Format::JsonLines,
            FormatName::Csv => Format::Csv,
        }
    }
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless the environment forbids it
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl When {
    /// What the streams call it.
    pub(super) fn choice(self) -> ColorChoice {
        match self {
            When::Auto => ColorChoice::Auto,
            When::Always => ColorChoice::Always,
            When::Never => ColorChoice::Never,
        }
    }
}

impl Cli {
    /// The dumps that are named, in either way.
    pub(super) fn dumps(&self) -> Vec<&Path> {
        self.z
            .iter()
            .chain(&self.dump)
            .map(PathBuf::as_path)
            .collect()
    }

    /// The commands that the switches for logging stand for.
    pub(super) fn first_lines(&self) -> Vec<String> {
        let line = |command: &str, path: &Option<PathBuf>| {
            path.iter()
                .map(|path| format!("{command} {}", path.display()))
                .collect::<Vec<_>>()
        };
        [
            line(".logopen", &self.new_log),
            line(".logappend", &self.old_log),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_dump_or_a_task() {
        let read = |line: &str| Cli::try_parse_from(line.split(' '));
        let cli = read("rkd -z a.dmp -y sym -c !vm;q --format json").unwrap();
        assert_eq!(cli.dumps(), [Path::new("a.dmp")]);
        assert_eq!(
            (cli.commands, cli.common.format),
            (vec!["!vm;q".to_string()], FormatName::Json)
        );
        let cli = read("rkd run leak a b --format csv -- x -y").unwrap();
        assert_eq!(cli.common.format, FormatName::Csv);
        let Some(Task::Run(run)) = cli.task else {
            panic!("{:?}", cli.task)
        };
        assert_eq!(
            (run.dumps.len(), run.arguments),
            (2, vec!["x".to_string(), "-y".into()])
        );
        assert!(read("rkd run leak").is_err());
        assert!(read("rkd ./run").unwrap().task.is_none());
        assert!(read("rkd --nonsense").is_err());
    }
}
