use super::bind::bind_values;
use super::*;
use crate::command::masm::Numbers;
use crate::command::{Command, Topic};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::pool::Tag;

const fn command(name: &'static str, signature: Signature) -> Command {
    Command {
        name,
        aliases: &[],
        rhai: "",
        topic: Topic::Session,
        summary: "",
        grammar: Grammar::Signature(signature),
        help: "",
        examples: &[],
        rows: &[],
        run: |_, _, _| Ok(()),
    }
}

static OWNER: Command = command(
    "!owner",
    Signature::of(&[
        Item::required("Tag | *", Kind::Tags, "a tag, or *"),
        Item::most("a decimal number of tags"),
        Item::flag("-v", "every site"),
        Item::flag("-all", "every module"),
    ]),
);
static USED: Command = command(
    "!used",
    Signature::of(&[
        Item::most("a decimal number of tags"),
        Item::optional("Flags", Kind::Flags(7), "flags"),
        Item::optional("TagString", Kind::Tags, "a tag"),
    ]),
);
static FIND: Command = command(
    "!find",
    Signature {
        unknown: Unknown::RkdHasNo,
        ..Signature::of(&[
            Item::required("Tag", Kind::Tags, "a tag"),
            Item::OneOf(&[
                Flag {
                    also: "0",
                    ..Flag::new("-nonpaged", "")
                },
                Flag::new("-paged", ""),
            ]),
            Item::Idle(&["-global"]),
        ])
    },
);
static SEARCH: Command = command(
    "!search",
    Signature::of(&[
        Item::flag("-s", ""),
        Item::flag("-p", ""),
        Item::required("Data", Kind::Number, ""),
        Item::optional("Delta", Kind::Number, ""),
    ]),
);
static HEADERS: Command = command(
    "!headers",
    Signature {
        unknown: Unknown::IsNone("!headers -h"),
        ..Signature::of(&[
            Item::flag("-f", ""),
            Item::flag("-s", ""),
            Item::flag("-h", ""),
            Item::required("Module | Address", Kind::Module, ""),
        ])
    },
);
static ONE: Command = command(
    "!one",
    Signature {
        wants: "takes one tag",
        ..Signature::of(&[Item::optional("TagString", Kind::Tag, "a tag")])
    },
);
static DIFF: Command = command(
    "!diff",
    Signature::of(&[
        Item::required("FILE", Kind::File, "the other dump"),
        Item::optional("TagCount", Kind::Decimal, "a decimal number of tags"),
    ]),
);
static NOTHING: Command = command("q", Signature::NOTHING);

fn typed(command: &Command, text: &str) -> Result<Args> {
    Args::typed(command, text)
}

fn called(command: &Command, arguments: &[Given], flags: &[(&str, Given)]) -> Result<Args> {
    let handed = Handed {
        arguments: arguments.to_vec(),
        flags: flags
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect(),
    };
    let mut args = Args::new(command.name, "");
    bind_values(command, &mut args, &handed, &Numbers { radix: 16 }).map(|()| args)
}

fn text(text: &str) -> Given {
    Given::Text(text.into())
}

#[test]
fn usage_lines() {
    for (command, usage) in [
        (&OWNER, "!owner Tag | * [/tN] [-v] [-all]"),
        (&USED, "!used [/tN] [Flags [TagString]]"),
        (&FIND, "!find Tag [-nonpaged | -paged]"),
        (&SEARCH, "!search [-s] [-p] Data [Delta]"),
        (&DIFF, "!diff FILE [TagCount]"),
        (&NOTHING, "q"),
    ] {
        assert_eq!(command.usage(), usage);
    }
}

#[test]
fn tags_are_taken_as_people_write_them() {
    for (line, tag) in [
        ("Leak", b"Leak"),
        ("Io", b"Io  "),
        ("0x6b61654c", b"Leak"),
        ("\"AB C\" -v", b"AB C"),
        ("-abc", b"-abc"),
        ("0x12", b"0x12"),
        ("-v -all Leak", b"Leak"),
    ] {
        let args = typed(&OWNER, line).unwrap();
        assert_eq!(
            args.tags("Tag | *").and_then(Tags::one),
            Some(Tag(*tag)),
            "{line}"
        );
    }
    let list = typed(&OWNER, "* /t 5").unwrap();
    assert!(list.tags("Tag | *").unwrap().one().is_none());
    assert_eq!(list.most(), Some(5));
}

#[test]
fn flags_stand_where_they_like() {
    let args = typed(&USED, "/t3 4").unwrap();
    assert_eq!((args.most(), args.number("Flags")), (Some(3), Some(4)));
    let args = typed(&USED, "4 Nt* /t 3").unwrap();
    assert_eq!((args.flag("t"), args.number("Flags")), (Some(3), Some(4)));
    assert!(args.tags("TagString").unwrap().matches(Tag(*b"NtFs")));
    let args = typed(&HEADERS, "-F -sf nt + 8").unwrap();
    assert_eq!(args.flags().collect::<Vec<_>>(), ["f", "s", "f"]);
    assert_eq!(
        args.module("Module | Address"),
        Some(ModuleRef::Named("nt + 8"))
    );
    assert!(typed(&HEADERS, "-h").unwrap().has("h"));
    // Only behind the tag is 0 kd's word for a pool.
    assert!(typed(&FIND, "Leak 0 -global").unwrap().has("nonpaged"));
    assert_eq!(
        typed(&FIND, "0").unwrap().tags("Tag").unwrap().to_string(),
        "0"
    );
}

#[test]
fn an_expression_goes_on_over_blanks() {
    let args = typed(&SEARCH, "-s -p 10 + 20 8").unwrap();
    assert!(args.has("p"));
    assert_eq!(
        (args.number("Data"), args.address("Delta")),
        (Some(0x30), Some(Virt(8)))
    );
    assert_eq!(typed(&SEARCH, "-1").unwrap().number("Data"), Some(u64::MAX));
}

#[test]
fn what_does_not_fit_is_said_in_one_place() {
    for (command, line, said) in [
        (&OWNER, "", "!owner wants a tag, or *\nUsage: "),
        (&OWNER, "Leak -nosuch", "!owner has no -nosuch\nUsage: "),
        (
            &OWNER,
            "Leak More",
            "'More' is one argument too many\nUsage: ",
        ),
        (
            &OWNER,
            "* /tx",
            "/t wants a decimal number of tags, not 'x'\nUsage: ",
        ),
        (&OWNER, "Leaks", "'Leaks' is no pool tag: "),
        (&USED, "x", "'x' are no flags\nUsage: "),
        (&USED, "18", "0x18 are flags that kd does not have\nUsage: "),
        (&FIND, "Leak -x", "rkd's !find has no -x\nUsage: "),
        (&ONE, "a b", "!one takes one tag\nUsage: "),
        (
            &DIFF,
            "f x",
            "TagCount wants a decimal number of tags, not 'x'\nUsage: ",
        ),
        (&SEARCH, "", "Numeric expression missing from '<EOL>'"),
        (&SEARCH, "1 2 3", "Extra character error in '3'"),
        (
            &HEADERS,
            "",
            "Usage: !headers [-f] [-s] [-h] Module | Address",
        ),
        (
            &HEADERS,
            "-fx nt",
            "'-x' is no option of !headers: !headers -h",
        ),
    ] {
        let error = typed(command, line).unwrap_err().to_string();
        assert!(error.starts_with(said), "{line}: {error}");
    }
    // What takes nothing takes no notice.
    assert!(typed(&NOTHING, "whatever -x").is_ok());
}

#[test]
fn a_script_hands_over_values() {
    let args = called(
        &USED,
        &[Given::Number(2), text("AB C")],
        &[("t", Given::Number(5))],
    )
    .unwrap();
    assert_eq!((args.number("Flags"), args.most()), (Some(2), Some(5)));
    assert_eq!(args.tags("TagString").unwrap().one(), Some(Tag(*b"AB C")));
    let args = called(&USED, &[Given::Nothing, text("\"Leak\"")], &[]).unwrap();
    assert_eq!(args.number("Flags"), None);
    assert_eq!(args.tags("TagString").unwrap().one(), Some(Tag(*b"Leak")));
    // A number is the tag that code passes.
    let args = called(
        &OWNER,
        &[Given::Number(0x12), text("-v")],
        &[("all", Given::Truth(true))],
    )
    .unwrap();
    assert_eq!(
        args.tags("Tag | *").unwrap().one(),
        Some(Tag([0x12, 0, 0, 0]))
    );
    assert!(args.has("v") && args.has("all"));
    // One text is a line.
    let args = called(&USED, &[text("2 Leak /t5")], &[]).unwrap();
    assert_eq!((args.number("Flags"), args.most()), (Some(2), Some(5)));
    let args = called(&DIFF, &[text("a file"), Given::Number(10)], &[]).unwrap();
    assert_eq!(
        (args.text("FILE"), args.number("TagCount")),
        (Some("a file"), Some(10))
    );
    for (command, arguments, flags, said) in [
        (
            &DIFF,
            vec![Given::Number(1)],
            vec![],
            "FILE wants text, not 0x1",
        ),
        (
            &USED,
            vec![],
            vec![("x", Given::Number(1))],
            "!used has no flag 'x'",
        ),
        (
            &OWNER,
            vec![text("Leak")],
            vec![("v", Given::Number(1))],
            "'v' is true or false, not 0x1",
        ),
        (
            &USED,
            vec![Given::Number(1), text("Leak"), Given::Number(5)],
            vec![],
            "'0x5' is one argument too many",
        ),
    ] {
        let error = called(command, &arguments, &flags).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}

#[test]
fn what_tab_offers_depends_on_the_place() {
    for (command, typed, offered) in [
        (&USED, "", Completes::Nothing),
        (&USED, "2 L", Completes::Tags),
        (&USED, "/t5 2 L", Completes::Tags),
        (&OWNER, "-v L", Completes::Tags),
        (&DIFF, "fi", Completes::Files),
        (&DIFF, "file 1", Completes::Nothing),
        (&SEARCH, "nt + my", Completes::Symbols),
        (&NOTHING, "x", Completes::Nothing),
    ] {
        assert_eq!(command.grammar.completes(typed), offered, "{typed}");
    }
}
