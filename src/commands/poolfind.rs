//! `!poolfind`: where the blocks of a tag are – the large ones from their table at once, the small ones by their headers.

use crate::command::signature::{Flag, Item, Kind, Signature, Tags, Unknown, given};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic, sink};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::Kernel;
use rkd_kernel::found::Found;
use rkd_kernel::pool::headers::{GRANULE, HeaderLayout, LargeBlocks, scan};
use rkd_kernel::pool::regions::{Region, regions};
use rkd_kernel::pool::{BigBlock, BigTable, Tag};

/// `!poolfind`: where the blocks of a tag are.
pub static COMMAND: Command = Command {
    name: "!poolfind",
    aliases: &[],
    rhai: "poolfind",
    topic: Topic::Pool,
    summary: "where the blocks of a tag are",
    grammar: Grammar::Signature(Signature {
        unknown: Unknown::RkdHasNo,
        ..Signature::of(&[
            Item::required("Tag", Kind::Tags, "a tag"),
            Item::OneOf(&[
                Flag { also: "0", ..Flag::new("-nonpaged", "the nonpaged pool only, as 0 behind the tag") },
                Flag { also: "1", ..Flag::new("-paged", "the paged pool only, as 1 behind the tag") },
            ]),
            Item::OneOf(&[
                Flag::new("-small", "blocks with a header only"),
                Flag::new("-large", "blocks of the big-page table only"),
            ]),
            Item::Idle(&["-global", "-tag"]),
        ])
    }),
    help: "\
Lists the blocks of a tag (case-sensitive; * and ? allowed): first the large ones, from the kernel's own table, then small ones by
their pool headers, page by page through the parts of the pool that are in the dump.

A header is no proof: it stays behind when a block is freed. The note at the end says how many blocks the tracker counts and how
much of the pool was there to be searched, so that \"found 2 of 300\" has a reason.",
    examples: &[Example {
        line: "!poolfind Leak -nonpaged -large",
        shows: "the large blocks of a tag",
        output: "
Scanning large pool allocation table for tag 0x6b61654c (Leak) (ffff9100002d7000 : ffff9100002ef000)

ffff9100e7861000 : tag Leak, size 0x2800000, Nonpaged pool
ffff910135333000 : tag Leak, size 0x2800000, Nonpaged pool
...",
    }],
    rows: &[Block::SCHEMA],
    run,
};

struct Request {
    tags: Tags,
    paged: Option<bool>,
    small: bool,
    large: bool,
}

impl Request {
    fn of(args: &Args) -> Result<Request> {
        let pool = args
            .flags()
            .rfind(|flag| matches!(*flag, "paged" | "nonpaged"));
        Ok(Request {
            tags: given(args.tags("Tag"))?.clone(),
            paged: pool.map(|pool| pool == "paged"),
            small: !args.has("large"),
            large: !args.has("small"),
        })
    }

    fn wants_pool(&self, paged: bool) -> bool {
        self.paged.is_none_or(|wanted| wanted == paged)
    }

    /// kd names the tag as a number and as text.
    fn title(&self) -> String {
        let typed = self.tags.to_string();
        let tag = self.tags.one().or_else(|| Tag::parse(&typed).ok());
        format!("tag {:#x} ({typed})", tag.map_or(0, Tag::to_u32))
    }
}

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let request = Request::of(args)?;
    let kernel = session.target.kernel.clone();
    let table = BigTable::of(&kernel)?;
    out.table(Block::SCHEMA)?;
    let (blocks, mut found) = large(session, &kernel, &table, &request, out)?;
    let mut pages = 0;
    if request.small {
        for region in regions(&kernel)?
            .into_iter()
            .filter(|region| request.wants_pool(region.paged))
        {
            pages += small(session, &kernel, region, &blocks, &request, &mut found, out)?;
        }
    }
    let account = Found::new(
        &kernel,
        |tag| request.tags.matches(tag),
        request.paged,
        found,
        request.small.then_some(pages),
    );
    out.note(&account.to_string())
}

fn large(
    session: &Session,
    kernel: &Kernel,
    table: &BigTable,
    request: &Request,
    out: &mut dyn Sink,
) -> Result<(LargeBlocks, u64)> {
    if request.large {
        out.text(&format!(
            "\nScanning large pool allocation table for {} ({:x} : {:x})\n",
            request.title(),
            table.start,
            table.end()
        ))?;
    }
    let (mut all, mut found): (Vec<BigBlock>, u64) = (Vec::new(), 0);
    for batch in table.batches(kernel) {
        sink::check(&session.control.stop)?;
        for block in batch.blocks {
            all.push(block);
            if request.large
                && request.wants_pool(block.is_paged())
                && request.tags.matches(block.tag)
            {
                found += 1;
                out.row(&Block {
                    va: block.va,
                    tag: block.tag,
                    bytes: block.bytes,
                    pool: block.pool(),
                    source: "big_page_table",
                })?;
            }
        }
    }
    Ok((LargeBlocks::of(all.iter()), found))
}

fn small(
    session: &Session,
    kernel: &Kernel,
    region: Region,
    blocks: &LargeBlocks,
    request: &Request,
    found: &mut u64,
    out: &mut dyn Sink,
) -> Result<u64> {
    let layout = HeaderLayout::of(kernel)?;
    let name = if region.paged { "paged" } else { "nonpaged" };
    let end = region.start + region.bytes;
    out.text(&format!(
        "\nSearching {name} pool ({:x} : {end:x}) for {}\n",
        region.start,
        request.title()
    ))?;
    let mut seen = 0;
    scan(
        kernel,
        region,
        blocks,
        &session.control.stop,
        |page, bytes| {
            seen += 1;
            if seen % 1024 == 0 {
                out.progress(seen, 0, "pages")?;
            }
            for block in layout.candidates(page, bytes, region, |tag| request.tags.matches(tag)) {
                *found += 1;
                let pool = if block.paged {
                    "Paged pool"
                } else {
                    "Nonpaged pool"
                };
                out.row(&Block {
                    va: block.header + GRANULE,
                    tag: block.tag,
                    bytes: block.bytes,
                    pool,
                    source: "header",
                })?;
            }
            Ok(())
        },
    )
}

/// A block of pool.
#[derive(Row)]
#[row(kind = "pool_block")]
struct Block {
    /// Where its contents begin.
    va: Virt,
    /// Its tag.
    tag: Tag,
    /// Its size.
    bytes: u64,
    /// The pool, in kd's words.
    pool: &'static str,
    /// What it was found by: `big_page_table` or `header`.
    source: &'static str,
}

impl KdLine for Block {
    /// kd prints a zero without its prefix.
    fn line(&self) -> String {
        let size = if self.bytes == 0 {
            "0".to_string()
        } else {
            format!("{:#x}", self.bytes)
        };
        format!(
            "{:x} : tag {}, size {size:>9}, {}",
            self.va, self.tag, self.pool
        )
    }
}
