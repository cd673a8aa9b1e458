//! `!poolowner *`: the owners of all tags in use, a line a tag.

use super::request::Request;
use super::row::{OwnerRow, pool_word};
use crate::command::Sink;
use crate::command::signature::Tags;
use crate::session::Session;
use rkd_dump::error::Result;
use rkd_kernel::owners::{Answer, Question, Suspect};
use rkd_kernel::pool::TagUse;
use rkd_pooltags::api::Pool;

/// Owners that a line names before it only counts them.
const NAMED: usize = 3;

pub(super) fn run(
    session: &mut Session,
    wanted: &Tags,
    request: &Request,
    known: &[TagUse],
    out: &mut dyn Sink,
) -> Result<()> {
    let holds = |usage: &&TagUse| bytes(usage) > 0 || outstanding(usage) > 0;
    let fits = |usage: &&TagUse| wanted.matches(usage.tag);
    let mut tags: Vec<TagUse> = known.iter().filter(holds).filter(fits).copied().collect();
    tags.sort_by_key(|usage| {
        std::cmp::Reverse((usage.nonpaged.bytes as i64).max(usage.paged.bytes as i64))
    });
    out.table(OwnerRow::SCHEMA)?;
    if tags.is_empty() {
        return out.note("no tag in use fits; !poolused lists those that are in use");
    }
    let all = tags.len();
    tags.truncate(request.most.unwrap_or(usize::MAX));
    let questions: Vec<Question> = tags
        .iter()
        .map(|usage| Question {
            tag: usage.tag,
            held: Some(*usage),
        })
        .collect();
    let inquiry = super::ask(session, &questions, request, out)?;
    out.text(" Tag  Pool            Bytes     Allocs  Confidence            Owner\n")?;
    let mut named = 0;
    for answer in &inquiry.answers {
        let line = line(answer);
        named += usize::from(answer.is_proven());
        let rows = answer.suspects.iter().enumerate();
        for (number, suspect) in rows {
            // One line a tag; who wants more of it asks for the tag. Programs get every suspect.
            let text = if number == 0 {
                line.clone()
            } else {
                String::new()
            };
            out.row(&OwnerRow::new(session, answer, suspect, number, false).with_text(text))?;
        }
        if answer.suspects.is_empty() {
            out.row(&OwnerRow::nobody(session, answer).with_text(line))?;
        }
    }
    if all > questions.len() {
        out.note(&format!(
            "the first {} of {all} tags in use",
            questions.len()
        ))?;
    }
    out.note(&format!(
        "{named} of {} tags have a proven owner",
        questions.len()
    ))?;
    for said in inquiry.account.sentences() {
        out.note(&said)?;
    }
    Ok(())
}

fn bytes(usage: &TagUse) -> i64 {
    (usage.nonpaged.bytes as i64).saturating_add(usage.paged.bytes as i64)
}

fn outstanding(usage: &TagUse) -> u64 {
    usage
        .nonpaged
        .outstanding()
        .saturating_add(usage.paged.outstanding())
}

fn line(answer: &Answer) -> String {
    let held = answer.question.held.as_ref();
    let pool = match answer.question.pool() {
        Some(pool) => pool_word(pool),
        None => "-",
    };
    let (bytes, allocs) = match (held, answer.question.pool()) {
        (Some(usage), Some(Pool::Paged)) => (usage.paged.bytes, usage.paged.outstanding()),
        (Some(usage), _) => (usage.nonpaged.bytes, usage.nonpaged.outstanding()),
        (None, _) => (0, 0),
    };
    let (word, owner) = owners(answer);
    let line = format!(
        " {:<4} {pool:<8} {:>12} {allocs:>10}  {word:<21} {owner}",
        answer.question.tag, bytes as i64
    );
    line.trim_end().to_owned()
}

fn owners(answer: &Answer) -> (&'static str, String) {
    let Some(best) = answer.suspects.first() else {
        return ("unknown", String::new());
    };
    // Those that are as strong as the best one.
    let equal = |s: &&Suspect| s.is_proven() == best.is_proven() && s.explains <= best.explains;
    let equal: Vec<&Suspect> = answer.suspects.iter().filter(equal).collect();
    let names: Vec<&str> = equal
        .iter()
        .take(NAMED)
        .map(|s| s.module.image_name.as_str())
        .collect();
    let mut text = names.join(", ");
    if equal.len() > NAMED {
        text += &format!(" and {} more", equal.len() - NAMED);
    }
    if let ([_], Some(call)) = (equal.as_slice(), best.claims.first()) {
        text += &format!("  {}", call.site.api);
    }
    (best.word(), text)
}
