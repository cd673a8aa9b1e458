//! The language against a small made-up world of names and memory.

use super::{Scope, Width, evaluate, evaluate_prefix};
use rkd_dump::addr::{Phys, Virt};
use rkd_dump::error::{Error, Fault, Level, Result, Why};
use std::error::Error as _;

struct World {
    radix: u32,
    pointer_size: u32,
}

const WORLD: World = World {
    radix: 16,
    pointer_size: 8,
};
const NT: u64 = 0xffff_f807_2260_0000;

/// Sixteen bytes at 0x1000: 00 11 22 .. ff.
fn memory(at: u64, bytes: u32) -> Option<u64> {
    (0..u64::from(bytes)).rev().try_fold(0, |value: u64, n| {
        let offset = at
            .wrapping_add(n)
            .checked_sub(0x1000)
            .filter(|offset| *offset < 16)?;
        Some(value << 8 | offset << 4 | offset)
    })
}

impl Scope for World {
    fn radix(&self) -> u32 {
        self.radix
    }
    fn pointer_size(&self) -> u32 {
        self.pointer_size
    }
    fn module_base(&self, name: &str) -> Option<Virt> {
        name.eq_ignore_ascii_case("nt").then_some(Virt(NT))
    }
    fn symbol(&self, name: &str) -> Result<Virt> {
        match name {
            "nt!PoolTrackTable" | "PoolTrackTable" | "!add" => Ok(Virt(NT + 0xc1_2345)),
            "nt!?SmGlobals@@3U_SM_GLOBALS@@A" => Ok(Virt(NT + 1)),
            "wdf!Fx::~Fx" => Ok(Virt(7)),
            "rcx" => Ok(Virt(0x99)),
            _ => Err(Error::NoSymbol(name.to_string())),
        }
    }
    fn register(&self, name: &str) -> Option<Result<u64>> {
        match name {
            "rax" => Some(Ok(0x1234)),
            "rcx" => Some(Ok(0x5678)),
            "efl" => Some(Err(Error::NotInDump(
                "the context is not in the dump".into(),
            ))),
            _ => None,
        }
    }
    fn pseudo(&self, name: &str) -> Option<Result<u64>> {
        match name {
            "t0" => Some(Ok(0x10)),
            "ip" => Some(Ok(NT + 0x20)),
            "proc" => Some(Err(Error::NotFound("no process".into()))),
            _ => None,
        }
    }
    fn read(&self, at: Virt, width: Width) -> Result<u64> {
        memory(at.0, width.bytes(self.pointer_size)).ok_or(Error::Fault(Fault {
            at,
            why: Why::NotMapped(Level::Pte),
        }))
    }
    fn read_physical(&self, at: Phys, width: Width) -> Result<u64> {
        self.read(Virt(at.0 + 0x800), width)
    }
    fn is_valid(&self, at: Virt, length: u64) -> bool {
        at.0 >= 0x1000 && at.0 + length <= 0x1010
    }
    fn entry_point(&self, base: Virt) -> Result<Virt> {
        if base.0 == NT {
            Ok(Virt(NT + 0x9000))
        } else {
            Err(Error::NotFound("no image there".into()))
        }
    }
}

fn value(text: &str) -> u64 {
    evaluate(&WORLD, text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> String {
    evaluate(&WORLD, text)
        .map(|value| panic!("{text} is {value:x}"))
        .unwrap_or_else(|error: Error| error.to_string())
}

#[test]
fn numbers() {
    for (text, expected) in [
        ("10", 0x10),
        ("0x10", 0x10),
        ("0X4aB3", 0x4ab3),
        ("4aB3H", 0x4ab3),
        ("0n10", 10),
        ("0t17", 15),
        ("0y101", 5),
        ("0x", 0),
        ("0n", 0),
        ("0y", 0),
        ("add", 0xadd),
        ("ah", 10),
        ("1`", 1),
        ("1`1", 0x11),
        ("fffff807`47f50000", 0xffff_f807_47f5_0000),
        ("fffff80747f50000", 0xffff_f807_47f5_0000),
        ("ffffffff`ffffffff", u64::MAX),
        ("'kaeL'", 0x6b61_654c),
        ("0x10 + 0t10 + 0y10", 0x1a),
        ("80000000", 0x8000_0000),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
    assert_eq!(
        error("1`00000000`00000000"),
        "Overflow error at '1`00000000`00000000'"
    );
    assert_eq!(
        error("0n18446744073709551616 + 1"),
        "Overflow error at '0n18446744073709551616 + 1'"
    );
}

#[test]
fn the_radix_is_the_scope_s() {
    let decimal = World { radix: 10, ..WORLD };
    assert_eq!(evaluate(&decimal, "10 + 0x10 + 10h").ok(), Some(42));
    assert_eq!(
        evaluate(&decimal, "ff").map_err(|error| error.to_string()),
        Err("Couldn't resolve error at 'ff'".to_string())
    );
    assert_eq!(evaluate(&World { radix: 8, ..WORLD }, "17").ok(), Some(15));
}

#[test]
fn only_a_32_bit_target_extends_signs_and_never_past_a_back_tick() {
    let x86 = World {
        pointer_size: 4,
        ..WORLD
    };
    assert_eq!(evaluate(&x86, "80001000").ok(), Some(0xffff_ffff_8000_1000));
    assert_eq!(evaluate(&x86, "`80001000").ok(), None);
    assert_eq!(evaluate(&x86, "0`80001000").ok(), Some(0x8000_1000));
    assert_eq!(evaluate(&x86, "7fffffff").ok(), Some(0x7fff_ffff));
    assert_eq!(evaluate(&x86, "0n2147483648").ok(), Some(0x8000_0000));
    assert_eq!(evaluate(&x86, "poi(1000)").ok(), Some(0x3322_1100));
}

#[test]
fn precedence_and_association() {
    for (text, expected) in [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("10 - 4 - 2", 10),
        ("0n100 / 7 mod 4", 2),
        ("1 << 2 + 1", 8),
        ("1 + 1 = 2", 1),
        ("4 > 3 & 1", 1),
        ("1 | 2 ^ 2 & 2", 1),
        ("f0 or f and 3", 0xf3),
        ("6 xor 3", 5),
        ("- 1", u64::MAX),
        ("-1 >> 0n60", 0xf),
        ("-10 >>> 4", u64::MAX),
        ("1 << 40", 0),
        ("1 >> 40", 0),
        ("not 0 + 5", 6),
        ("not 5", 0),
        ("5 != 5", 0),
        ("5 >= 5", 1),
        ("5 <= 4", 0),
        ("-1 > 1", 1),
        ("ffffffff`ffffffff + 2", 1),
        ("hi(12345678)", 0x1234),
        ("low 12345678", 0x5678),
        ("- - 5", 5),
        ("f % 4", 3),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn names() {
    for (text, expected) in [
        ("nt", NT),
        ("NT+10", NT + 0x10),
        ("nt!PoolTrackTable", NT + 0xc1_2345),
        ("PoolTrackTable", NT + 0xc1_2345),
        ("!add", NT + 0xc1_2345),
        ("nt!PoolTrackTable-nt", 0xc1_2345),
        ("nt!?SmGlobals@@3U_SM_GLOBALS@@A + 1", NT + 2),
        ("@!\"nt!?SmGlobals@@3U_SM_GLOBALS@@A\"", NT + 1),
        ("wdf!Fx::~Fx", 7),
        ("rax", 0x1234),
        ("@rax", 0x1234),
        ("rcx", 0x99),
        ("@RCX", 0x5678),
        ("$t0", 0x10),
        ("@$t0*2", 0x20),
        (".", NT + 0x20),
        (". + 1", NT + 0x21),
        ("$ip", NT + 0x20),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn memory_operators_and_functions() {
    for (text, expected) in [
        ("by(1001)", 0x11),
        ("by 1001 + 1", 0x12),
        ("wo(1002)", 0x3322),
        ("dwo(1000)", 0x3322_1100),
        ("qwo(1000)", 0x7766_5544_3322_1100),
        ("poi(1008)", 0xffee_ddcc_bbaa_9988),
        ("poi 1008 & ff", 0x88),
        ("by(by(1001) + ff0)", 0x11),
        ("$pby(801)", 0x11),
        ("$pdwo(800)", 0x3322_1100),
        ("$ppoi(800)", 0x7766_5544_3322_1100),
        ("$vvalid(1000, 10)", 1),
        ("$vvalid(1000, 11)", 0),
        ("$iment(nt)", NT + 0x9000),
        ("$scmp(\"a\", \"b\")", u64::MAX),
        ("$scmp(\"a\", \"a\")", 0),
        ("$sicmp(\"LEAK\", \"leak\") + 5", 5),
        ("$spat(\"myfault\", \"MY*\")", 1),
        ("$spat(@\"c:\\x\", \"c:*\")", 1),
        ("$fnsucc(0, 1, 0)", 1),
        ("$fnsucc(0, 1, 1)", 0),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn the_other_language_inside() {
    for (text, expected) in [
        ("@@c++(10 + 010 + 0x10)", 34),
        ("10 + @@(10)", 0x1a),
        ("@@c++(-1 < 1 && 5 == 5)", 1),
        ("@@c++(-7 / 2)", (-3i64) as u64),
        ("@@c++(1 << 4 | !0 | ~0 & 6)", 0x17),
        ("@@c++(@@masm(10) + 10)", 26),
        ("@@c++(5ul + @rax)", 0x1239),
        ("@@masm(10)", 0x10),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
    assert_eq!(error("@@c++(sizeof(int))"), "Syntax error at '(int))'");
    assert_eq!(
        error("@@c++(-9223372036854775808 / 0)"),
        "Operand error at '0)'"
    );
}

#[test]
fn errors_quote_the_rest_of_the_line() {
    for (text, expected) in [
        (
            "KiGlobalTimerResolutionRequests ",
            "Couldn't resolve error at 'KiGlobalTimerResolutionRequests '",
        ),
        ("1 + nope!x + 2", "Couldn't resolve error at 'nope!x + 2'"),
        ("", "Numeric expression missing from '<EOL>'"),
        ("5 +", "Numeric expression missing from '<EOL>'"),
        ("(5", "Syntax error at '<EOL>'"),
        (")", "Numeric expression missing from ')'"),
        ("*1", "Numeric expression missing from '*1'"),
        ("1 && 2", "Numeric expression missing from '& 2'"),
        ("!1", "Couldn't resolve error at '!1'"),
        ("nt!1", "Couldn't resolve error at 'nt!1'"),
        ("`1", "Syntax error at '`1'"),
        ("poi 1", "Memory access error at '1'"),
        ("5 5", "Extra character error in '5'"),
        ("\"x\"", "Syntax error at '\"x\"'"),
        ("poi(0)", "Memory access error at ')'"),
        ("poi(0) + 1", "Memory access error at ') + 1'"),
        ("5 / 0", "Operand error at '0'"),
        ("5 mod 0 + 1", "Operand error at '0 + 1'"),
        ("@foo", "Bad register error at '@foo'"),
        ("$s7", "Bad register error at '$s7'"),
        ("@$proc", "Bad register error at '@$proc'"),
        ("@efl + 1", "Bad register error at '@efl + 1'"),
        ("$iment(0)", "Memory access error at '$iment(0)'"),
        ("$scmp(\"a\")", "Syntax error at ')'"),
        ("$scmp(1, 2)", "Syntax error at '1, 2)'"),
        ("$vvalid", "Syntax error at '<EOL>'"),
        ("@#Base", "Syntax error at '@#Base'"),
        ("5 ; 6", "Extra character error in '; 6'"),
        ("ü", "Syntax error at 'ü'"),
        ("'", "Syntax error at '''"),
        ("\"", "Syntax error at '\"'"),
        ("`", "Syntax error at '`'"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn the_reason_stands_behind_the_text() {
    let refused = evaluate(&WORLD, "poi(5000)").expect_err("nothing is mapped there");
    assert_eq!(
        refused.source().map(ToString::to_string).as_deref(),
        Some("cannot read 00000000`00005000: not mapped (PTE is zero)")
    );
    let refused = evaluate(&WORLD, "$proc").expect_err("there is none");
    assert_eq!(
        refused.source().map(ToString::to_string).as_deref(),
        Some("no process")
    );
}

#[test]
fn an_expression_ends_where_no_operator_joins() {
    for (text, expected, rest) in [
        ("1000 L20", 0x1000, "L20"),
        ("nt L?0x9000 \"Leak\"", NT, "L?0x9000 \"Leak\""),
        ("1000 + 10 2000", 0x1010, "2000"),
        ("fffff807`47f50000L20", 0xffff_f807_47f5_0000, "L20"),
        ("(1000) \"x\"", 0x1000, "\"x\""),
    ] {
        let (value, left) =
            evaluate_prefix(&WORLD, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((value, left), (expected, rest), "{text}");
    }
}

#[test]
fn no_line_is_too_hostile() {
    let deep = "(".repeat(100_000);
    assert!(error(&deep).starts_with("Expression nested more than 100 levels deep at '((("));
    assert!(error(&"-".repeat(100_000)).starts_with("Expression nested more than 100 levels deep"));
    assert_eq!(value(&format!("0{}", " + 1".repeat(100_000))), 100_000);
    assert_eq!(value(&format!("{}5{}", "(".repeat(90), ")".repeat(90))), 5);
}

proptest::proptest! {
    #[test]
    fn nothing_panics(text in ".{0,60}") {
        let _ = evaluate(&WORLD, &text);
    }

    #[test]
    fn nothing_that_looks_like_an_expression_panics(text in "[0-9a-fA-FxnLh`+*/()<>=!&|^ @$.?'\"poimdtr-]{0,40}") {
        let _ = evaluate(&WORLD, &text);
        let _ = evaluate_prefix(&World { radix: 10, pointer_size: 4 }, &text);
    }
}
