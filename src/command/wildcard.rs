//! kd's string wildcards, as `lm m`, `x` and `$spat` take them: `*`, `?`, `[a-z]`, `#` and `+` for repetition, `\` before a literal.

/// A compiled pattern. Case does not matter; the time of a match is bounded by pattern length times text length.
#[derive(Clone, Debug)]
pub struct Wildcard {
    atoms: Vec<Atom>,
}

#[derive(Clone, Debug)]
struct Atom {
    what: What,
    /// Whether it may be left out.
    optional: bool,
    /// Whether it may come again.
    repeats: bool,
}

#[derive(Clone, Debug)]
enum What {
    Any,
    One(char),
    /// Inclusive ranges; a single character is a range of one.
    Set(Vec<(char, char)>),
}

impl Wildcard {
    /// Reads a pattern. Every text is one: a bracket that is never closed stands for itself.
    pub fn new(pattern: &str) -> Wildcard {
        let mut atoms: Vec<Atom> = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let what = match c {
                '*' => {
                    atoms.push(Atom {
                        what: What::Any,
                        optional: true,
                        repeats: true,
                    });
                    continue;
                }
                '#' | '+' if !atoms.is_empty() => {
                    if let Some(last) = atoms.last_mut() {
                        last.repeats = true;
                        last.optional |= c == '#';
                    }
                    continue;
                }
                '?' => What::Any,
                '\\' => What::One(lower(chars.next().unwrap_or('\\'))),
                '[' => match read_set(chars.as_str()) {
                    Some((set, rest)) => {
                        chars = rest.chars();
                        What::Set(set)
                    }
                    None => What::One('['),
                },
                c => What::One(lower(c)),
            };
            atoms.push(Atom {
                what,
                optional: false,
                repeats: false,
            });
        }
        Wildcard { atoms }
    }

    /// Whether the whole text fits the pattern.
    pub fn matches(&self, text: &str) -> bool {
        // `alive[n]`: the first n atoms can have eaten the text so far.
        let mut alive = vec![false; self.atoms.len() + 1];
        alive[0] = true;
        self.skip_optional(&mut alive);
        for c in text.chars().map(lower) {
            // From the end, so that what a step looks at is still as it was before the character.
            for (at, atom) in self.atoms.iter().enumerate().rev() {
                alive[at + 1] = (alive[at] || atom.repeats && alive[at + 1]) && atom.what.eats(c);
            }
            alive[0] = false;
            self.skip_optional(&mut alive);
            if !alive.contains(&true) {
                return false;
            }
        }
        alive.last().copied().unwrap_or(false)
    }

    fn skip_optional(&self, alive: &mut [bool]) {
        for (at, atom) in self.atoms.iter().enumerate() {
            alive[at + 1] |= alive[at] && atom.optional;
        }
    }
}

impl What {
    fn eats(&self, c: char) -> bool {
        match self {
            What::Any => true,
            What::One(one) => *one == c,
            What::Set(ranges) => ranges.iter().any(|&(low, high)| low <= c && c <= high),
        }
    }
}

fn lower(c: char) -> char {
    c.to_ascii_lowercase()
}

/// The inside of a bracket and the text after it; hyphens make ranges.
fn read_set(text: &str) -> Option<(Vec<(char, char)>, &str)> {
    let end = text.find(']')?;
    let inside: Vec<char> = text[..end].chars().map(lower).collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(&low) = inside.get(at) {
        match (inside.get(at + 1), inside.get(at + 2)) {
            (Some('-'), Some(&high)) => {
                ranges.push((low.min(high), low.max(high)));
                at += 3;
            }
            _ => {
                ranges.push((low, low));
                at += 1;
            }
        }
    }
    Some((ranges, &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::Wildcard;

    #[test]
    fn the_documented_examples_of_kd() {
        let fits = |pattern: &str, text: &str| Wildcard::new(pattern).matches(text);
        for text in ["Progeam", "Program", "Progsam", "Progtam", "Prog7am"] {
            assert!(fits("Prog[er-t7]am", text), "{text}");
        }
        assert!(!fits("Prog[er-t7]am", "Progxam"));
        for (pattern, yes, no) in [
            (
                "Lo#p",
                &["Lp", "Lop", "Loop", "Looop"][..],
                &["Lap", "Lo", "Loo"][..],
            ),
            ("Lo+p", &["Lop", "Loop"], &["Lp"]),
            (
                "m[ia]#n",
                &["mn", "min", "man", "maan", "main", "miain"],
                &["men"],
            ),
            ("m[ia]+n", &["min", "main"], &["mn"]),
            ("a?+b", &["acb", "accb"], &["ab"]),
            ("a*b", &["ab", "acb"], &["abc"]),
        ] {
            for text in yes {
                assert!(fits(pattern, text), "{pattern} should fit {text}");
            }
            for text in no {
                assert!(!fits(pattern, text), "{pattern} should not fit {text}");
            }
        }
    }

    #[test]
    fn case_escapes_and_odd_patterns() {
        for (pattern, text, expected) in [
            ("my*", "MyFault", true),
            ("MYFAULT", "myfault", true),
            ("my", "myfault", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("[ab", "[ab", true),
            ("#a", "#a", true),
            ("a\\", "a\\", true),
            ("tag[]x", "tagx", false),
        ] {
            assert_eq!(
                Wildcard::new(pattern).matches(text),
                expected,
                "{pattern} on {text}"
            );
        }
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_length_times_the_text() {
        let pattern = Wildcard::new(&"*a".repeat(200));
        assert!(!pattern.matches(&"a".repeat(199)));
        assert!(pattern.matches(&"a".repeat(5000)));
    }
}
