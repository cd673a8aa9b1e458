//! The pool tags of driver files, one JSON object a line: `cargo run --example tags -- driver.sys`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use rkd::analysis::tags::{Options, TagImage, analyse};

fn main() -> Result<(), rkd::error::Error> {
    for path in std::env::args_os().skip(1) {
        let image = TagImage::open(path.as_ref())?;
        let start = std::time::Instant::now();
        let report = analyse(&image, &Options::default());
        print!("{}", report.to_json_lines());
        eprintln!(
            "{}: {:?}, {} sites, {} without a tag argument, {} unresolved, {:?}, {:?}",
            report.file,
            report.verdict,
            report.sites.len(),
            report.untagged.len(),
            report.unresolved().count(),
            report.coverage,
            start.elapsed()
        );
        for note in &report.notes {
            eprintln!("  {note}");
        }
    }
    Ok(())
}
