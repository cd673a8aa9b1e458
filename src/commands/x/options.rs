//! What is typed behind `x`: options in front, and a pattern.

use crate::command::Args;
use crate::command::signature::{Flag, Item, Kind, given};
use rkd_dump::error::Result;

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

/// What `x` takes.
pub(super) const ITEMS: &[Item] = &[
    Item::flag(
        "/0",
        "the address only, for loops: .foreach (p {x /0 nt!Pool*}) { ... }",
    ),
    Item::flag("/1", "the name only"),
    Item::flag("/2", "the address and the name"),
    Item::flag("/a", "by address, upwards"),
    Item::flag("/A", "by address, downwards"),
    Item::flag("/n", "by name"),
    Item::flag("/N", "by name, downwards"),
    Item::flag("/z", "by size"),
    Item::flag("/Z", "by size, downwards"),
    Item::flag("/f", "functions only"),
    Item::flag("/d", "data only"),
    Item::flag("/v", "kind and size too"),
    Item::flag("/t", "the type in front of the name"),
    Item::flag("/q", "names in kd's quotes: @!\"nt!Name\""),
    Item::flag("/p", "no blank in front of a bracket"),
    Item::flag("/D", "nothing: kd makes links"),
    Item::Flag(Flag {
        value: " Size",
        kind: Kind::Size,
        ..Flag::new(
            "/s",
            "symbols of this size (in hexadecimal digits) and those whose size is not known",
        )
    }),
    Item::required(PATTERN, Kind::SymbolPattern, ""),
];

const PATTERN: &str = "Module!Symbol";

impl Options {
    /// What the flags and the pattern say.
    ///
    /// # Errors
    /// Without a pattern.
    pub(super) fn of(args: &Args) -> Result<Options> {
        let pattern = given(args.text(PATTERN))?;
        let (module, name) = pattern.split_once('!').unwrap_or(("", pattern));
        let columns = args.flags().rev().find_map(|flag| match flag {
            "0" => Some(Columns::Address),
            "1" => Some(Columns::Name),
            "2" => Some(Columns::AddressAndName),
            _ => None,
        });
        let order = args.flags().rev().find_map(|flag| match flag {
            "a" | "A" => Some((Order::Address, flag == "A")),
            "n" | "N" => Some((Order::Name, flag == "N")),
            "z" | "Z" => Some((Order::Size, flag == "Z")),
            _ => None,
        });
        let (order, is_reversed) = order.unwrap_or_default();
        Ok(Options {
            columns: columns.unwrap_or_default(),
            order,
            is_reversed,
            types: args.has("t"),
            verbose: args.has("v"),
            size: args.flag("s"),
            quoted: args.has("q"),
            tight: args.has("p"),
            functions: args.has("f"),
            data: args.has("d"),
            module: module.trim().to_string(),
            name: name.trim().to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::x::COMMAND;

    fn parse(text: &str) -> Result<Options> {
        Options::of(&Args::typed(&COMMAND, text)?)
    }

    #[test]
    fn options_and_patterns() {
        let options = parse("/v /s 0xa8 /nq nt!CmType*").unwrap();
        assert!(options.verbose && options.quoted && !options.is_reversed);
        assert_eq!((options.size, options.order), (Some(0xa8), Order::Name));
        assert_eq!((&*options.module, &*options.name), ("nt", "CmType*"));
        let options = parse("/1/Z *!operator new").unwrap();
        assert_eq!(
            (options.columns, options.order, options.is_reversed),
            (Columns::Name, Order::Size, true)
        );
        assert_eq!((&*options.module, &*options.name), ("*", "operator new"));
        assert_eq!(parse("*").unwrap().name, "*");
        for (text, said) in [
            ("/y nt!*", "'/y' is no option of x: help x"),
            ("/s nt!*", "'nt!*' is no size in hexadecimal digits"),
            ("/s 0 nt!*", "'0' is no size in hexadecimal digits"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), said);
        }
    }
}
