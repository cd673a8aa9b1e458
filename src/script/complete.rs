//! Whether a text that is being typed is whole: the prompt goes on asking for lines while a block is open.

use rhai::{AST, Engine, LexError, ParseError, ParseErrorType, Position, Scope};

/// What a text at the prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It can be run.
    Complete,
    /// Something is still open: more lines are wanted.
    Incomplete,
    /// It is wrong whatever follows; running it tells what is wrong.
    Wrong,
}

/// Judges a text.
pub(super) fn check(engine: &Engine, scope: &Scope, source: &str) -> Completeness {
    if open_comment(source) {
        return Completeness::Incomplete;
    }
    let parsed: Result<AST, ParseError> = engine.compile_with_scope(scope, source);
    match parsed {
        Ok(_) => Completeness::Complete,
        Err(error) if wants_more(source, error.err_type(), error.position()) => {
            Completeness::Incomplete
        }
        Err(_) => Completeness::Wrong,
    }
}

/// Whether the parser was stopped by the end of the text, and not by something in it. Its positions are of the token
/// that it did not like: behind the last character that is the end.
fn wants_more(source: &str, why: &ParseErrorType, at: Position) -> bool {
    match why {
        ParseErrorType::UnexpectedEOF => true,
        ParseErrorType::MissingToken(..)
        | ParseErrorType::MissingSymbol(..)
        | ParseErrorType::ExprExpected(..)
        | ParseErrorType::VariableExpected
        | ParseErrorType::PropertyExpected
        | ParseErrorType::FnMissingParams(..)
        | ParseErrorType::FnMissingName
        | ParseErrorType::FnMissingBody(..) => beyond(source, at),
        // A string in double quotes ends with its line; one in back-ticks may go on.
        ParseErrorType::BadInput(LexError::UnterminatedString) => opens_with_backtick(source, at),
        _ => false,
    }
}

/// Whether a position lies behind the last character of the text.
fn beyond(source: &str, at: Position) -> bool {
    let lines: Vec<&str> = source.split('\n').collect();
    let (Some(line), Some(column)) = (at.line(), at.position()) else {
        return true;
    };
    // Blanks and comments at the end are nothing that the parser could have disliked.
    match lines.get(line - 1) {
        None => true,
        Some(text) => {
            column > text.chars().count() && lines[line..].iter().all(|rest| rest.trim().is_empty())
        }
    }
}

fn opens_with_backtick(source: &str, at: Position) -> bool {
    let (Some(line), Some(column)) = (at.line(), at.position()) else {
        return false;
    };
    source
        .split('\n')
        .nth(line - 1)
        .and_then(|text| text.chars().nth(column.saturating_sub(1)))
        == Some('`')
}

/// Whether a `/*` has no end yet: Rhai itself takes the end of the text for one.
fn open_comment(source: &str) -> bool {
    let mut depth = 0usize;
    let mut quote: Option<char> = None;
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('"'), '\\') => {
                chars.next();
            }
            (Some(q), c) if c == q => quote = None,
            (Some('"'), '\n') => quote = None,
            (Some(_), _) => {}
            (None, '/') if chars.peek() == Some(&'*') => {
                chars.next();
                depth += 1;
            }
            (None, '*') if depth > 0 && chars.peek() == Some(&'/') => {
                chars.next();
                depth -= 1;
            }
            (None, '/') if depth == 0 && chars.peek() == Some(&'/') => {
                while chars.next_if(|&c| c != '\n').is_some() {}
            }
            (None, '"' | '`') if depth == 0 => quote = Some(c),
            _ => {}
        }
    }
    depth > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of the measurements: what a person types, and whether it is whole.
    #[test]
    fn tells_open_from_wrong() {
        use Completeness::{Complete, Incomplete, Wrong};
        let table = [
            ("let x = 1", Complete),
            ("let x = 1;", Complete),
            ("", Complete),
            ("// only a remark", Complete),
            ("if true {", Incomplete),
            ("if true {\n  1\n", Incomplete),
            ("if true {\n  1\n}", Complete),
            ("if true {\n  1\n} else {", Incomplete),
            ("fn f(a) {\n a+", Incomplete),
            ("fn f(a)", Incomplete),
            ("fn f", Incomplete),
            ("let x = [1,", Incomplete),
            ("let x = [1,\n", Incomplete),
            ("let x = [1,\n2]", Complete),
            ("`abc ${", Incomplete),
            ("`abc", Incomplete),
            ("`abc\ndef`", Complete),
            ("\"abc", Wrong),
            ("1 +", Incomplete),
            ("1 + ", Incomplete),
            ("print(", Incomplete),
            ("#{a:1", Incomplete),
            ("[1].map(|a| {", Incomplete),
            ("for i in", Incomplete),
            ("for i in 0..3 {", Incomplete),
            ("switch 1 {", Incomplete),
            ("let x = [1]; x.", Incomplete),
            ("/* a remark", Incomplete),
            ("/* a remark */", Complete),
            ("\"/*\"", Complete),
            ("1 /* a /* b */ c", Incomplete),
            ("let", Incomplete),
            ("let x =", Incomplete),
            ("1 + * 2", Wrong),
            ("print(]", Wrong),
            ("} else {", Wrong),
            ("1 }", Wrong),
            ("let 5", Wrong),
            ("'ab'", Wrong),
        ];
        let engine = Engine::new();
        let scope = Scope::new();
        let wrong: Vec<String> = table
            .iter()
            .filter(|(source, expected)| check(&engine, &scope, source) != *expected)
            .map(|(source, expected)| {
                format!(
                    "{source:?}: {:?}, not {expected:?}",
                    check(&engine, &scope, source)
                )
            })
            .collect();
        assert_eq!(wrong, Vec::<String>::new());
    }
}
