//! rkd opens a Windows kernel dump on any machine and says which driver is eating the kernel pool, with proof.
//!
//! # The house
//!
//! Data flows through the rooms in one direction, and `tests/it/layers.rs` holds it:
//!
//! | room | what passes through it |
//! |---|---|
//! | [`dump`] | files: bytes on disk become pages of physical memory, or blocks of virtual memory |
//! | [`memory`] | addresses: pages become address spaces, and every failed read has a reason |
//! | [`code`] | instructions: bytes become lines of assembler in kd's look |
//! | [`symbols`] | names: PDB and ISF files, built-in facts and images become one table of symbols and types |
//! | [`kernel`] | Windows: structures become plain values – modules, pool, counters, processes |
//! | [`scan`] | search: many patterns over an address space in one pass, with coverage |
//! | [`analysis`] | judgement: conclusions with their evidence |
//! | [`session`], [`command`] | grammar: what a command is, kd's lines and expressions |
//! | [`commands`] | the commands, one file each |
//! | [`render`] | looks: rows become kd's text, JSON, CSV |
//! | [`script`] | Rhai: the same commands and the typed kernel as a language |
//! | [`repl`] | the prompt |
//! | [`lab`] | practice: a small made-up Windows that writes dumps, independent of the rooms that read them |
//!
//! # Three types to know
//!
//! A [`Kernel`](kernel::Kernel) is an opened dump with everything that could be found out about it. A
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
