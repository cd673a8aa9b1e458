//! `rkd demo`: makes the practice dump and plays the investigation of its leak, each step explained before it is taken.

use super::{World, finish, lab as making, open};
use crate::command::Flow;
use crate::render::Output as _;
use crate::repl::shell::Shell;
use rkd_dump::error::{Error, Result};
use rkd_lab::{Options, make_file};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// The scenario that is played.
const SCENARIO: &str = "notmyfault";

/// The script that does the same.
const SCRIPT: &str = "pool-leak";

/// What is typed, and why.
const STEPS: &[(&str, &str)] = &[
    (
        "What is abnormal? !vm shows what memory is used for. The machine has 8 GB, and NonPagedPool Usage says that\n\
         nearly 5 of them are nonpaged pool: memory of drivers that can never be paged out. (1 leaves out the processes.)",
        "!vm 1",
    ),
    (
        "Which tag holds it? Every allocation of pool carries four letters of its maker's choice. 2 sorts by nonpaged\n\
         pool: one tag holds almost everything.",
        "!poolused 2",
    ),
    (
        "How large is one of its allocations? Bytes by allocations: forty mebibytes, each time.",
        "? 0n4991221760 / 0n119",
    ),
    (
        "Whose tag is it? pooltag.txt does not know it. But a driver that allocates with a tag has the tag in its code,\n\
         so every module is searched for the four letters.",
        "!for_each_module s -a @#Base @#End \"Leak\"",
    ),
    (
        "Two hits, close together. Which module is that?",
        "lm a fffff807`47f51559",
    ),
    ("Who made it, and when?", "lmvm myfault"),
    (
        "Four letters in a module are no proof: they may stand there by chance. !poolowner reads the code around them, and\n\
         shows the instruction that holds the tag and the call that takes it.",
        "!poolowner Leak",
    ),
    (
        "The same search in Rhai, the script language of the prompt. Whatever is no command is Rhai.",
        "for m in lm() { for hit in m.search(\"Leak\") { print(`${m.name} ${hit}`) } }",
    ),
];

/// Plays it. On a terminal the prompt stays, with the dump open.
///
/// # Errors
/// When the dump cannot be made, or the output takes no more.
pub(super) fn run(world: &World<'_>) -> Result<u8> {
    let folder = TemporaryFolder::new()?;
    let path = folder.0.join(format!("{SCENARIO}.dmp"));
    let scenario = making::scenario(SCENARIO)?;
    make_file(
        scenario,
        &making::builtin(scenario.version)?,
        &Options::default(),
        &path,
    )?;
    let session = open::session(world, &path)?;
    let mut shell = Shell::new(session, world.screen(), world.interrupts.clone());
    let played = play(
        world,
        &mut shell,
        scenario.summary,
        scenario.find.text,
        &path,
    );
    finish(shell, played)
}

fn play(
    world: &World<'_>,
    shell: &mut Shell,
    summary: &str,
    find: &str,
    path: &Path,
) -> Result<()> {
    shell.out.lesson(&format!(
        "{summary}\n\n(The machine is made up: rkd has just built it and written its dump.)"
    ))?;
    if world.shows_banner() {
        open::banner(world, shell)?;
    }
    for (number, (why, line)) in STEPS.iter().enumerate() {
        shell.out.lesson(&format!("\n{}. {why}", number + 1))?;
        let prompt = shell.prompt();
        shell.out.echo(&prompt, line, false)?;
        let flow = shell.run(line)?;
        if flow == Flow::Quit || shell.ending().interrupted {
            return Ok(());
        }
    }
    shell.out.lesson(&format!(
        "\n{}. The whole investigation is one script that comes with rkd. From the shell it takes any dump, or many:",
        STEPS.len() + 1
    ))?;
    let line = format!("rkd run {SCRIPT} {SCENARIO}.dmp");
    shell.out.echo("$ ", &line, false)?;
    shell.run_file(&line, Path::new(SCRIPT), &[])?;
    if shell.ending().interrupted {
        return Ok(());
    }
    shell.out.lesson(&format!("\nThe answer: {find}"))?;
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        shell.out.lesson(&format!(
            "\nThe dump is still open: try for yourself. help lists the commands, q leaves.\n\
             (rkd lab make {SCENARIO} -o FILE makes one to keep; this one, {}, goes when you leave.)\n",
            path.display()
        ))?;
        crate::repl::converse(shell, world.console().out_paint)?;
        shell.forgive();
    }
    Ok(())
}

/// A folder of our own among the temporary ones, which goes with us.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> Result<TemporaryFolder> {
        let path = std::env::temp_dir().join(format!("rkd-demo-{}", std::process::id()));
        // Somebody else's folder of that name is not taken over: it could hold a link to anywhere.
        std::fs::create_dir(&path).map_err(|source| Error::open(&path, source))?;
        Ok(TemporaryFolder(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
