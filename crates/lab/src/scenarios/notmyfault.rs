//! The classic: a test tool's driver leaks nonpaged pool in pieces of forty mebibytes, and somebody presses the keys
//! that stop the machine before it runs out of memory.
//!
//! The figures are those of a machine of December 2023 with eight processors and eight gibibytes.

mod myfault;

use super::{Answer, Culprit, Find, Scenario};
use crate::plan::{
    Block, BugCheck, Counters, Gone, Module, ModuleBody, PageFile, Plan, Pool, PoolUse, Process,
    Tag,
};
use crate::ram::FrameRun;
use crate::random::Random;
use crate::stock::{drivers, processes, tags};
use rkd_dump::addr::{Pfn, Virt};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "notmyfault",
    title: "Five gigabytes of nonpaged pool",
    summary: "A PC with 8 GB became slow within minutes and answered nothing any more, although hardly a program was \
              running. Its owner forced a crash from the keyboard and sends you MEMORY.DMP. Which driver ate the memory?",
    find: Find {
        text: "myfault.sys holds 119 allocations of 40 MiB under the tag Leak in nonpaged pool: it is the only module whose \
           code passes that tag, at two places, to ExAllocatePoolWithTag.",
        verdicts: &["leak"],
        confidence: Some("proven"),
        suspects: &[Culprit {
            name: "myfault.sys",
            role: "allocates",
            confidence: "proven",
        }],
        acquitted: &[],
    },
    answers: &[
        Answer {
            question: "How many pages of nonpaged pool are in use?",
            answer: "1219892",
            command: "!vm 1",
        },
        Answer {
            question: "Which tag holds the most nonpaged pool?",
            answer: "Leak",
            command: "!poolused 2",
        },
        Answer {
            question: "How many allocations does it hold?",
            answer: "119",
            command: "!poolused 2 Leak",
        },
        Answer {
            question: "How many bytes is each of them?",
            answer: "41943040",
            command: "? 0n4991221760 / 0n119",
        },
        Answer {
            question: "Which module contains the tag?",
            answer: "myfault",
            command: "!for_each_module s -a @#Base @#End \"Leak\"",
        },
        Answer {
            question: "At what address does the tag first lie in it?",
            answer: "fffff807`47f51559",
            command: "s -a fffff807`47f50000 L?0x9000 \"Leak\"",
        },
        Answer {
            question: "What is the size of that module's image?",
            answer: "9000",
            command: "lmvm myfault",
        },
    ],
    version: "10.0.19041.3570",
    plan,
};

const KERNEL: Virt = Virt(0xffff_f807_2260_0000);
const KERNEL_SIZE: u32 = 0x104_6000;
const CULPRIT: Virt = Virt(0xffff_f807_47f5_0000);
const MEBIBYTE: u64 = 1 << 20;
const LEAKS: usize = 119;

/// Threads of listed processes; one idle thread per processor comes on top.
const THREADS: u32 = 1249;

/// The machine.
pub(super) fn plan() -> Plan {
    // unloaded drivers keep their place to themselves, and so does the culprit
    let gone = vec![
        gone("dump_storport.sys", 0x3155_0000, 0x3156_0000, 11_508),
        gone("360Sensor64.sys", 0x3c6e_0000, 0x3c6e_c000, 9_214),
    ];
    let mut avoid: Vec<(u64, u64)> = gone.iter().map(|gone| (gone.start.0, gone.end.0)).collect();
    avoid.push((CULPRIT.0, CULPRIT.0 + 0x9000));
    let mut modules = drivers::all(KERNEL, KERNEL_SIZE, &avoid);
    modules.push(Module {
        name: "myfault.sys".to_owned(),
        alias: None,
        folder: "\\??\\C:\\Windows\\system32\\drivers\\",
        base: CULPRIT,
        size: 0x9000,
        time_stamp: 0x6335_c51b,
        checksum: 0x0001_0ced,
        body: ModuleBody::Culprit(myfault::image),
    });
    let special = special_tags();
    let mut all_tags = special.clone();
    all_tags.extend(tags::all(&special));
    let counters = counters();
    Plan {
        frames: frames(counters.physical),
        processors: 8,
        current: 3,
        modules,
        gone,
        files: Vec::new(),
        blocks: blocks(&all_tags),
        tags: all_tags,
        processes: processes(),
        sessions: vec![(0, 1_187), (1, 4_306)],
        page_files: page_files(),
        counters,
        // Sun Dec 10 2023, 21:48:36.492 in Shanghai
        time: 133_466_897_164_920_000,
        up_time: 115_672_031_250,
        minutes_east: 480,
        bug_check: BugCheck {
            code: 0xe2,
            parameters: [0; 4],
            caller: "kbdhid.sys",
        },
    }
}

/// Eight gibibytes, with the hole for devices below four.
fn frames(physical: u64) -> Vec<FrameRun> {
    let (low, high) = (0x9e, 0x15_f000);
    vec![
        FrameRun {
            first: Pfn(0x1),
            pages: low,
        },
        FrameRun {
            first: Pfn(0x100),
            pages: physical - low - high,
        },
        FrameRun {
            first: Pfn(0x10_0000),
            pages: high,
        },
    ]
}

fn gone(name: &'static str, low: u64, high: u64, seconds_ago: u64) -> Gone {
    let at = |low: u64| Virt(KERNEL.0 & 0xffff_ffff_0000_0000 | low);
    Gone {
        name,
        start: at(low),
        end: at(high),
        seconds_ago,
    }
}

/// The test tool's own command line is in the dump, where the dump holds user memory.
fn processes() -> Vec<Process> {
    let mut all = processes::all(279_673, THREADS);
    if let Some(tool) = all
        .iter_mut()
        .find(|process| process.name == "notmyfault64.exe")
    {
        tool.command_line = Some("\"C:\\Tools\\notmyfault64.exe\" /accepteula");
    }
    all
}

/// The tags with exact figures: the first nine of the list by nonpaged pool, and the processes.
fn special_tags() -> Vec<Tag> {
    let one = |tag: &[u8; 4], count, bytes, freed| Tag {
        tag: *tag,
        non_paged: PoolUse {
            count,
            bytes,
            freed,
        },
        paged: PoolUse::default(),
    };
    let mut tags = vec![
        one(b"Leak", LEAKS as u64, LEAKS as u64 * 40 * MEBIBYTE, 0),
        one(b"ConT", 238, 14_499_840, 61),
        one(b"KETR", 16_410, 8_117_664, 3_120_774),
        one(b"EtwB", 196, 7_565_568, 2_318),
        one(b"2872", 6, 5_660_864, 2),
        one(b"287R", 1_026, 4_183_040, 411),
        one(b"File", 9_734, 3_877_408, 9_871_204),
        one(b"Thre", 1_257, 3_217_920, 48_117),
        one(b"EtwR", 12_141, 2_672_640, 30_955),
        one(b"Proc", 116, 326_656, 2_207),
    ];
    if let Some(buffers) = tags.iter_mut().find(|tag| tag.tag == *b"EtwB") {
        buffers.paged = PoolUse {
            count: 2,
            bytes: 131_072,
            freed: 9,
        };
    }
    tags
}

/// Everything of a page and more: the leak, and what others hold.
fn blocks(tags: &[Tag]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for index in 0..LEAKS {
        // Of a few the first page is in the dump: the driver left pointers to its own code and data there.
        let contents =
            (index % 23 == 5).then_some([CULPRIT + 0x15d8, CULPRIT + 0x4010, CULPRIT + 0x1100]);
        blocks.push(Block {
            tag: *b"Leak",
            bytes: 40 * MEBIBYTE,
            pool: Pool::NonPaged,
            stale: false,
            contents,
        });
    }
    let mut random = Random::named("blocks");
    for (pool, held) in [(Pool::NonPagedNx, true), (Pool::Paged, false)] {
        for tag in tags.iter().filter(|tag| tag.tag != *b"Leak") {
            let held = if held { tag.non_paged } else { tag.paged };
            let each = held.bytes.checked_div(held.count).unwrap_or(0);
            let count = if each >= 0x1000 {
                held.count
            } else {
                (held.bytes >> 17).min(24)
            };
            let mut pages = (held.bytes >> 12).max(count);
            for left in (1..=count).rev() {
                let here = pages.div_ceil(left).max(1);
                pages = pages.saturating_sub(here);
                let bytes = if each >= 0x1000 {
                    here << 12
                } else {
                    (random.between(1, 6)) << 12
                };
                blocks.push(Block {
                    tag: tag.tag,
                    bytes,
                    pool,
                    stale: random.below(9) == 0 && each < 0x1000,
                    contents: None,
                });
            }
        }
    }
    blocks
}

fn page_files() -> Vec<PageFile> {
    vec![
        PageFile {
            path: Some("\\??\\C:\\pagefile.sys"),
            size: 2_097_152,
            free: 2_079_412,
            minimum: 2_097_152,
            maximum: 6_208_263,
        },
        PageFile {
            path: Some("\\??\\C:\\swapfile.sys"),
            size: 4_096,
            free: 4_094,
            minimum: 4_096,
            maximum: 3_104_131,
        },
        PageFile {
            path: None,
            size: 4_166_573,
            free: 4_161_220,
            minimum: 4_166_573,
            maximum: 4_166_573,
        },
    ]
}

/// What the memory manager of that machine counted, in pages.
fn counters() -> Counters {
    Counters {
        physical: 2_069_421,
        available: 445_015,
        resident_available: 707_292,
        modified: 11_479,
        modified_no_write: 0,
        non_paged_pool: 1_219_892,
        non_paged_pool_nx: 24_512,
        non_paged_pool_max: 1 << 32,
        paged_pool: 32_907,
        paged_pool_max: 1 << 32,
        free_system_ptes: 4_295_052_431 - (1 << 32),
        process_commit: 866,
        mdl_pages: 9_231,
        non_paged_pool_commit: 1_246_469,
        driver_commit: 11_907,
        boot_commit: 4_212,
        pfn_array_commit: 24_337,
        small_pte_commit: 431,
        page_table_commit: 2_874,
        locked_file_pages: 17,
        system_commit: 1_409_562,
        committed: 1_688_747,
        commit_limit: 4_166_573,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_adds_up() {
        let plan = plan();
        assert_eq!(
            plan.frames.iter().map(|run| run.pages).sum::<u64>(),
            2_069_421
        );
        // physical memory and the page file make the limit
        assert_eq!(
            plan.counters.physical + plan.page_files[0].size,
            plan.counters.commit_limit
        );
        // the tags hold no more than the pools
        let non_paged: u64 = plan.tags.iter().map(|tag| tag.non_paged.bytes).sum();
        let paged: u64 = plan.tags.iter().map(|tag| tag.paged.bytes).sum();
        let pool = plan.counters.non_paged_pool + plan.counters.non_paged_pool_nx;
        assert!(
            non_paged <= pool << 12 && non_paged > (pool << 12) / 10 * 9,
            "{non_paged}"
        );
        assert!(
            paged <= plan.counters.paged_pool << 12
                && paged > (plan.counters.paged_pool << 12) / 10 * 8,
            "{paged}"
        );
        let threads: u32 = plan.processes.iter().map(|process| process.threads).sum();
        assert_eq!(threads + plan.processors, 1_257);
    }

    #[test]
    fn images_do_not_overlap() {
        let plan = plan();
        let mut places: Vec<(u64, u64)> = plan
            .modules
            .iter()
            .map(|m| (m.base.0, m.base.0 + u64::from(m.size)))
            .collect();
        places.extend(plan.gone.iter().map(|gone| (gone.start.0, gone.end.0)));
        places.sort_unstable();
        for pair in places.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{pair:x?}");
        }
        assert_eq!(plan.modules.len(), 175);
    }
}
