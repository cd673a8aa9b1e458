//! `!poolscan`: how many blocks of each tag the pool's own pages show, beside what the tracker counts. Ours.

use crate::command::signature::{Item, Kind, Signature};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic, sink};
use crate::session::Session;
use rkd_dump::error::Result;
use rkd_kernel::found::Found;
use rkd_kernel::pool::headers::{HeaderLayout, LargeBlocks, scan};
use rkd_kernel::pool::regions::regions;
use rkd_kernel::pool::tracker::tracker;
use rkd_kernel::pool::{BigTable, Tag};
use std::collections::BTreeMap;

/// `!poolscan`: count pool blocks by their headers, per tag.
pub static COMMAND: Command = Command {
    name: "!poolscan",
    aliases: &[],
    rhai: "poolscan",
    topic: Topic::Pool,
    summary: "count pool blocks by their headers, per tag",
    grammar: Grammar::Signature(Signature {
        wants: "takes one tag",
        ..Signature::of(&[Item::optional("TagString", Kind::Tags, "the tags that are counted: * and ? allowed")])
    }),
    help: "\
Goes through every page of pool that is in the dump, counts the blocks of each tag by their headers and adds the large blocks of
the big-page table, and shows the sum beside the number that the tracker counts as outstanding. Only tags that the tracker knows
are counted, which leaves hardly any chance hits; headers of freed blocks that nobody has written over do count.

This command is rkd's own.",
    examples: &[Example {
        line: "!poolscan Leak",
        shows: "one tag",
        output: " Tag      Small     Large        Bytes    Tracked
 Leak         0       119   4991221760        119",
    }],
    rows: &[TagCount::SCHEMA],
    run,
};

/// What was found of a tag.
#[derive(Clone, Copy, Default)]
struct Count {
    small: u64,
    large: u64,
    bytes: u64,
    tracked: u64,
}

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let kernel = session.target.kernel.clone();
    let tags = args.tags("TagString");
    let wanted = |tag: Tag| tags.is_none_or(|tags| tags.matches(tag));
    let mut counts: BTreeMap<Tag, Count> = BTreeMap::new();
    for tag in tracker(&kernel)?.tags.iter().filter(|tag| wanted(tag.tag)) {
        let tracked = tag.nonpaged.outstanding() + tag.paged.outstanding();
        counts.insert(
            tag.tag,
            Count {
                tracked,
                ..Count::default()
            },
        );
    }
    let table = BigTable::of(&kernel)?;
    let mut blocks = Vec::new();
    for batch in table.batches(&kernel) {
        sink::check(&session.control.stop)?;
        for block in batch.blocks {
            blocks.push(block);
            if let Some(count) = counts.get_mut(&block.tag) {
                count.large += 1;
                count.bytes = count.bytes.wrapping_add(block.bytes);
            }
        }
    }
    let large = LargeBlocks::of(blocks.iter());
    let layout = HeaderLayout::of(&kernel)?;
    let mut pages = 0;
    for region in regions(&kernel)? {
        let mut found = Vec::new();
        pages += scan(
            &kernel,
            region,
            &large,
            &session.control.stop,
            |page, bytes| {
                found.extend(
                    layout.candidates(page, bytes, region, |tag| counts.contains_key(&tag)),
                );
                for block in found.drain(..) {
                    if let Some(count) = counts.get_mut(&block.tag) {
                        count.small += 1;
                        count.bytes = count.bytes.wrapping_add(block.bytes);
                    }
                }
                Ok(())
            },
        )?;
    }
    out.table(TagCount::SCHEMA)?;
    out.text(" Tag      Small     Large        Bytes    Tracked")?;
    let mut rows: Vec<(Tag, Count)> = counts
        .into_iter()
        .filter(|(_, count)| count.tracked + count.small + count.large != 0)
        .collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.bytes));
    rows.iter().try_for_each(|(tag, count)| {
        out.row(&TagCount {
            tag: *tag,
            small_blocks: count.small,
            large_blocks: count.large,
            bytes: count.bytes,
            tracked_blocks: count.tracked,
        })
    })?;
    let found = rows
        .iter()
        .fold(0, |sum: u64, (_, count)| sum + count.small + count.large);
    out.note(&Found::new(&kernel, wanted, None, found, Some(pages)).to_string())
}

/// The blocks of a tag that were found.
#[derive(Row)]
#[row(kind = "tag_count")]
struct TagCount {
    /// The tag.
    tag: Tag,
    /// Blocks with a pool header.
    small_blocks: u64,
    /// Blocks of the table of large blocks.
    large_blocks: u64,
    /// What all of them hold.
    bytes: u64,
    /// How many blocks the tracker counts.
    tracked_blocks: u64,
}

impl KdLine for TagCount {
    fn line(&self) -> String {
        format!(
            " {} {:>9} {:>9} {:>12} {:>10}",
            self.tag, self.small_blocks, self.large_blocks, self.bytes, self.tracked_blocks
        )
    }
}
