//! `?`: what an expression comes to.

use crate::command::{Args, Command, Completes, Example, Grammar, KdLine, Row, Sink, Topic, masm};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;

/// `?`: evaluate a MASM expression.
pub static COMMAND: Command = Command {
    name: "?",
    aliases: &[],
    rhai: "evaluate",
    topic: Topic::Expressions,
    summary: "evaluate a MASM expression",
    grammar: Grammar::own("? Expression", Completes::Symbols),
    help: "\
Evaluates an expression of kd's own language, MASM, and shows the value as a signed decimal number and in hexadecimal.
Without an expression it lists the commands, like help.

Numbers are hexadecimal unless n says otherwise: 0x 0n 0t 0y choose hexadecimal, decimal, octal, binary, and so does an h
at the end. Back-ticks may stand anywhere (fffff807`47f50000). A word that can be read as a number is one; then it is a
module (its base), a symbol (nt!Name or Name), a register. @ makes a register of it, $ is for pseudo-registers.

  + -  not  hi low             (in front) sign, 1 for zero, bits 16 to 31, bits 0 to 15
  by wo dwo qwo poi            (in front) the byte, word, dword, qword, pointer at an address; $pby .. $ppoi: at a physical one
  * / mod %    + -    << >> >>>    = == != < > <= >=    & and    ^ xor    | or        from tight to loose
  $iment(a)  $vvalid(a, n)  $scmp(\"a\", \"b\")  $sicmp  $spat(\"text\", \"pattern\")  $fnsucc(f, value, flag)
  @@c++( )  @@masm( )          the inside in the other language: C++ numbers are decimal and signed
  $t0 .. $t19  $ip $csp $proc $thread $teb $peb $tpid $tid $ptrsize $pagesize $exp $p $dbgtime

All arithmetic is that of unsigned 64-bit numbers and wraps.",
    examples: &[
        Example {
            line: "? fffff807`47f59000 - fffff807`47f50000",
            shows: "the size of a module",
            output: "Evaluate expression: 36864 = 00000000`00009000",
        },
        Example {
            line: "? nt",
            shows: "the base of a module",
            output: "Evaluate expression: -8765451534336 = fffff807`22600000",
        },
        Example {
            line: "? poi(nt!PoolTrackTable)",
            shows: "a pointer behind a symbol",
            output: "Evaluate expression: -122045789581312 = ffff9100`0010d000",
        },
        Example {
            line: "? wo(nt) = 5a4d and 0n10 + 0y101 = f",
            shows: "whether an image begins with MZ, and some arithmetic",
            output: "Evaluate expression: 1 = 00000000`00000001",
        },
    ],
    rows: &[Evaluated::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    if args.text.trim().is_empty() {
        return super::help::list(out);
    }
    let value = masm::evaluate(session, &args.text)?;
    session.numbers.last_value = value;
    out.row(&Evaluated {
        expression: args.text.trim(),
        value: Virt(value),
        signed: value as i64,
    })
}

/// What an expression comes to.
#[derive(Row)]
#[row(kind = "value")]
struct Evaluated<'a> {
    /// The expression as it was typed.
    expression: &'a str,
    /// Its value.
    value: Virt,
    /// The same as a number with a sign.
    signed: i64,
}

impl KdLine for Evaluated<'_> {
    fn line(&self) -> String {
        format!("Evaluate expression: {} = {}", self.signed, self.value)
    }
}
