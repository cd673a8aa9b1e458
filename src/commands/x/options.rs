//! What is typed behind `x`: options in front, and a pattern.

use rkd_dump::error::{Error, Result};

/// What of a symbol is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Columns {
    /// Everything.
    #[default]
    All,
    /// `/0`: the address.
    Address,
    /// `/1`: the name.
    Name,
    /// `/2`: the address and the name.
    AddressAndName,
}

/// By what symbols are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// `/a`, `/A`, and unless said otherwise.
    #[default]
    Address,
    /// `/n`, `/N`.
    Name,
    /// `/z`, `/Z`.
    Size,
}

/// The options and the pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// See [`Columns`].
    pub columns: Columns,
    /// See [`Order`].
    pub order: Order,
    /// The capital letter of an order: the largest first.
    pub is_reversed: bool,
    /// `/t`: the type in front of the name.
    pub types: bool,
    /// `/v`: kind and size in front of the address.
    pub verbose: bool,
    /// `/s`: only symbols of this size; those without one are shown too.
    pub size: Option<u64>,
    /// `/q`: names in kd's quotes.
    pub quoted: bool,
    /// `/p`: no blank in front of a bracket.
    pub tight: bool,
    /// `/f`: functions only.
    pub functions: bool,
    /// `/d`: data only.
    pub data: bool,
    /// The pattern of the module; empty when none was given.
    pub module: String,
    /// The pattern of the name.
    pub name: String,
}

impl Options {
    /// Reads the text behind `x`.
    ///
    /// # Errors
    /// A letter that is no option, or a size that is none.
    pub(super) fn parse(text: &str) -> Result<Options> {
        let mut options = Options::default();
        let mut rest = text.trim();
        while let Some(after) = rest.strip_prefix('/') {
            let end = after
                .find(|c: char| c.is_whitespace() || c == '/')
                .unwrap_or(after.len());
            let (letters, after) = after.split_at(end);
            rest = after.trim_start();
            for letter in letters.chars() {
                let (order, reversed) = match letter {
                    'a' | 'A' => (Some(Order::Address), letter == 'A'),
                    'n' | 'N' => (Some(Order::Name), letter == 'N'),
                    'z' | 'Z' => (Some(Order::Size), letter == 'Z'),
                    _ => (None, false),
                };
                if let Some(order) = order {
                    (options.order, options.is_reversed) = (order, reversed);
                    continue;
                }
                match letter {
                    '0' => options.columns = Columns::Address,
                    '1' => options.columns = Columns::Name,
                    '2' => options.columns = Columns::AddressAndName,
                    // kd's links.
                    'D' => {}
                    't' => options.types = true,
                    'v' => options.verbose = true,
                    'q' => options.quoted = true,
                    'p' => options.tight = true,
                    'f' => options.functions = true,
                    'd' => options.data = true,
                    's' => {
                        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                        let (size, after) = rest.split_at(end);
                        options.size = Some(
                            u64::from_str_radix(size.trim_start_matches("0x"), 16)
                                .ok()
                                .filter(|&size| size > 0)
                                .ok_or_else(|| {
                                    Error::Syntax(format!(
                                        "'{size}' is no size in hexadecimal digits"
                                    ))
                                })?,
                        );
                        rest = after.trim_start();
                    }
                    other => {
                        return Err(Error::Syntax(format!(
                            "'/{other}' is no option of x: help x"
                        )));
                    }
                }
            }
        }
        match rest.split_once('!') {
            Some((module, name)) => {
                options.module = module.trim().to_string();
                options.name = name.trim().to_string();
            }
            None => options.name = rest.trim().to_string(),
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_patterns() {
        let options = Options::parse("/v /s 0xa8 /nq nt!CmType*").unwrap();
        assert!(options.verbose && options.quoted && !options.is_reversed);
        assert_eq!((options.size, options.order), (Some(0xa8), Order::Name));
        assert_eq!((&*options.module, &*options.name), ("nt", "CmType*"));
        let options = Options::parse("/1/Z *!operator new").unwrap();
        assert_eq!(
            (options.columns, options.order, options.is_reversed),
            (Columns::Name, Order::Size, true)
        );
        assert_eq!((&*options.module, &*options.name), ("*", "operator new"));
        assert_eq!(Options::parse("*").unwrap().name, "*");
        for (text, said) in [
            ("/y nt!*", "'/y' is no option of x: help x"),
            ("/s nt!*", "'nt!*' is no size in hexadecimal digits"),
            ("/s 0 nt!*", "'0' is no size in hexadecimal digits"),
        ] {
            assert_eq!(Options::parse(text).unwrap_err().to_string(), said);
        }
    }
}
