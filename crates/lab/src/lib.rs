//! A small made-up Windows that writes true dump files, so that a pool leak can be studied without owning one.
//!
//! A scenario ([`scenarios`]) says what its machine is like; [`make`] builds that machine in memory, with page tables,
//! images and Windows' own structures laid out by a symbol table, stops it and writes a dump of the wanted kind.
//! Nothing here uses the rooms that read dumps, so that writer and reader can catch each other's mistakes.
//!
//! ```
//! use rkd_symbols::builtin_facts;
//!
//! let case = rkd_lab::scenario("notmyfault").ok_or("no such scenario")?;
//! let table = builtin_facts().by_version(case.version).ok_or("no such kernel")?;
//! let mut dump = Vec::new();
//! let made = rkd_lab::make(case, &table, &rkd_lab::Options::default(), &mut dump)?;
//! assert_eq!(made.bytes, dump.len() as u64);
//! assert!(dump.starts_with(b"PAGEDU64"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(unreachable_pub)]

pub mod code;
pub mod files;
pub mod image;
mod make;
pub mod memory;
pub mod paging;
pub mod payload;
pub mod plan;
pub mod ram;
pub mod random;
mod scenarios;
pub mod stock;
pub mod version;
pub mod windows;

pub use files::Kind;
pub use make::{ExtraDrivers, Made, Options, driver_files, make, make_file, snapshot};
pub use payload::{Payload, PayloadRange};
pub use scenarios::{Answer, Culprit, Find, Scenario};

/// All scenarios, the easiest first.
pub fn scenarios() -> &'static [Scenario] {
    scenarios::all()
}

/// The scenario of this name.
pub fn scenario(name: &str) -> Option<&'static Scenario> {
    scenarios().iter().find(|scenario| scenario.name == name)
}
