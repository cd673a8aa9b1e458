//! `!bigpool`: the large blocks of pool, their sizes, and what is in them. Ours: kd has nothing like it.

use crate::command::signature::{Item, Kind, Signature, Tags};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic, sink};
use crate::commands::poolused::Description;
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::Kernel;
use rkd_kernel::pool::{BigBlock, BigTable, Tag};
use std::collections::BTreeMap;

/// `!bigpool`: large pool blocks: addresses, sizes, what they hold.
pub static COMMAND: Command = Command {
    name: "!bigpool",
    aliases: &[],
    rhai: "bigpool",
    topic: Topic::Pool,
    summary: "large pool blocks: addresses, sizes, what they hold",
    grammar: Grammar::Signature(Signature {
        wants: "takes one tag",
        ..Signature::of(&[Item::optional("TagString", Kind::Tags, "case-sensitive, * and ? allowed")])
    }),
    help: "\
Reads the table of pool blocks of a page and more (nt!PoolBigPageTable). Without an argument: how much each tag holds in such
blocks. With a tag: each block, then

  how the blocks divide by size – one size points to one place in the code that allocates them;
  how many of their pages are in the dump;
  which modules are pointed at from inside those pages: a clue to the owner when no code is found that passes the tag.

This command is rkd's own.",
    examples: &[Example {
        line: "!bigpool Leak",
        shows: "the blocks of one tag",
        output: "\
ffff9100e7861000 : tag Leak, size 0x2800000, Nonpaged pool
ffff910135333000 : tag Leak, size 0x2800000, Nonpaged pool
ffff91010a9ea000 : tag Leak, size 0x2800000, Nonpaged pool
...",
    }],
    rows: &[TagSum::SCHEMA, BlockRow::SCHEMA, SizeRow::SCHEMA, PointerRow::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let kernel = session.target.kernel.clone();
    let table = BigTable::of(&kernel)?;
    match args.tags("TagString") {
        None => by_tag(session, &kernel, &table, out),
        Some(tags) => blocks(session, &kernel, &table, tags, out),
    }
}

/// Walks the table, and says at the end what of it is not in the dump.
fn each(
    session: &Session,
    kernel: &Kernel,
    table: &BigTable,
    out: &mut dyn Sink,
    mut found: impl FnMut(BigBlock, &mut dyn Sink) -> Result<()>,
) -> Result<()> {
    let (mut missing, mut why, mut seen) = (0, None, 0);
    for batch in table.batches(kernel) {
        sink::check(&session.control.stop)?;
        seen += 4096;
        out.progress(seen, table.entries, "entries")?;
        missing += batch.missing;
        why = why.or(batch.why);
        batch
            .blocks
            .into_iter()
            .try_for_each(|block| found(block, out))?;
    }
    match why {
        Some(fault) => out.note(&format!(
            "{missing} of the table's {} entries are missing: {fault}",
            table.entries
        )),
        None => Ok(()),
    }
}

fn by_tag(session: &Session, kernel: &Kernel, table: &BigTable, out: &mut dyn Sink) -> Result<()> {
    let mut tags: BTreeMap<(Tag, bool), (u64, u64)> = BTreeMap::new();
    each(session, kernel, table, out, |block, _| {
        let sums = tags.entry((block.tag, block.is_paged())).or_default();
        *sums = (sums.0 + 1, sums.1.wrapping_add(block.bytes));
        Ok(())
    })?;
    let mut tags: Vec<_> = tags.into_iter().collect();
    tags.sort_by_key(|(_, (_, bytes))| std::cmp::Reverse(*bytes));
    out.table(TagSum::SCHEMA)?;
    out.text(" Tag  Pool        Blocks         Used")?;
    for ((tag, paged), (blocks, bytes)) in tags {
        out.row(&TagSum {
            tag,
            pool: pool_word(paged),
            blocks,
            bytes,
            description: Description::of(session, tag),
        })?;
    }
    Ok(())
}

fn pool_word(is_paged: bool) -> &'static str {
    if is_paged { "paged" } else { "nonpaged" }
}

/// The large blocks of a tag in one of the pools.
#[derive(Row)]
#[row(kind = "big_tag")]
struct TagSum {
    /// The tag.
    tag: Tag,
    /// `nonpaged` or `paged`.
    pool: &'static str,
    /// How many blocks there are.
    blocks: u64,
    /// What all of them hold.
    bytes: u64,
    /// What the list of tags says of it.
    description: Description,
}

impl KdLine for TagSum {
    fn line(&self) -> String {
        let pool = match self.pool {
            "paged" => "Paged",
            _ => "Nonpaged",
        };
        format!(
            " {} {pool:<8} {:>9} {:>12}\t{}",
            self.tag, self.blocks, self.bytes, self.description
        )
    }
}

fn blocks(
    session: &Session,
    kernel: &Kernel,
    table: &BigTable,
    pattern: &Tags,
    out: &mut dyn Sink,
) -> Result<()> {
    let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
    let mut contents = Contents::new(kernel);
    out.table(BlockRow::SCHEMA)?;
    each(session, kernel, table, out, |block, out| {
        if !pattern.matches(block.tag) {
            return Ok(());
        }
        *sizes.entry(block.bytes).or_default() += 1;
        out.row(&BlockRow {
            va: block.va,
            tag: block.tag,
            bytes: block.bytes,
            pool: pool_word(block.is_paged()),
            pool_type: block.pool_type,
            pages: block.pages(),
            pages_in_dump: contents.look(session, kernel, &block)?,
            kd_pool: block.pool(),
        })
    })?;
    if sizes.is_empty() {
        return out.note("no large block has such a tag: smaller blocks are not in this table");
    }
    out.text("\n         Size    Blocks         Used")?;
    let mut sizes: Vec<(u64, u64)> = sizes.into_iter().collect();
    sizes.sort_by_key(|(size, blocks)| std::cmp::Reverse(size.wrapping_mul(*blocks)));
    for (size, blocks) in sizes {
        out.row(&SizeRow {
            size_bytes: size,
            blocks,
            bytes: size.wrapping_mul(blocks),
        })?;
    }
    contents.tell(out)
}

/// A large block.
#[derive(Row)]
#[row(kind = "big_block")]
struct BlockRow {
    /// Where it begins.
    va: Virt,
    /// Its tag.
    tag: Tag,
    /// Its size.
    bytes: u64,
    /// `nonpaged` or `paged`.
    pool: &'static str,
    /// The kernel's number of the kind of pool.
    pool_type: u64,
    /// Its size in pages.
    pages: u64,
    /// How many of them are in the dump.
    #[row(unit = "pages")]
    pages_in_dump: u64,
    #[row(skip)]
    kd_pool: &'static str,
}

impl KdLine for BlockRow {
    fn line(&self) -> String {
        format!(
            "{:x} : tag {}, size {:>#9x}, {}",
            self.va, self.tag, self.bytes, self.kd_pool
        )
    }
}

/// The blocks of one size.
#[derive(Row)]
#[row(kind = "block_size")]
struct SizeRow {
    /// The size.
    size_bytes: u64,
    /// How many blocks have it.
    blocks: u64,
    /// What all of them hold.
    bytes: u64,
}

impl KdLine for SizeRow {
    fn line(&self) -> String {
        format!(
            " {:>#12x} {:>9} {:>12}",
            self.size_bytes, self.blocks, self.bytes
        )
    }
}

/// Words between two looks at the flag.
const LOOK: usize = 0x1_0000;

/// What the blocks' pages hold: pointers into modules.
struct Contents<'a> {
    /// Ranges of the modules, ascending.
    modules: Vec<(u64, u64, &'a str)>,
    pages: u64,
    present: u64,
    pointers: BTreeMap<&'a str, (u64, Virt, Virt)>,
}

impl<'a> Contents<'a> {
    fn new(kernel: &'a Kernel) -> Contents<'a> {
        let mut modules: Vec<_> = kernel
            .modules()
            .iter()
            .map(|m| (m.base.0, m.end().0, m.name.as_str()))
            .collect();
        modules.sort_unstable();
        Contents {
            modules,
            pages: 0,
            present: 0,
            pointers: BTreeMap::new(),
        }
    }

    /// Looks through a block; answers how many of its pages are in the dump.
    fn look(&mut self, session: &Session, kernel: &Kernel, block: &BigBlock) -> Result<u64> {
        let mut bytes = 0;
        let pieces = kernel.space().mapped(block.va, block.bytes);
        for piece in pieces.until(&session.control.stop) {
            bytes += piece.bytes.len() as u64;
            let (words, _) = piece.bytes.as_chunks::<8>();
            for (index, word) in words.iter().enumerate() {
                if index % LOOK == 0 {
                    sink::check(&session.control.stop)?;
                }
                let value = u64::from_le_bytes(*word);
                if let Some(module) = self.module_of(value) {
                    let entry = self.pointers.entry(module).or_insert((
                        0,
                        Virt(value),
                        piece.va + 8 * index as u64,
                    ));
                    entry.0 += 1;
                }
            }
        }
        sink::check(&session.control.stop)?;
        let present = bytes.div_ceil(rkd_dump::addr::PAGE_SIZE);
        self.pages += block.pages();
        self.present += present;
        Ok(present)
    }

    fn module_of(&self, value: u64) -> Option<&'a str> {
        let (first, last) = (self.modules.first()?.0, self.modules.last()?.1);
        if value < first || value >= last {
            return None;
        }
        let (_, end, name) = self.modules[self
            .modules
            .partition_point(|(base, ..)| *base <= value)
            .checked_sub(1)?];
        (value < end).then_some(name)
    }

    fn tell(self, out: &mut dyn Sink) -> Result<()> {
        let mut pointers: Vec<_> = self.pointers.into_iter().collect();
        pointers.sort_by_key(|(_, (count, ..))| std::cmp::Reverse(*count));
        if !pointers.is_empty() {
            out.text("\nPointers into modules, found in those blocks:")?;
        }
        for (module, (pointers, first_value, first_at)) in pointers {
            out.row(&PointerRow {
                module,
                pointers,
                first_value,
                first_at,
            })?;
        }
        out.note(&format!(
            "{} of the {} pages of these blocks are in the dump",
            self.present, self.pages
        ))
    }
}

/// Pointers into a module that the blocks hold.
#[derive(Row)]
#[row(kind = "module_pointer")]
struct PointerRow<'a> {
    /// The module.
    module: &'a str,
    /// How many there are.
    pointers: u64,
    /// The first of them.
    first_value: Virt,
    /// Where the first one lies.
    first_at: Virt,
}

impl KdLine for PointerRow<'_> {
    fn line(&self) -> String {
        format!(
            " {:<16} {:>9}  {} at {}",
            self.module, self.pointers, self.first_value, self.first_at
        )
    }
}
