//! A line of several commands, `!vm 1; !poolused 2 "a;b"; .if (1) { lm; q }`, cut where kd cuts it.

/// Commands whose blocks and conditions may hold semicolons of their own.
const WITH_BLOCKS: &[&str] = &[
    ".if", ".elsif", ".else", ".for", ".while", ".do", ".foreach", ".block", ".catch", "j", "z",
];

/// Commands whose argument is a list of places with semicolons between them.
const WITH_PATHS: &[&str] = &[".sympath", ".sympath+", ".exepath", ".exepath+"];

/// The commands of a line, in order, without comments and empty ones. A command keeps the blanks at its end, because kd's
/// error messages quote them.
///
/// Semicolons and line ends divide, except in double quotes and, for the commands that take blocks, in `{ }` and `( )`. A `*` in
/// front of a command makes a comment of the rest of the line, `$$` one up to the next semicolon. `as` and `$<` take the whole line,
/// `.sympath` the places of its path.
pub fn parts(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        if rest.is_empty() {
            return parts;
        }
        let is_comment = rest.starts_with('*')
            || rest.starts_with("$$") && !rest.starts_with("$$<") && !rest.starts_with("$$>");
        let length = if rest.starts_with('*') {
            line_length(rest)
        } else {
            length(rest)
        };
        let (part, after) = rest.split_at(length);
        if !is_comment {
            parts.push(part);
        }
        rest = after;
    }
}

/// How far the command at the start of `text` reaches.
fn length(text: &str) -> usize {
    let word = text
        .split(|c: char| c.is_whitespace() || c == '(' || c == '{')
        .next()
        .unwrap_or_default();
    if word == "as" || text.starts_with("$<") || text.starts_with("$><") {
        return line_length(text);
    }
    let blocks = WITH_BLOCKS.contains(&word);
    let paths = WITH_PATHS.contains(&word);
    let mut quoted = false;
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '(' if blocks => depth += 1,
            '}' | ')' if blocks => depth = depth.saturating_sub(1),
            ';' if paths && is_place(&text[at + 1..]) => {}
            ';' | '\n' if depth == 0 && !(blocks && goes_on(&text[at..])) => return at,
            _ => {}
        }
    }
    text.len()
}

/// Whether what follows a semicolon is a place of a path and not a command: its first word looks like a folder, a chain of
/// stores or an address, and does not begin as commands do.
fn is_place(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '\t']);
    let word = text
        .split(|c: char| c.is_whitespace() || c == ';')
        .next()
        .unwrap_or_default();
    let is_command = word.starts_with(['!', '?', '$', '*'])
        || word
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(char::is_alphabetic));
    !is_command && word.contains(['/', '\\', '*', ':', '%'])
}

/// Whether a block command goes on behind its end of line: with a block on a line of its own, or another branch.
fn goes_on(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
    rest.starts_with('{') || rest.starts_with(".else") || rest.starts_with(".elsif")
}

fn line_length(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// The block at the start of `text`, which begins with `open`: what is inside, and what comes after it.
///
/// Brackets of the same kind nest; those in double quotes do not count. `None` when it is not closed.
pub fn block(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let inside = text.strip_prefix(open)?;
    let mut quoted = false;
    let mut depth = 0usize;
    for (at, c) in inside.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if quoted {
            continue;
        } else if c == open {
            depth += 1;
        } else if c == close {
            if depth == 0 {
                return Some((&inside[..at], &inside[at + c.len_utf8()..]));
            }
            depth -= 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (line, expected) in [
            ("", &[][..]),
            (" ; ;", &[]),
            ("!vm 1; !poolused 2;q", &["!vm 1", "!poolused 2", "q"]),
            ("s -a nt L10 \"a;b\" ; lm", &["s -a nt L10 \"a;b\" ", "lm"]),
            (".echo one;.echo two", &[".echo one", ".echo two"]),
            (
                r".sympath+ srv*c:\sym*https://x/y;c:\a b; cache*;../sym;.reload; lm m *",
                &[
                    r".sympath+ srv*c:\sym*https://x/y;c:\a b; cache*;../sym",
                    ".reload",
                    "lm m *",
                ],
            ),
            (".sympath a;q", &[".sympath a", "q"]),
            ("* a comment; lm", &[]),
            ("lm; * a comment; q", &["lm"]),
            ("$$ a comment; lm", &["lm"]),
            ("lm $$ not one", &["lm $$ not one"]),
            ("? 2 * 3; lm", &["? 2 * 3", "lm"]),
            (
                ".if (1) { lm; q } .else { !vm; .echo } x }; lm",
                &[".if (1) { lm; q } .else { !vm; .echo } x }", "lm"],
            ),
            (
                ".for (r $t0=0; @$t0<3; r $t0=@$t0+1) { ? @$t0; }; lm",
                &[".for (r $t0=0; @$t0<3; r $t0=@$t0+1) { ? @$t0; }", "lm"],
            ),
            (
                ".foreach(x {lm 1m}) {.echo x; db x}; q",
                &[".foreach(x {lm 1m}) {.echo x; db x}", "q"],
            ),
            (".echo {; lm", &[".echo {", "lm"]),
            ("as x lm; !vm", &["as x lm; !vm"]),
            ("aS x lm; !vm", &["aS x lm", "!vm"]),
            ("$$>a<f a b; lm", &["$$>a<f a b", "lm"]),
            ("$<f;x", &["$<f;x"]),
            (
                "!for_each_module s -a @#Base @#End \"Leak\"; q",
                &["!for_each_module s -a @#Base @#End \"Leak\"", "q"],
            ),
            (
                "!for_each_module \".echo a; .echo b\"; q",
                &["!for_each_module \".echo a; .echo b\"", "q"],
            ),
            ("lm\n* note; x\n!vm", &["lm", "!vm"]),
            (
                ".if (1)\n{\n lm\n}\n.else\n{\n}\n!vm",
                &[".if (1)\n{\n lm\n}\n.else\n{\n}", "!vm"],
            ),
            (".block\n;lm", &[".block", "lm"]),
            (".echo \"never closed; lm", &[".echo \"never closed; lm"]),
            ("? KiGlobal ", &["? KiGlobal "]),
        ] {
            assert_eq!(parts(line), expected, "{line}");
        }
    }

    #[test]
    fn blocks() {
        assert_eq!(
            block("{ a { b } \"}\" } c", '{', '}'),
            Some((" a { b } \"}\" ", " c"))
        );
        assert_eq!(block("(x) y", '(', ')'), Some(("x", " y")));
        assert_eq!(block("{ a", '{', '}'), None);
        assert_eq!(block("a }", '{', '}'), None);
    }
}
