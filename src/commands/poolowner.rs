//! `!poolowner`: which driver allocates under a tag, with the instructions that prove it. Ours.

mod list;
pub mod proof;
mod request;
pub mod row;

use crate::command::signature::{Item, Kind, given};
use crate::command::{Args, Command, Example, Grammar, Sink, Topic};
use crate::session::Session;
pub use request::Request;
use rkd_dump::error::{Error, Result};
use rkd_kernel::owners::{Answer, Gone, Inquiry, Outcome, Question, inquire};
use rkd_kernel::pool::{Tag, TagUse};
use row::OwnerRow;

/// `!poolowner`: which driver allocates under a tag, with proof.
pub static COMMAND: Command = Command {
    name: "!poolowner",
    aliases: &[],
    rhai: "owners",
    topic: Topic::Pool,
    summary: "which driver allocates under a tag, with proof",
    grammar: Grammar::of(&[
        Item::required("Tag | *", Kind::Tags, "a tag, or * for all that are in use"),
        Item::most("a decimal number of tags"),
        Item::flag("-v", "every site"),
        Item::flag("-all", "every module is read, not only those that hold the bytes of the tag"),
        Item::flag("-raw", "bytes that prove nothing, too"),
    ]),
    help: "\
Reads the code of the loaded modules as an expert would, and names every driver that passes the tag to an interface of the pool,
with the two instructions that prove it: the one that holds the tag, and the call. Tag is case-sensitive, shorter ones are padded
with blanks, 0x6b61654c is the tag as a number; with * and ? (or * alone) a table of all tags in use that fit, the greatest first,
/tN the first N of them.

How sure it is, in a word, and what the word rests on (help names the measured figures in docs/tags.md):
  E1  proven                  a constant reaches the tag argument of an interface that allocates, and nothing else does
  E2  proven (via wrapper)    the same through functions of the driver, as one of several values, or from read-only data
  E3  uses                    the driver only frees or maps under the tag
  E4  likely                  it depends on a variable, or is the tag that the driver framework gives by the service's name
  E5  probable                the tag is put into an argument register, and no call was found that takes it
  E6  mention                 it is an operand elsewhere
  E7  no evidence             its bytes stand in the module: shown with -raw only
What the code says is held against the books: a driver that allocates from the other pool, or in sizes that do not make the blocks,
is ruled out (unlikely, where not all of its code was read), and a word that a second book confirms is raised (very likely). Drivers
that share a tag are all named, and so are unloaded ones that left something behind.

When nobody is proven, all modules are read anyway, and the notes say how many could be: pages of code that the dump lacks are read
from the driver's file, if -i IMAGEPATH or .exepath leads to the very build. This command is rkd's own; in Rhai it is owners(tag).",
    examples: &[
        Example {
            line: "!poolowner Leak",
            shows: "one tag",
            output: "\
Pool tag 'Leak' (0x6b61654c) holds 4991221760 bytes of nonpaged pool in 119 allocations, 0 freed since the start

myfault.sys: proven (E1)   \\??\\C:\\Windows\\system32\\drivers\\myfault.sys
    the tag is the only value that reaches ExAllocatePoolWithTag at 2 sites
  E1: nonpaged pool
fffff807`47f515c5 41b84c65616b    mov     r8d,6B61654Ch             ; 'Leak'
fffff807`47f515d2 ff15a01a0000    call    qword ptr [myfault+0x3078 (fffff807`47f53078)] ; ExAllocatePoolWithTag
  E1: paged pool
fffff807`47f51557 41b84c65616b    mov     r8d,6B61654Ch             ; 'Leak'
fffff807`47f51566 ff150c1b0000    call    qword ptr [myfault+0x3078 (fffff807`47f53078)] ; ExAllocatePoolWithTag",
        },
        Example {
            line: "!poolowner ConT",
            shows: "a driver of Windows that allocates for others",
            output: "\
Pool tag 'ConT' (0x546e6f43) holds 14499840 bytes of nonpaged pool in 238 allocations, 61 freed since the start

storport.sys: proven (E1)   \\SystemRoot\\System32\\drivers\\storport.sys
    the tag is the only value that reaches ExAllocatePoolWithTag at 1 site
    the port driver allocates for storage miniports
  E1: nonpaged pool
fffff807`24501024 41b8436f6e54    mov     r8d,546E6F43h             ; 'ConT'
fffff807`24501034 ff1526100000    call    qword ptr [storport+0x2060 (fffff807`24502060)] ; ExAllocatePoolWithTag
  E3: frees
fffff807`24501054 ba436f6e54      mov     edx,546E6F43h             ; 'ConT'
fffff807`24501060 ff1502100000    call    qword ptr [storport+0x2068 (fffff807`24502068)] ; ExFreePoolWithTag",
        },
        Example {
            line: "!poolowner * /t5",
            shows: "the five greatest tags",
            output: " Tag  Pool            Bytes     Allocs  Confidence            Owner

 Leak nonpaged   4991221760        119  proven                myfault.sys  ExAllocatePoolWithTag
 ConT nonpaged     14499840        238  proven                storport.sys  ExAllocatePoolWithTag
 CM31 paged        10946960     136837  unknown
 MmSt paged        10797440      33742  proven                ntoskrnl.exe  ExAllocatePoolWithTag
 NtfF paged         9167232      47746  proven                Ntfs.sys  ExAllocatePool2",
        },
    ],
    rows: &[OwnerRow::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let request = Request::of(args);
    let tags = given(args.tags("Tag | *"))?;
    let kernel = session.target.kernel.clone();
    let books = rkd_kernel::pool::tracker::tracker(&kernel);
    let Some(tag) = tags.one() else {
        let tracker = books?;
        return list::run(session, tags, &request, &tracker.tags, out);
    };
    let known: &[TagUse] = books
        .as_ref()
        .map_or(&[], |tracker| tracker.tags.as_slice());
    let same = |usage: &&TagUse| usage.tag.without_protection() == tag.without_protection();
    let held = known
        .iter()
        .find(|usage| usage.tag == tag)
        .or(known.iter().find(same))
        .copied();
    let inquiry = ask(session, &[Question { tag, held }], &request, out)?;
    let Some(answer) = inquiry.answers.first() else {
        return Ok(());
    };
    out.text(&heading(answer, books.is_ok()))?;
    for (number, suspect) in answer.suspects.iter().enumerate() {
        out.row(&OwnerRow::new(
            session,
            answer,
            suspect,
            number,
            request.verbose,
        ))?;
    }
    let gone = answer.gone.iter().filter(|gone| gone.is_suspect());
    let gone: Vec<&Gone> = gone.filter(|_| !answer.is_proven()).collect();
    for gone in &gone {
        out.row(&OwnerRow::unloaded(session, answer, gone))?;
    }
    if answer.suspects.is_empty() && gone.is_empty() {
        out.row(&OwnerRow::nobody(session, answer))?;
    }
    remarks(answer, &inquiry, known, out)?;
    match books {
        Ok(_) => Ok(()),
        Err(why) if inquiry.account.is_dark() && !answer.is_proven() => Err(why),
        Err(why) => out.note(&format!("what the tag holds is not known: {why}")),
    }
}

/// Asks with progress shown. After Ctrl-C a screen takes remarks only: who was proven until then is told in them.
///
/// # Errors
/// Those of the sink, and [`Error::Stopped`].
pub fn ask(
    session: &mut Session,
    questions: &[Question],
    request: &Request,
    out: &mut dyn Sink,
) -> Result<Inquiry> {
    let readings = session.target.readings();
    let search = request.search(&session.control.stop);
    let inquiry = inquire(
        &session.target.kernel,
        &readings,
        questions,
        &search,
        &mut |done, total| out.progress(done, total, "modules"),
    )?;
    if !inquiry.stopped {
        return Ok(inquiry);
    }
    let account = &inquiry.account;
    out.note(&format!(
        "stopped after {} of {} modules",
        account.read, account.modules
    ))?;
    match inquiry.answers.as_slice() {
        [answer] => {
            for suspect in answer.proven() {
                out.note(&format!(
                    "until then: {} is {} to allocate under '{}'",
                    suspect.module.image_name,
                    suspect.word(),
                    answer.question.tag
                ))?;
            }
        }
        answers => out.note(&format!(
            "until then {} of {} tags had a proven owner",
            answers.iter().filter(|answer| answer.is_proven()).count(),
            answers.len()
        ))?,
    }
    Err(Error::Stopped)
}

/// What the tag holds.
fn heading(answer: &Answer, is_known: bool) -> String {
    let tag = answer.question.tag;
    let number = tag.to_u32();
    let Some(held) = answer.question.held else {
        let what = if is_known {
            " holds nothing"
        } else {
            ": what it holds is not known"
        };
        return format!("Pool tag '{tag}' ({number:#010x}){what}\n");
    };
    let mut text = format!("Pool tag '{tag}' ({number:#010x})");
    let pools = [("nonpaged", held.nonpaged), ("paged", held.paged)];
    let used = pools
        .iter()
        .filter(|(_, usage)| usage.outstanding() != 0 || usage.bytes != 0);
    let parts: Vec<String> = used
        .map(|(pool, usage)| {
            format!(
                "{} bytes of {pool} pool in {} allocations, {} freed since the start",
                usage.bytes as i64,
                usage.outstanding(),
                usage.frees
            )
        })
        .collect();
    text += &match parts.is_empty() {
        true => " holds nothing now".to_owned(),
        false => format!(" holds {}", parts.join(" and ")),
    };
    text + "\n"
}

fn remarks(answer: &Answer, inquiry: &Inquiry, known: &[TagUse], out: &mut dyn Sink) -> Result<()> {
    let tag = answer.question.tag;
    if answer.question.held.is_none() {
        let twins = twins(tag, known);
        if !twins.is_empty() {
            out.note(&format!(
                "nothing is allocated under '{tag}'; did you mean {}?",
                twins.join(" or ")
            ))?;
        }
    }
    match answer.outcome() {
        Outcome::Several => out.note(
            "several modules are proven to use the tag, and its counters do not tell them apart: a second dump and !pooldiff, or \
             Driver Verifier's pool tracking for each of them, does",
        )?,
        Outcome::Unknown => out.note(&format!("no module is seen to allocate under '{tag}'"))?,
        Outcome::Proven | Outcome::Likely => {}
    }
    if let Some(said) = answer.pointers() {
        out.note(&said)?;
    }
    let may_be_left = answer.question.pool().is_some() || known.is_empty();
    if may_be_left
        && !answer.is_proven()
        && !answer.gone.iter().any(Gone::is_suspect)
        && !answer.gone.is_empty()
    {
        let names: Vec<&str> = answer.gone.iter().map(|g| g.driver.name.as_str()).collect();
        out.note(&format!(
            "drivers that were unloaded cannot be read, and may have left it behind: {}",
            names.join(", ")
        ))?;
    }
    if answer.is_proven() {
        return out.note(&inquiry.account.short());
    }
    inquiry
        .account
        .sentences()
        .iter()
        .try_for_each(|said| out.note(said))
}

/// What speaks for a driver that is not loaded any more.
pub fn suspicion(gone: &Gone) -> String {
    let (name, sure) = (&gone.driver.name, gone.confidence().word());
    format!(
        "{name} was unloaded: {} ({sure})",
        gone.evidence().join(", and ")
    )
}

/// Tags in use that a person may have meant: in the other case, backwards, or with other blanks.
pub fn twins(tag: Tag, known: &[TagUse]) -> Vec<String> {
    let typed = tag.without_protection().0;
    let mut turned = typed;
    turned.reverse();
    let bare = |tag: [u8; 4]| -> Vec<u8> {
        let blank = |b: &u8| matches!(b, b' ' | 0);
        tag.iter()
            .copied()
            .filter(|b| !blank(b))
            .map(|b| b.to_ascii_lowercase())
            .collect()
    };
    let mut close: Vec<&TagUse> = known
        .iter()
        .filter(|usage| {
            let other = usage.tag.without_protection().0;
            other != typed && (bare(other) == bare(typed) || bare(other) == bare(turned))
        })
        .collect();
    close.sort_by_key(|usage| {
        std::cmp::Reverse(usage.nonpaged.bytes.wrapping_add(usage.paged.bytes) as i64)
    });
    close
        .iter()
        .map(|usage| format!("'{}'", usage.tag))
        .collect()
}
