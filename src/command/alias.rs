//! Replacing names in a line before it is read: aliases of `as`, variables of `.foreach`, the `@#Base` of `!for_each_module`.

/// The text with its names replaced.
///
/// A name is replaced where it stands alone between blanks or semicolons, and in `${name}` anywhere. Of kd's switches,
/// `${/d:name}` is 1 for a known name and 0 for another, `${/f:name}` is empty for an unknown name, `${/n:name}` is the name
/// itself, and `${/v:name}` stays as it is. `value_of` is asked for the value of a name.
pub fn substitute(text: &str, value_of: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut at_edge = true;
    while let Some(c) = rest.chars().next() {
        if let Some(inside) = rest.strip_prefix("${")
            && let Some(end) = inside.find('}')
        {
            let name = &inside[..end];
            match interpret(name, value_of) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[..end + 3]),
            }
            rest = &inside[end + 1..];
            at_edge = false;
        } else if is_edge(c) {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            at_edge = true;
        } else {
            let end = rest.find(|c: char| is_edge(c)).unwrap_or(rest.len());
            // A `${ }` in the middle of a word is looked at on its own.
            let end = rest[c.len_utf8()..end]
                .find("${")
                .map_or(end, |at| at + c.len_utf8());
            let word = &rest[..end];
            let alone = at_edge && rest[end..].chars().next().is_none_or(is_edge);
            match value_of(word).filter(|_| alone) {
                Some(value) => out.push_str(&value),
                None => out.push_str(word),
            }
            rest = &rest[end..];
            at_edge = false;
        }
    }
    out
}

fn is_edge(c: char) -> bool {
    c.is_whitespace() || c == ';'
}

fn interpret(name: &str, value_of: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let Some((switch, name)) = name.strip_prefix('/').and_then(|name| name.split_once(':')) else {
        return value_of(name);
    };
    match switch {
        "d" => Some(u8::from(value_of(name).is_some()).to_string()),
        "f" => Some(value_of(name).unwrap_or_default()),
        "n" => value_of(name).map(|_| name.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::substitute;

    #[test]
    fn names_are_replaced_between_blanks_and_in_braces() {
        let value_of = |name: &str| match name {
            "@#Base" => Some("0xfffff807`47f50000".to_string()),
            "x" => Some("y".to_string()),
            "empty" => Some(String::new()),
            _ => None,
        };
        for (text, expected) in [
            (
                "s -a @#Base @#End \"Leak\"",
                "s -a 0xfffff807`47f50000 @#End \"Leak\"",
            ),
            ("x", "y"),
            ("x;x ; x", "y;y ; y"),
            ("(x) xx x.", "(x) xx x."),
            ("(${x})-${x}${x}", "(y)-yy"),
            ("a${x}b x${x} ${x}x", "ayb xy yx"),
            ("${nope} ${", "${nope} ${"),
            (
                "${/d:x}${/d:z} [${/f:z}] ${/n:x} ${/v:x}",
                "10 [] x ${/v:x}",
            ),
            ("[ empty ]", "[  ]"),
            ("\u{e9}x x \u{e9}${x}", "\u{e9}x y \u{e9}y"),
            ("", ""),
        ] {
            assert_eq!(substitute(text, &value_of), expected, "{text}");
        }
    }
}
