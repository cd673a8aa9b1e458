//! `!for_each_module`: the same command for every loaded module.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, Sink, Topic, alias, run_line, sink};
use crate::session::{SearchAccount, Session};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::Module;

/// `!for_each_module`: run a command once for every loaded module.
pub static COMMAND: Command = Command {
    name: "!for_each_module",
    aliases: &[],
    rhai: "for_each_module",
    topic: Topic::Modules,
    summary: "run a command once for every loaded module",
    grammar: Grammar::of(&[Item::optional(
        "Command | \"Command; Command\"",
        Kind::Command,
        "without one, every module is listed; in double quotes there must be no further ones",
    )]),
    help: "\
Runs a command once for every loaded module, in the loader's order: nt is the first. In the command these names stand for the
module's own values, where they stand alone between blanks, or anywhere as ${@#Base}:

  @#Base @#End @#Size              where it lies (hexadecimal, End is the first address behind it)
  @#ModuleIndex @#ModuleName       its number from 0, its name
  @#ImageName @#LoadedImageName @#MappedImageName @#SymbolFileName   file names
  @#TimeDateStamp @#Checksum       from the loader's list (hexadecimal)
  @#FileVersion @#ProductVersion @#Flags @#SymbolType  known to kd, empty or 0 here
  ...Size behind the name of a text is its length and one

Searching all modules for a pool tag:  !for_each_module s -a @#Base @#End \"Leak\"",
    examples: &[
        Example {
            line: "!for_each_module s -a @#Base @#End \"Leak\"",
            shows: "which driver has the tag in it",
            output: "\
fffff807`47f51559  4c 65 61 6b 0f 42 c1 41-8d 49 fd 8b d0 ff 15 0c  Leak.B.A.I......
fffff807`47f515c7  4c 65 61 6b 0f 42 c1 33-c9 8b d0 ff 15 a0 1a 00  Leak.B.3........",
        },
        Example {
        line: "!for_each_module .if ($spat(\"${@#ImageName}\", \"*fault*\")) { dw @#Base L1 }",
        shows: "the first bytes of the modules whose file is called like this",
        output: "fffff807`47f50000  5a4d",
    },
    ],
    rows: &[],
    run,
};

/// What kd runs when nothing is said.
const LISTING: &str =
    ".echo @#ModuleIndex : @#Base @#End @#ModuleName @#ImageName @#LoadedImageName";

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let text = args
        .text("Command | \"Command; Command\"")
        .unwrap_or(LISTING);
    let command = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let kernel = session.target.kernel.clone();
    let modules = kernel.modules();
    session.search = SearchAccount::default();
    for (index, module) in modules.iter().enumerate() {
        sink::check(&session.control.stop)?;
        out.progress(index as u64, modules.len() as u64, "modules")?;
        let line = alias::substitute(command, &|name| value(module, index, name));
        run_line(session, &line, out)?;
        if session.control.quit {
            break;
        }
    }
    let SearchAccount { asked, read } = std::mem::take(&mut session.search);
    if read < asked {
        out.note(&format!(
            "searched {read:#x} of {asked:#x} bytes: the rest is not in the dump"
        ))?;
    }
    kernel.loaded_modules().map(|_| ())
}

/// What a name with `@#` stands for.
fn value(module: &Module, index: usize, name: &str) -> Option<String> {
    let name = name.strip_prefix("@#")?;
    let number = |value: Option<u32>| format!("{:08x}", value.unwrap_or(0));
    let text = |name: &str| {
        Some(match name {
            "ModuleName" => module.name.as_str(),
            "ImageName" | "LoadedImageName" | "SymbolFileName" => module.image_name.as_str(),
            "MappedImageName" | "FileVersion" | "ProductVersion" => "",
            _ => return None,
        })
    };
    Some(match name {
        "Base" => Virt::to_string(&module.base),
        "End" => module.end().to_string(),
        "Size" => format!("{:x}", module.size),
        "ModuleIndex" => format!("{index:02}"),
        "TimeDateStamp" => number(module.time_stamp),
        "Checksum" => number(module.checksum),
        "Flags" | "SymbolType" => "0".into(),
        name => match name.strip_suffix("Size").and_then(text) {
            Some(text) => format!("{:x}", text.len() + 1),
            None => text(name)?.to_string(),
        },
    })
}
