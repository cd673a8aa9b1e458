//! What `!leak` shows.

use super::{pool_of, sentence};
use crate::command::{Record, Row, Value};
use crate::commands::poolowner::row::pool_word;
use crate::session::Session;
use rkd_dump::error::Error;
use rkd_kernel::leak::{self, Books, Finding, Holder, PoolBooks, books::human};
use rkd_kernel::owners::Answer;

/// A pool, in three books.
pub(super) struct PoolRow(pub PoolBooks);

impl Row for PoolRow {
    fn kind(&self) -> &'static str {
        "pool"
    }

    fn record(&self) -> Record {
        let PoolRow(pool) = self;
        vec![
            ("pool", pool_word(pool.pool).into()),
            ("pages_bytes", Value::or_absent(pool.pages.clone())),
            ("tags_bytes", pool.tags.into()),
            ("large_bytes", Value::or_absent(pool.large.clone())),
            (
                "share",
                pool.share.map_or(
                    Value::Absent("the dump does not say how much memory there was".into()),
                    Value::F64,
                ),
            ),
            ("limit", Value::F64(pool.limit())),
            ("abnormal", pool.is_abnormal().into()),
            (
                "differences",
                Value::List(pool.differences().into_iter().map(Value::from).collect()),
            ),
        ]
    }

    fn text(&self) -> String {
        let PoolRow(pool) = self;
        let size =
            |bytes: &Result<u64, Error>| bytes.as_ref().map_or("-".to_owned(), |b| human(*b));
        let share = pool
            .share
            .map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0));
        let verdict = match pool.is_abnormal() {
            true => format!("   too large: more than {:.0} %", pool.limit() * 100.0),
            false => String::new(),
        };
        format!(
            "  {:<9} {:>14} {:>12} {:>12} {share:>12}{verdict}",
            pool_word(pool.pool),
            size(&pool.pages),
            human(pool.tags),
            size(&pool.large),
        )
    }
}

/// The tag in question, in a few words.
pub(super) fn holder(session: &Session, holder: &Holder) -> String {
    let held = holder.held();
    let tag = holder.usage.tag;
    let share = holder.share.map_or(String::new(), |share| {
        format!(
            ", {:.1} % of {} pool",
            share * 100.0,
            pool_word(holder.pool)
        )
    });
    let each = holder
        .each()
        .map_or(String::new(), |each| format!(" of {}", human(each)));
    let mut text = format!(
        "  {tag} holds {}{share}, in {} allocations{each}; {}",
        human(held.bytes),
        held.outstanding(),
        holder.frees()
    );
    let uptime = session.target.kernel.located().up_time.get();
    if let Some(hours) = uptime
        .map(|ticks| ticks as f64 / 36_000_000_000.0)
        .filter(|h| *h > 0.01)
    {
        let rate = human((held.bytes as f64 / hours) as u64);
        text += &format!(
            "\n  that is {rate} an hour, if it grew evenly since the start {hours:.1} hours ago"
        );
    }
    if let Some(name) = session.target.tag_names.find(tag) {
        text += &format!("\n  the list of tags says: {}", name.describe().trim_end());
    }
    text
}

/// A step.
pub(super) struct AdviceRow(pub String);

impl Row for AdviceRow {
    fn kind(&self) -> &'static str {
        "advice"
    }

    fn record(&self) -> Record {
        vec![("step", self.0.as_str().into())]
    }

    fn text(&self) -> String {
        format!("  - {}", self.0)
    }
}

/// What it all comes to.
pub(super) struct VerdictRow {
    record: Record,
    text: String,
}

impl VerdictRow {
    pub(super) fn new(books: &Books, finding: &Finding, answer: Option<&Answer>) -> VerdictRow {
        let sentence = sentence(books, finding, answer);
        let absent = |why: &str| Value::Absent(why.into());
        let best = answer.and_then(|answer| answer.suspects.first());
        let suspect = best.filter(|suspect| suspect.explains != rkd_kernel::owners::Explains::No);
        let holder = finding.holder.as_ref();
        let of = |value: Option<Value>, why: &str| value.unwrap_or_else(|| absent(why));
        let nothing = "nothing is allocated";
        VerdictRow {
            record: vec![
                ("verdict", finding.verdict.word().into()),
                ("pool", pool_of(finding).into()),
                ("pool_bytes", books.of(finding.pool).size().into()),
                (
                    "tag",
                    of(holder.map(|h| h.usage.tag.to_string().into()), nothing),
                ),
                (
                    "tag_bytes",
                    of(holder.map(|h| h.held().bytes.into()), nothing),
                ),
                (
                    "tag_allocations",
                    of(holder.map(|h| h.held().outstanding().into()), nothing),
                ),
                (
                    "tag_frees",
                    of(holder.map(|h| h.held().frees.into()), nothing),
                ),
                (
                    "tag_share",
                    of(holder.and_then(|h| h.share.map(Value::F64)), nothing),
                ),
                (
                    "suspect",
                    of(
                        suspect.map(|s| s.module.name.as_str().into()),
                        "nobody was looked for, or found",
                    ),
                ),
                (
                    "confidence",
                    of(
                        answer.map(|a| leak::confidence(a).into()),
                        "nobody was looked for",
                    ),
                ),
                ("sentence", sentence.as_str().into()),
            ],
            text: format!("  {sentence}"),
        }
    }

    /// A dump that cannot tell. The screen leaves the reason to the error that follows.
    pub(super) fn cannot_tell(why: &str) -> VerdictRow {
        let names = [
            "pool",
            "pool_bytes",
            "tag",
            "tag_bytes",
            "tag_allocations",
            "tag_frees",
            "tag_share",
            "suspect",
        ];
        let short = "This dump cannot tell who uses the pool";
        let sentence = format!("{short}: {why}");
        let mut record: Record = vec![("verdict", "unknown".into())];
        record.extend(
            names
                .into_iter()
                .map(|name| (name, Value::Absent(why.to_owned()))),
        );
        record.push(("confidence", "unknown".into()));
        record.push(("sentence", sentence.as_str().into()));
        VerdictRow {
            record,
            text: format!("  {short}"),
        }
    }

    /// Who allocates under the tag is proven by code, and how much that is cannot be told.
    pub(super) fn without_figures(answer: &Answer, why: &str) -> VerdictRow {
        let proven: Vec<&str> = answer
            .proven()
            .map(|suspect| suspect.module.image_name.as_str())
            .collect();
        let sentence = format!(
            "Proven to allocate under '{}': {}. How much that is this dump cannot tell: {why}",
            answer.question.tag,
            proven.join(", ")
        );
        let mut row = VerdictRow::cannot_tell(why);
        for (name, value) in &mut row.record {
            *value = match *name {
                "tag" => answer.question.tag.to_string().into(),
                "confidence" => leak::confidence(answer).into(),
                "sentence" => sentence.as_str().into(),
                "suspect" => match answer.suspects.first() {
                    Some(suspect) => suspect.module.name.as_str().into(),
                    None => continue,
                },
                _ => continue,
            };
        }
        row.text = format!("  {sentence}");
        row
    }
}

impl Row for VerdictRow {
    fn kind(&self) -> &'static str {
        "verdict"
    }

    fn record(&self) -> Record {
        self.record.clone()
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}
