//! rkd opens a Windows kernel dump on any machine and says which driver is eating the kernel pool, with proof.
//!
//! # The house
//!
//! What can stand alone is a crate of its own, and a crate uses only those above it in this list:
//!
//! | crate | what passes through it |
//! |---|---|
//! | [`rkd_dump`] | files and addresses: bytes on disk become pages, pages become address spaces, and every failed read has a reason |
//! | [`rkd_symbols`] | names: PDB and ISF files, built-in facts and images become one table of symbols and types |
//! | [`rkd_code`] | code: bytes become instructions with what they read and write, and stacks are walked |
//! | [`rkd_scan`] | search: many patterns over an address space in one pass, with coverage |
//! | [`rkd_pooltags`] | tags: which pool tags an image allocates under, with the instructions that prove it |
//! | [`rkd_kernel`] | Windows: structures become plain values, and judgement over them has its evidence |
//! | [`rkd_lab`] | practice: a small made-up Windows that writes dumps, independent of the crates that read them |
//! | [`rkd_derive`] | columns: what commands find declares its names, kinds and units once |
//!
//! The program on top of them is this one; `tests/it/layers.rs` holds the direction of its rooms:
//!
//! | room | what it is |
//! |---|---|
//! | [`session`], [`command`] | grammar: what one person does with one dump, what a command is, kd's lines and expressions |
//! | [`commands`] | the commands, one file each |
//! | [`render`] | looks: rows become kd's text, JSON, CSV |
//! | [`script`] | Rhai: the same commands and the typed kernel as a language |
//! | [`repl`], [`cli`] | the prompt, and the switches |
//!
//! # Three types to know
//!
//! A [`Kernel`](rkd_kernel::Kernel) is an opened dump with everything that could be found out about it. A
//! [`Session`](session::Session) is what one person does with it. A command hands [`Row`](command::Row)s to a
//! [`Sink`](command::Sink); it never prints.
//!
//! # From a dump to an answer
//!
//! ```
//! use rkd_dump::Dump;
//! use rkd_kernel::pool::tracker::tracker;
//! use rkd_kernel::{Kernel, Options};
//! use rkd_symbols::builtin_facts;
//!
//! // A practice dump; Dump::open(path) opens a real one.
//! let case = rkd_lab::scenario("notmyfault").ok_or("no such scenario")?;
//! let nt = builtin_facts().by_version("19041.3570").ok_or("no such kernel")?;
//! let mut bytes = Vec::new();
//! rkd_lab::make(case, &nt, &rkd_lab::Options::default(), &mut bytes)?;
//!
//! let kernel = Kernel::open(Dump::from_bytes("leak.dmp", bytes)?, &Options::default());
//! let tags = tracker(&kernel)?.tags;
//! let worst = tags.iter().max_by_key(|tag| tag.nonpaged.bytes).ok_or("no tags")?;
//! assert_eq!((worst.tag.to_string().as_str(), worst.nonpaged.outstanding()), ("Leak", 119));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(unreachable_pub)]

// The derived code of rows names the program as others do.
extern crate self as rkd;

pub mod cli;
pub mod command;
pub mod commands;
pub mod render;
pub mod repl;
pub mod script;
pub mod session;
