//! How long `!poolowner *` takes: about a thousand tags over 250 modules, half of them with the code of real size.
//!
//! `cargo bench --bench owners`; the figures mean something only beside others of the same machine.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use rkd_dump::Dump;
use rkd_kernel::owners::{Question, Readings, Search, inquire};
use rkd_kernel::pool::tracker::tracker;
use rkd_kernel::{Kernel, Options};
use rkd_symbols::{ImagePath, builtin_facts};
use std::time::{Duration, Instant};

/// Modules and tags of the large machine.
const CROWD: rkd_lab::ExtraDrivers = rkd_lab::ExtraDrivers {
    drivers: 76,
    tags_each: 8,
    code_kib: 96,
};

fn main() {
    let case = rkd_lab::scenario("notmyfault").unwrap();
    let table = builtin_facts().by_version(case.version).unwrap();
    let options = rkd_lab::Options {
        extra_drivers: Some(CROWD),
        ..rkd_lab::Options::default()
    };
    let mut bytes = Vec::new();
    rkd_lab::make(case, &table, &options, &mut bytes).unwrap();
    let kernel = Kernel::open(
        Dump::from_bytes("crowd.dmp", bytes).unwrap(),
        &Options::default(),
    );
    let questions: Vec<Question> = tracker(&kernel)
        .unwrap()
        .tags
        .into_iter()
        .map(|usage| Question {
            tag: usage.tag,
            held: Some(usage),
        })
        .collect();
    let code: u64 = kernel
        .modules()
        .iter()
        .enumerate()
        .filter_map(|(index, _)| {
            let readings = Readings::new(&kernel, ImagePath::default(), None);
            let presence = readings.presence(&kernel, index)?;
            Some(presence.code - presence.missing - presence.discarded)
        })
        .sum();
    println!(
        "{} tags, {} modules, {} KiB of code in the dump",
        questions.len(),
        kernel.modules().len(),
        code >> 10
    );
    let all = median(5, || ask(&kernel, &questions));
    println!("!poolowner *      {all:?}");
    let leak: Vec<Question> = questions
        .iter()
        .filter(|q| q.tag.0 == *b"Leak")
        .copied()
        .collect();
    let one = median(5, || ask(&kernel, &leak));
    println!("!poolowner Leak   {one:?}");
}

/// The time of a search that begins with nothing read, and how many tags it explains.
fn ask(kernel: &Kernel, questions: &[Question]) -> usize {
    let readings = Readings::new(kernel, ImagePath::default(), None);
    let found = inquire(
        kernel,
        &readings,
        questions,
        &Search::default(),
        &mut |_, _| Ok(()),
    );
    found
        .unwrap()
        .answers
        .iter()
        .filter(|answer| answer.is_proven())
        .count()
}

fn median(times: usize, mut run: impl FnMut() -> usize) -> Duration {
    let mut spent: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            let explained = run();
            let spent = start.elapsed();
            println!("  {explained} tags explained in {spent:?}");
            spent
        })
        .collect();
    spent.sort();
    spent[times / 2]
}
