//! Long sentences in lines that a terminal does not have to break in the middle of a word.

/// Breaks lines at blanks so that they have at most `width` characters, where their words allow it. Breaks that are
/// there already stay; a line that begins with a blank is laid out by hand and stays as it is.
pub fn wrapped(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| {
        if line.starts_with(' ') {
            line.to_string()
        } else {
            fold(line, width)
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn fold(line: &str, width: usize) -> String {
    let mut folded = String::with_capacity(line.len() + 8);
    let mut used = 0;
    for word in line.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            folded.push('\n');
            used = 0;
        } else if used > 0 {
            folded.push(' ');
            used += 1;
        }
        folded.push_str(word);
        used += length;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole() {
        for (text, shown) in [
            ("", ""),
            ("one two three", "one two\nthree"),
            ("one two\nthree four", "one two\nthree\nfour"),
            ("unbreakable a b", "unbreakable\na b"),
            ("größer äöü ß", "größer\näöü ß"),
            ("  laid out by hand", "  laid out by hand"),
        ] {
            assert_eq!(wrapped(text, 8), shown);
        }
    }
}
