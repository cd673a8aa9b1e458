//! `!leak`: from the counters to a verdict in one command. Ours. The judge is [`rkd_kernel::leak`]; this shows what it says.

mod rows;

use crate::command::signature::{Item, Kind, Signature, Tags};
use crate::command::{Args, Command, Example, Grammar, Sink, Topic};
use crate::commands::poolowner::{self, Request};
use crate::session::Session;
use rkd_dump::error::{Error, Result};
use rkd_kernel::leak::{self, Books, Outcome, PoolVerdict, Verdict};
use rkd_kernel::owners::Question;
use rkd_kernel::pool::{Tag, TagUse};
use rows::{AdviceRow, MemberRow, PoolRow, SuspectRow, VerdictRow};

/// `!leak`: is there a pool leak, whose, how sure, and what next.
pub static COMMAND: Command = Command {
    name: "!leak",
    aliases: &[],
    rhai: "leak",
    topic: Topic::Pool,
    summary: "is there a pool leak, whose, how sure, and what next",
    grammar: Grammar::Signature(Signature {
        wants: "wants one tag or none",
        ..Signature::of(&[Item::optional("Tag", Kind::Tag, "the same for a tag of your own choice")])
    }),
    help: "\
Goes the whole way from the counters to a verdict: which pool is too large (!vm), which tag holds it (!poolused), whose tag that is
(!poolowner), how sure all this is, and what to do next.

A pool is too large when nonpaged pool is more than 10 % of the memory, paged pool more than 20 %; both are talked about when both
are. A tag stands out when it holds more than 40 % of its pool; so do tags that hold as much together and whose counts are in step
(equal, or one twice or three times the other), because they are the parts of one thing. The three books that Windows keeps of its
pools - pages, tags, large blocks - are compared, and what they differ by is explained. Sizes and pools that the code asks for are
held against the blocks that are there. A tag of objects (File, Proc, Toke ...) is no driver's: handles and references are advised.
A single dump cannot tell a leak from a heavy load for certain: how much of what was ever allocated was freed is the best hint, and
two dumps (!pooldiff) are proof. docs/leak.md tells how the verdict is reached, and what each word means.

On a dump that cannot tell, it says why and what to ask for. This command is rkd's own; its rows are of the kinds pool, group,
suspect, advice and verdict (one for each pool that is talked about), in Rhai as leak(). rkd run pool-leak does the same for many
dumps.",
    examples: &[Example {
        line: "!leak",
        shows: "the article's machine",
        output: "\
The pools            pages         tags large blocks    of memory
  nonpaged         4.7 GiB      4.7 GiB      4.7 GiB       60.1 %   too large: more than 10 %
  paged          128.5 MiB    112.2 MiB      6.6 MiB        1.6 %

The tag
  Leak holds 4.6 GiB, 97.9 % of nonpaged pool, in 119 allocations of 40.0 MiB; not one was freed since the start
  that is 1.4 GiB an hour, if it grew evenly since the start 3.2 hours ago

The owner
myfault.sys: proven (E1)   \\??\\C:\\Windows\\system32\\drivers\\myfault.sys
    the tag is the only value that reaches ExAllocatePoolWithTag at 2 sites
  E1: nonpaged pool
fffff807`47f515c5 41b84c65616b    mov     r8d,6B61654Ch             ; 'Leak'
fffff807`47f515d2 ff15a01a0000    call    qword ptr [myfault+0x3078 (fffff807`47f53078)] ; ExAllocatePoolWithTag
  E1: paged pool
fffff807`47f51557 41b84c65616b    mov     r8d,6B61654Ch             ; 'Leak'
fffff807`47f51566 ff150c1b0000    call    qword ptr [myfault+0x3078 (fffff807`47f53078)] ; ExAllocatePoolWithTag

What to do next
  - lmvm myfault tells its maker and build: look for an update, or remove it
  - to see which of its allocations are never freed: verifier /flags 0x8 /driver myfault.sys, restart, and !verifier 3 myfault.sys in the next dump
  - a second dump or a PoolMon log and !pooldiff tell how fast 'Leak' grows

The verdict
  myfault.sys leaks nonpaged pool, proven: 119 allocations of 40.0 MiB with the tag Leak hold 4.6 GiB, 97.9 % of nonpaged pool; not one was freed since the start.",
    }],
    rows: &[
        PoolRow::SCHEMA,
        MemberRow::SCHEMA,
        SuspectRow::SCHEMA,
        AdviceRow::SCHEMA,
        VerdictRow::SCHEMA,
    ],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let asked = args.tags("Tag").and_then(Tags::one);
    let kernel = session.target.kernel.clone();
    let books = match Books::read(&kernel) {
        Ok(books) => books,
        Err(why) => return without_books(session, asked, why, out),
    };
    let asked = match asked {
        None => None,
        Some(tag) => match used(tag, &books.tags) {
            Some(usage) => Some(*usage),
            None => return Err(Error::NotFound(nothing_under(tag, &books.tags))),
        },
    };
    pools(&books, out)?;
    let types = leak::ObjectTypes::of(&kernel);
    let case = leak::weigh(&books, &types, asked.as_ref());
    let inquiry = match case.questions() {
        questions if questions.is_empty() => None,
        questions => Some(poolowner::ask(
            session,
            &questions,
            &Request::default(),
            out,
        )?),
    };
    let verdict = case.decide(&kernel, &books, inquiry);
    for pool in &verdict.pools {
        tags(session, &verdict, pool, out)?;
    }
    conclude(&verdict, out)?;
    remarks(&verdict, out)
}

fn used(tag: Tag, known: &[TagUse]) -> Option<&TagUse> {
    let same = |usage: &&TagUse| usage.tag.without_protection() == tag.without_protection();
    known
        .iter()
        .find(|usage| usage.tag == tag)
        .or_else(|| known.iter().find(same))
}

fn nothing_under(tag: Tag, known: &[TagUse]) -> String {
    match poolowner::twins(tag, known).as_slice() {
        [] => format!("Nothing is allocated with the tag '{tag}'."),
        twins => format!(
            "Nothing is allocated with the tag '{tag}'; did you mean {}? Upper and lower case differ.",
            twins.join(" or ")
        ),
    }
}

/// Both pools in the three books.
///
/// # Errors
/// Those of the sink.
pub fn pools(books: &Books, out: &mut dyn Sink) -> Result<()> {
    out.text("The pools            pages         tags large blocks    of memory")?;
    for pool in &books.pools {
        out.row(&PoolRow::new(pool))?;
    }
    Ok(())
}

/// The tag in question, or the group of tags, and whose they are.
fn tags(
    session: &Session,
    verdict: &Verdict,
    pool: &PoolVerdict,
    out: &mut dyn Sink,
) -> Result<()> {
    let group = pool.group.and_then(|number| verdict.groups.get(number));
    if let Some(holder) = &pool.holder {
        let title = match pool.outcome {
            Outcome::Leak | Outcome::Asked => "The tag",
            Outcome::Lockstep | Outcome::Spread | Outcome::None => "The largest tag",
        };
        out.text(&format!("\n{title}\n{}", rows::holder(session, holder)))?;
    }
    if let Some(group) = group {
        out.text(&format!(
            "\nTags in step, about {} blocks each\n{}",
            group.count,
            rows::MEMBERS
        ))?;
        for member in &group.members {
            out.row(&MemberRow::new(group.count, member))?;
        }
    }
    if verdict.confidence(pool).is_none() {
        return Ok(());
    }
    if let (Some(holder), None) = (&pool.holder, group)
        && let Some(kind) = &holder.object_type
    {
        return out.text(&format!("\nThe owner\n{}", rows::objects(kind)));
    }
    out.text("\nThe owner")?;
    let named: Vec<_> = verdict.suspects_of(pool).collect();
    let acquitted: Vec<_> = verdict.acquitted_of(pool).collect();
    for (number, suspect) in named.iter().chain(&acquitted).enumerate() {
        out.row(&SuspectRow::new(session, verdict, suspect, number))?;
    }
    match named.is_empty() && acquitted.is_empty() {
        true => out.text("  no module is seen to allocate under the tag"),
        false => Ok(()),
    }
}

fn conclude(verdict: &Verdict, out: &mut dyn Sink) -> Result<()> {
    out.text("\nWhat to do next")?;
    for step in &verdict.advice {
        out.row(&AdviceRow { step: step.clone() })?;
    }
    out.text("\nThe verdict")?;
    for pool in &verdict.pools {
        out.row(&VerdictRow::new(verdict, pool))?;
    }
    Ok(())
}

fn remarks(verdict: &Verdict, out: &mut dyn Sink) -> Result<()> {
    let said = verdict.remarks.iter().chain(&verdict.missing);
    said.into_iter().try_for_each(|said| out.note(said))
}

/// A dump that does not say who holds what: what can still be said of a tag, and the reason as the error. Only an owner
/// that is proven is an answer without the counters.
fn without_books(
    session: &mut Session,
    asked: Option<Tag>,
    why: Error,
    out: &mut dyn Sink,
) -> Result<()> {
    let kernel = session.target.kernel.clone();
    out.text("The pools\n  this dump does not say who holds how much")?;
    let inquiry = match asked {
        Some(tag) => {
            let question = Question { tag, held: None };
            Some(poolowner::ask(
                session,
                &[question],
                &Request::default(),
                out,
            )?)
        }
        None => None,
    };
    let verdict = Verdict::without_books(&kernel, asked, &why, inquiry);
    if asked.is_some() {
        out.text("\nThe owner")?;
        for (number, suspect) in verdict.suspects.iter().enumerate() {
            out.row(&SuspectRow::new(session, &verdict, suspect, number))?;
        }
        if verdict.suspects.is_empty() {
            out.text("  no module is seen to allocate under the tag")?;
        }
    }
    conclude(&verdict, out)?;
    out.row(&VerdictRow::without_books(&verdict, &why))?;
    let proven = verdict
        .suspects
        .iter()
        .any(|suspect| suspect.confidence.is_proven());
    // The reason itself is the error, or stands in the sentence.
    let missing = verdict.missing.iter().skip(1);
    for said in verdict.remarks.iter().chain(missing) {
        out.note(said)?;
    }
    match proven {
        true => Ok(()),
        false => Err(why),
    }
}
