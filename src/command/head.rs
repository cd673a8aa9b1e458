//! Which command a line means: kd lets arguments follow a name without a blank (`lmvm`, `s-a`, `~3s`, `?1+1`), so the first
//! word is not simply the name.

use super::{Args, Command};
use rkd_dump::error::{Error, Result};

/// The list of commands in which names are looked up.
pub type Table = [&'static Command];

/// Finds the command that `line` calls.
///
/// # Errors
/// kd's complaint about an unknown command, with a guess at the one that was meant as the reason behind it.
pub fn find(table: &Table, line: &str) -> Result<(&'static Command, Args)> {
    let line = line.trim_start();
    let heads = heads(line);
    for (name, text) in &heads {
        if let Some(command) = named(table, name) {
            return Ok((command, Args::new(name.as_str(), text.trim_start())));
        }
    }
    let word = heads.last().map_or("", |(name, _)| name.as_str());
    let text = match word.strip_prefix('!') {
        Some(export) => format!("No export {export} found"),
        None => format!("Couldn't resolve error at '{line}'"),
    };
    Err(match suggest(table, word) {
        Some(name) => Error::Refused {
            text,
            why: Box::new(Error::NotFound(format!("did you mean {name} ?"))),
        },
        None => Error::Syntax(text),
    })
}

/// The command of this exact name or alias.
pub fn named(table: &Table, name: &str) -> Option<&'static Command> {
    table
        .iter()
        .copied()
        .find(|command| command.name == name || command.aliases.contains(&name))
}

/// The command whose name is most like `word`, when one is like enough to be a slip of the finger.
pub fn suggest(table: &Table, word: &str) -> Option<&'static str> {
    let bare = |name: &str| name.trim_start_matches(['!', '.']).to_ascii_lowercase();
    let wanted = bare(word);
    if wanted.len() < 2 {
        return None;
    }
    table
        .iter()
        .flat_map(|command| std::iter::once(command.name).chain(command.aliases.iter().copied()))
        .filter(|name| bare(name).len() > 1)
        .map(|name| (strsim::damerau_levenshtein(&bare(name), &wanted), name))
        .filter(|(distance, name)| *distance * 3 < bare(name).len().max(wanted.len()))
        .min_by_key(|(distance, name)| (*distance, name.chars().next() != word.chars().next()))
        .map(|(_, name)| name)
}

/// The names that a line may begin with, each with the text after it; the likeliest first.
fn heads(line: &str) -> Vec<(String, &str)> {
    let cut = |at: usize| (line[..at].to_string(), &line[at..]);
    let word_end = |skip: usize| {
        let rest = line.get(skip..).unwrap_or_default();
        rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .map_or(line.len(), |at| skip + at)
    };
    match line.chars().next() {
        None => Vec::new(),
        Some('!') => {
            let end = line.find(char::is_whitespace).unwrap_or(line.len());
            let mut heads = vec![cut(end)];
            // An extension may be named with its library: `!kdexts.vm`, `!ext.help`.
            if let Some((_, export)) = line[1..end].rsplit_once('.') {
                heads.push((format!("!{export}"), &line[end..]));
            }
            heads
        }
        // `.sympath+` is a name of its own where the table has it, and `.sympath` with an argument otherwise.
        Some('.') => {
            let end = word_end(1);
            match line[end..].chars().next() {
                Some('+' | '-') => vec![cut(end + 1), cut(end)],
                _ => vec![cut(end)],
            }
        }
        Some('?') if line.starts_with("??") => vec![cut(2), cut(1)],
        Some('$') => {
            let sign = ["$$>a<", "$$><", "$$<", "$><", "$<"]
                .into_iter()
                .find(|sign| line.starts_with(sign));
            vec![cut(sign.map_or(1, str::len))]
        }
        Some(c) if c.is_ascii_alphanumeric() => {
            let end = word_end(0);
            let mut heads = vec![cut(end)];
            heads.extend(glued(&line[..end]).map(cut));
            heads
        }
        Some(c) => vec![cut(c.len_utf8())],
    }
}

/// Where the name ends in a word that holds arguments too.
fn glued(word: &str) -> Option<usize> {
    if let Some(options) = word.strip_prefix("lm") {
        // `lmvmnt`: everything after an m, M or a is its argument.
        let flags = options.split(['m', 'M', 'a']).next().unwrap_or_default();
        return flags
            .chars()
            .all(|c| "kuloevscD1ifnpt".contains(c))
            .then_some(2);
    }
    if word
        .strip_prefix('n')
        .is_some_and(|radix| radix.chars().all(|c| c.is_ascii_digit()))
    {
        return Some(1);
    }
    // `db1000`, `dps0`: the letters before the first digit.
    let letters = word.find(|c: char| c.is_ascii_digit())?;
    (word.starts_with('d') && (2..=3).contains(&letters)).then_some(letters)
}

/// Whether a line at the prompt is a kd command, and not Rhai.
///
/// The first word decides: it is a command's name, and no `=`, `(`, `.` or `[` follows that would make a variable or a function of
/// it. Lines that begin with a sign that only kd has (`!vm`, `.echo`, `?`, `~`, `*`, `$`, `|`, `@`) are always kd's, also when no
/// command has that name.
pub fn is_command(table: &Table, line: &str) -> bool {
    let line = line.trim_start();
    let mut chars = line.chars();
    match chars.next() {
        None => false,
        Some('!' | '.') => chars.next().is_some_and(|c| c.is_ascii_alphabetic()),
        Some('?' | '~' | '*' | '$' | '|' | '@' | ';') => true,
        Some(c) if c.is_ascii_alphabetic() => {
            let Some((name, text)) = heads(line)
                .into_iter()
                .find(|(name, _)| named(table, name).is_some())
            else {
                return false;
            };
            !text.starts_with(['(', '.', '['])
                && (!assigns(text.trim_start()) || takes_registers(&name, text))
                && !computes(text)
        }
        Some(_) => false,
    }
}

/// ` + 1`: a sign between blanks, with something to take behind it, is between two values of Rhai.
fn computes(text: &str) -> bool {
    let Some((sign, rest)) = text.strip_prefix(' ').and_then(|text| text.split_once(' ')) else {
        return false;
    };
    let signs = [
        "+", "-", "*", "/", "%", "<", ">", "<=", ">=", "!=", "&&", "||",
    ];
    signs.contains(&sign) && !rest.trim().is_empty()
}

fn assigns(text: &str) -> bool {
    let sign = text.trim_start_matches(['+', '-', '*', '/', '%', '<', '>', '|', '&', '^']);
    sign.starts_with('=') && text.len() - sign.len() <= 2
}

/// `k = StackPtr InstructionPtr`: two words behind the sign, with no operator between them, are no expression of Rhai.
fn takes_registers(name: &str, text: &str) -> bool {
    let Some(values) = text.trim_start().strip_prefix('=') else {
        return false;
    };
    let is_value = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '@' || c == '$')
            && !word.contains(['(', ';', ','])
    };
    name.starts_with('k')
        && values.split_whitespace().count() > 1
        && values.split_whitespace().all(is_value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Grammar, Sink, Topic};
    use crate::session::Session;

    fn run(_: &mut Session, _: &Args, _: &mut dyn Sink) -> Result<()> {
        Ok(())
    }

    const fn command(name: &'static str, aliases: &'static [&'static str]) -> Command {
        Command {
            name,
            aliases,
            rhai: "",
            topic: Topic::Session,
            summary: "",
            help: "",
            grammar: Grammar::NOTHING,
            examples: &[],
            rows: &[],
            run,
        }
    }

    static LM: Command = command("lm", &[]);
    static S: Command = command("s", &[]);
    static D: Command = command("d", &["db", "dd", "dps", "da"]);
    static N: Command = command("n", &[]);
    static R: Command = command("r", &[]);
    static VM: Command = command("!vm", &[]);
    static POOLUSED: Command = command("!poolused", &[]);
    static EVALUATE: Command = command("?", &[]);
    static TILDE: Command = command("~", &[]);
    static ECHO: Command = command(".echo", &[]);
    static SYMPATH: Command = command(".sympath", &[]);
    static IF: Command = command(".if", &[]);
    static K: Command = command("k", &["kb"]);
    static TABLE: &[&Command] = &[
        &K, &LM, &S, &D, &N, &R, &VM, &POOLUSED, &EVALUATE, &TILDE, &ECHO, &SYMPATH, &IF,
    ];

    #[test]
    fn names_end_where_kd_ends_them() {
        for (line, command, name, text) in [
            ("lm", "lm", "lm", ""),
            ("lmvm nt", "lm", "lm", "vm nt"),
            ("lmDvmnt", "lm", "lm", "Dvmnt"),
            ("lm1m", "lm", "lm", "1m"),
            ("lmksm", "lm", "lm", "ksm"),
            ("lm vm nt ", "lm", "lm", "vm nt "),
            ("s-a nt L10 \"x\"", "s", "s", "-a nt L10 \"x\""),
            ("s -[1]a 0 L10 \"x\"", "s", "s", "-[1]a 0 L10 \"x\""),
            ("s-[1]sa 0 L10", "s", "s", "-[1]sa 0 L10"),
            ("d", "d", "d", ""),
            ("db nt", "d", "db", "nt"),
            ("dps1000 L1", "d", "dps", "1000 L1"),
            ("db@rax", "d", "db", "@rax"),
            ("?1+1", "?", "?", "1+1"),
            ("? nt", "?", "?", "nt"),
            ("?? 1", "?", "?", "? 1"),
            ("~3s", "~", "~", "3s"),
            ("n10", "n", "n", "10"),
            ("r$t0=5", "r", "r", "$t0=5"),
            ("!vm 1", "!vm", "!vm", "1"),
            ("!kdexts.vm 1", "!vm", "!vm", "1"),
            (".echo\"a\"", ".echo", ".echo", "\"a\""),
            (".sympath+ c:\\sym", ".sympath", ".sympath", "+ c:\\sym"),
            (".if(1){lm}", ".if", ".if", "(1){lm}"),
            ("  !vm", "!vm", "!vm", ""),
        ] {
            let (found, args) = find(TABLE, line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(
                (found.name, args.name.as_str(), args.text.as_str()),
                (command, name, text),
                "{line}"
            );
        }
    }

    #[test]
    fn unknown_names_get_kds_words_and_a_guess() {
        use std::error::Error as _;
        for (line, text, guess) in [
            ("!foo", "No export foo found", None),
            ("!ext.foo 1", "No export foo found", None),
            (
                "!poolusd 2",
                "No export poolusd found",
                Some("did you mean !poolused ?"),
            ),
            (
                "poolused 2",
                "Couldn't resolve error at 'poolused 2'",
                Some("did you mean !poolused ?"),
            ),
            (
                ".ech x",
                "Couldn't resolve error at '.ech x'",
                Some("did you mean .echo ?"),
            ),
            ("foo ", "Couldn't resolve error at 'foo '", None),
            (
                "\u{1F980} x",
                "Couldn't resolve error at '\u{1F980} x'",
                None,
            ),
            ("lmx", "Couldn't resolve error at 'lmx'", None),
            ("!vvmm", "No export vvmm found", None),
            (".", "Couldn't resolve error at '.'", None),
            ("!", "No export  found", None),
        ] {
            let error = find(TABLE, line)
                .map(|(command, _)| panic!("{line} is {}", command.name))
                .unwrap_err();
            assert_eq!(error.to_string(), text);
            assert_eq!(
                error.source().map(ToString::to_string).as_deref(),
                guess,
                "{line}"
            );
        }
    }

    #[test]
    fn kd_or_rhai() {
        for line in [
            "lm",
            "lm m nt",
            "lmvm nt",
            "s -a nt L10 \"x\"",
            "s-a 0 L1 \"x\"",
            "!vm",
            "!foo",
            "k = @rsp @rip",
            "k=ffff8000`00001000 fffff807`22600000",
            ".echo x",
            ".nonsense",
            "? 1 + 1",
            "?(1)",
            "~3s",
            "* x",
            "$$ x",
            "db nt",
            "db (nt+10) L1",
            "d",
            "n 10",
            "r $t0 = 5",
            "lm; let x = 1",
            "  !vm",
            "db .",
            "d *",
            "s -a 0 L1 \"x\"",
            "lm -v",
        ] {
            assert!(is_command(TABLE, line), "{line} is kd");
        }
        for line in [
            "",
            "let x = 5",
            "lm()",
            "lm(\"m nt\")",
            "s = 5",
            "s=5",
            "n += 1",
            "r.name",
            "d[0]",
            "d <<= 2",
            "r == 5",
            "!(true)",
            "1 + 1",
            "for m in lm() { }",
            "print(1)",
            "\"text\"",
            "foo",
            "poolused(\"2\")",
            "( 1 )",
            "x.y",
            "n + 1",
            "d * 2",
            "s != r",
            "// lm",
        ] {
            assert!(!is_command(TABLE, line), "{line} is Rhai");
        }
    }

    #[test]
    fn hostile_lines_do_no_harm() {
        for line in [
            "!\u{0}", "\u{fe0f}", "lm\u{e9}", "?\u{e9}", ".\u{e9}+", "d\u{e9}1", "n\u{e9}",
        ] {
            let _ = find(TABLE, line);
            let _ = is_command(TABLE, line);
        }
    }
}
