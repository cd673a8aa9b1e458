//! Cuts pasted text into what a person would have typed line by line: kd's lines one by one, Rhai in whole blocks.

/// The pieces of `text`, without empty ones. `is_kd` judges a line, `is_whole` a block of Rhai.
///
/// Rhai is cut only where one of kd's lines follows something whole: `else` may stand on a line of its own.
pub(super) fn split(
    text: &str,
    is_kd: impl Fn(&str) -> bool,
    is_whole: impl Fn(&str) -> bool,
) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut end) = (0, 0);
    let mut kds = false;
    for line in text.split_inclusive('\n') {
        let piece = &text[start..end];
        let cut = if kds {
            !is_open_block(piece)
        } else {
            is_kd(line) && (piece.trim().is_empty() || is_whole(piece.trim_end()))
        };
        if cut {
            pieces.push(piece);
            start = end;
        }
        if start == end {
            kds = is_kd(line);
        }
        end += line.len();
    }
    pieces.push(&text[start..end]);
    pieces
        .into_iter()
        .map(str::trim_end)
        .filter(|piece| !piece.trim().is_empty())
        .collect()
}

/// Whether kd's `.if (1) {` goes on: only commands with a point take blocks in braces.
fn is_open_block(piece: &str) -> bool {
    let count = |brace| piece.matches(brace).count();
    piece.trim_start().starts_with('.') && count('{') > count('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paste_is_cut_where_a_person_would_press_enter() {
        let is_kd = |line: &str| line.starts_with(['!', '?', '.']) || line.trim() == "lm";
        let is_whole = |text: &str| text.matches('{').count() == text.matches('}').count();
        for (text, cut) in [
            ("", &[][..]),
            ("lm", &["lm"]),
            ("lm\n\n!vm 1\n? 1", &["lm", "!vm 1", "? 1"]),
            ("let x = 1;\nx + 1\n", &["let x = 1;\nx + 1"]),
            (
                "fn f() {\n  lm\n}\nf()\nlm\nf()",
                &["fn f() {\n  lm\n}\nf()", "lm", "f()"],
            ),
            ("if x {\n}\nelse {\n}", &["if x {\n}\nelse {\n}"]),
            (
                ".if (1) {\n  lm\n  !vm\n}\nlm",
                &[".if (1) {\n  lm\n  !vm\n}", "lm"],
            ),
            ("if x {\n? 1\n", &["if x {\n? 1"]),
            ("\n\nlm\r\n", &["lm"]),
        ] {
            assert_eq!(split(text, is_kd, is_whole), cut, "{text}");
        }
    }
}
