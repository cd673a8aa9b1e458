//! `!leak`: from the counters to a verdict in one command. Ours.

mod rows;

use crate::command::signature::{Item, Kind, Signature, Tags};
use crate::command::{Args, Command, Example, Grammar, Sink, Topic};
use crate::commands::poolowner::row::{OwnerRow, pool_word};
use crate::commands::poolowner::{self, Request};
use crate::session::Session;
use rkd_dump::error::{Error, Result};
use rkd_kernel::leak::{self, Books, Finding, Verdict, advice, books::human};
use rkd_kernel::owners::{Answer, Inquiry, Outcome};
use rkd_kernel::pool::{Tag, TagUse};
use rkd_pooltags::api::Pool;
use rows::{AdviceRow, PoolRow, VerdictRow};

/// See the module.
pub static COMMAND: Command = Command {
    name: "!leak",
    aliases: &[],
    rhai: "leak",
    topic: Topic::Pool,
    summary: "is there a pool leak, whose, how sure, and what next",
    grammar: Grammar::Signature(Signature {
        wants: "wants one tag or none",
        ..Signature::of(&[Item::optional("Tag", Kind::Tag, "a tag")])
    }),
    help: "\
Goes the whole way from the counters to a verdict: which pool is too large (!vm), which tag holds it (!poolused), whose tag that is
(!poolowner), how sure all this is, and what to do next. With Tag, the same for a tag of your own choice.

A pool is too large when nonpaged pool is more than 10 % of the memory, paged pool more than 20 %; a tag stands out when it holds
more than 40 % of its pool. The three books that Windows keeps of its pools - pages, tags, large blocks - are compared, and what
they differ by is explained. A single dump cannot tell a leak from a heavy load for certain: how much of what was ever allocated
was freed is the best hint, and two dumps (!pooldiff) are proof.

On a dump that cannot tell, it says why and what to ask for. This command is rkd's own; its rows are of the kinds pool, owner,
advice and verdict, in Rhai as leak(). rkd run pool-leak does the same for many dumps.",
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
    rows: &[],
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
    let finding = leak::weigh(&books, asked.as_ref());
    pools(&books, out)?;
    let inquiry = match (&finding.verdict, finding.holder) {
        (Verdict::Leak | Verdict::Asked, Some(holder)) => {
            out.text(&format!("\nThe tag\n{}", rows::holder(session, &holder)))?;
            let request = Request::default();
            Some(poolowner::ask(
                session,
                &[holder.question()],
                &request,
                out,
            )?)
        }
        (_, Some(holder)) => {
            out.text(&format!(
                "\nThe largest tag\n{}",
                rows::holder(session, &holder)
            ))?;
            None
        }
        (_, None) => None,
    };
    let answer = inquiry.as_ref().and_then(|inquiry| inquiry.answers.first());
    if let Some(answer) = answer {
        owners(session, answer, out)?;
    }
    out.text("\nWhat to do next")?;
    for step in advice::advice(&kernel, &finding, answer) {
        out.row(&AdviceRow(step))?;
    }
    out.text("\nThe verdict")?;
    out.row(&VerdictRow::new(&books, &finding, answer))?;
    remarks(&books, &finding, inquiry.as_ref(), out)?;
    Ok(())
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

fn pools(books: &Books, out: &mut dyn Sink) -> Result<()> {
    out.text("The pools            pages         tags large blocks    of memory")?;
    for pool in &books.pools {
        out.row(&PoolRow(pool.clone()))?;
    }
    Ok(())
}

fn owners(session: &Session, answer: &Answer, out: &mut dyn Sink) -> Result<()> {
    out.text("\nThe owner")?;
    for (number, suspect) in answer.suspects.iter().enumerate() {
        out.row(&OwnerRow::new(session, answer, suspect, number, false))?;
    }
    if answer.suspects.is_empty() {
        let nobody = OwnerRow::nobody(session, answer);
        out.row(&nobody.with_text("  no module is seen to allocate under the tag".to_owned()))?;
    }
    for gone in answer.gone.iter().filter(|gone| gone.is_suspect()) {
        out.text(&format!("  {}", poolowner::suspicion(gone)))?;
    }
    Ok(())
}

fn remarks(
    books: &Books,
    finding: &Finding,
    inquiry: Option<&Inquiry>,
    out: &mut dyn Sink,
) -> Result<()> {
    for pool in &books.pools {
        for difference in pool.differences() {
            out.note(&difference)?;
        }
    }
    if let Some(inquiry) = inquiry {
        let proven = inquiry.answers.first().is_some_and(Answer::is_proven);
        match proven {
            true => out.note(&inquiry.account.short())?,
            false => {
                for said in inquiry.account.sentences() {
                    out.note(&said)?;
                }
            }
        }
    }
    let holder = finding.holder.filter(|_| finding.verdict == Verdict::Leak);
    if holder.is_some_and(|holder| !holder.piles_up()) {
        out.note("much of what the tag ever held was freed again: it may be a heavy load, and one dump cannot tell")?;
    }
    books.notes.iter().try_for_each(|note| out.note(note))
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
    let mut inquiry = None;
    if let Some(tag) = asked {
        let question = rkd_kernel::owners::Question { tag, held: None };
        let found = poolowner::ask(session, &[question], &Request::default(), out)?;
        if let Some(answer) = found.answers.first() {
            owners(session, answer, out)?;
        }
        inquiry = Some(found);
    }
    out.text("\nWhat to do next")?;
    for step in next_without_books(&kernel, asked.is_some()) {
        out.row(&AdviceRow(step))?;
    }
    out.text("\nThe verdict")?;
    let answers = inquiry.iter().flat_map(|inquiry| &inquiry.answers);
    let proven = answers.into_iter().find(|answer| answer.is_proven());
    out.row(&match proven {
        Some(answer) => VerdictRow::without_figures(answer, &why.to_string()),
        None => VerdictRow::cannot_tell(&why.to_string()),
    })?;
    if let Some(inquiry) = &inquiry {
        for said in inquiry.account.sentences() {
            out.note(&said)?;
        }
    }
    match proven {
        Some(_) => Ok(()),
        None => Err(why),
    }
}

fn next_without_books(kernel: &rkd_kernel::Kernel, is_asked: bool) -> Vec<String> {
    let mut steps = Vec::new();
    if kernel.dump().triage().is_some() {
        steps.push(
            "set the machine to write kernel memory dumps (System Properties, Startup and Recovery), or take a live kernel dump with \
             Task Manager while it leaks"
                .to_owned(),
        );
    } else if kernel.table().is_err() {
        let nt = kernel
            .modules()
            .first()
            .and_then(|nt| kernel.pdb_of(nt).ok());
        steps.push(match nt {
            Some(id) => format!(
                "nt's symbols are needed: {} {}{:X} on the symbol path (.sympath, then .reload)",
                id.name, id.guid, id.age
            ),
            None => "nt's symbols are needed, and the dump does not even say which".to_owned(),
        });
    } else {
        steps.push(
            "the pages with the pool tracker are not in the dump: ask for a complete or a new dump"
                .to_owned(),
        );
    }
    if !is_asked {
        steps.push("!leak Tag looks for the owner of a tag that you know from PoolMon".to_owned());
    }
    steps
}

/// The sentence of the verdict.
fn sentence(books: &Books, finding: &Finding, answer: Option<&Answer>) -> String {
    let pool = pool_word(finding.pool);
    let size = human(books.of(finding.pool).size());
    let Some(holder) = finding.holder else {
        return "Nothing is allocated from either pool, which cannot be: the books are damaged."
            .to_owned();
    };
    let tag = holder.usage.tag;
    let held = holder.held();
    let part = match holder.share {
        Some(share) => format!("{:.1} % of {pool} pool", share * 100.0),
        None => format!("of {pool} pool"),
    };
    let blocks = match holder.each() {
        Some(each) => format!("{} allocations of {}", held.outstanding(), human(each)),
        None => format!("{} allocations", held.outstanding()),
    };
    let holds = format!(
        "{blocks} with the tag {tag} hold {}, {part}",
        human(held.bytes)
    );
    match (&finding.verdict, answer) {
        (Verdict::None, _) => format!(
            "Neither pool is larger than usual: {pool}, the larger one, has {size}, and {tag} holds the most of it, {}.",
            human(held.bytes)
        ),
        (Verdict::Spread, _) => format!(
            "The {pool} pool is too large, {size}, but no tag stands out: {tag} holds the most, {part} only."
        ),
        (verdict, Some(answer)) => {
            let does = if *verdict == Verdict::Leak {
                "leaks"
            } else {
                "holds"
            };
            format!("{}: {holds}; {}.", who(answer, does, pool), holder.frees())
        }
        (_, None) => format!("{holds}."),
    }
}

fn who(answer: &Answer, does: &str, pool: &str) -> String {
    let proven: Vec<&str> = answer
        .proven()
        .map(|suspect| suspect.module.image_name.as_str())
        .collect();
    let best = answer.suspects.first();
    match (answer.outcome(), best) {
        (Outcome::Proven, Some(suspect)) if suspect.service().is_some() => format!(
            "{} allocates it ({}), but for others: look for who makes it do so",
            suspect.module.image_name,
            suspect.word()
        ),
        (Outcome::Proven, Some(suspect)) => {
            format!(
                "{} {does} {pool} pool, {}",
                suspect.module.image_name,
                suspect.word()
            )
        }
        (Outcome::Several, _) => format!("One of {} {does} {pool} pool", proven.join(", ")),
        (Outcome::Likely, Some(suspect))
            if suspect.explains != rkd_kernel::owners::Explains::No =>
        {
            format!(
                "{} {does} {pool} pool, {}",
                suspect.module.image_name,
                suspect.word()
            )
        }
        (Outcome::Likely, _) => match answer.gone.iter().find(|gone| gone.is_suspect()) {
            Some(gone) => format!(
                "{}, which was unloaded, has left it behind, likely",
                gone.driver.name
            ),
            None => format!("Who {does} {pool} pool is not known"),
        },
        _ => format!("Who {does} {pool} pool is not known"),
    }
}

/// The pool in words, for rows.
fn pool_of(finding: &Finding) -> &'static str {
    match finding.pool {
        Pool::Nonpaged => "nonpaged",
        Pool::Paged => "paged",
    }
}
