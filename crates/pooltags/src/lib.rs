//! Which pool tags a driver allocates under, and the instruction that proves it.
//!
//! [`analyse`] reads a driver's code as an expert would: it finds every call of an interface that takes a tag, and by abstract
//! interpretation of the function around it finds which constants can reach the tag argument – through registers, the stack,
//! structures, thunks, tail calls, control flow guard, the driver framework's table and the driver's own wrappers. Nothing is
//! guessed: what is not known is said to be unknown, with the reason.
//!
//! ```
//! use rkd_pooltags::{Class, Options, TagImage, analyse};
//!
//! # // The smallest driver: one section with an import table and five instructions.
//! # let mut file = vec![0u8; 0x1000];
//! # let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
//! # let word = |n: u32| n.to_le_bytes();
//! # put(0, b"MZ");
//! # put(0x3c, &word(0x80));
//! # put(0x80, b"PE\0\0\x64\x86\x01\0");
//! # put(0x94, &[0xf0, 0, 0x22, 0]); // bytes of the optional header, flags
//! # put(0x98, &[0x0b, 2]);
//! # put(0xb0, &0x1_4000_0000u64.to_le_bytes());
//! # [(0xb8, 0x1000), (0xbc, 0x200), (0xd0, 0x2000), (0xd4, 0x400), (0x104, 16), (0x110, 0x1100), (0x114, 0x28)]
//! #     .map(|(at, n)| put(at, &word(n)));
//! # put(0x188, b".text");
//! # [(0x190, 0xc00), (0x194, 0x1000), (0x198, 0xc00), (0x19c, 0x400), (0x1ac, 0xe000_0020)].map(|(at, n)| put(at, &word(n)));
//! # [(0x500, 0x1140), (0x50c, 0x1180), (0x510, 0x1160), (0x540, 0x1190), (0x560, 0x1190)].map(|(at, n)| put(at, &word(n)));
//! # put(0x580, b"ntoskrnl.exe");
//! # put(0x592, b"ExAllocatePoolWithTag");
//! # put(0x400, b"\x33\xc9\xba\x10\0\0\0\x41\xb8Leak\xff\x15\x4d\x01\0\0\xc3");
//! # put(0x104, &word(16));
//! # put(0xa8, &word(0x1000)); // the entry point
//! let image = TagImage::from_file_bytes("myfault.sys", &file)?;
//! let report = analyse(&image, &Options::default());
//! let site = report.of_tag(u32::from_le_bytes(*b"Leak")).next().unwrap();
//! assert_eq!((site.api, site.class), ("ExAllocatePoolWithTag", Some(Class::E1)));
//!
//! let proofs: Vec<String> = image.proofs(site).into_iter().map(|proof| proof.text).collect();
//! assert_eq!(proofs[0], "mov     r8d,6B61654Ch");
//! assert_eq!(proofs[1], "call    qword ptr [_imp_ExAllocatePoolWithTag (00000001`40001160)]");
//! # Ok::<(), rkd_dump::error::Error>(())
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `image` | a driver's bytes and tables, from a file or from a dump |
//! | `api` | the interfaces that take a tag |
//! | `functions`, `references` | where functions lie, and which code names an interface |
//! | `lattice`, `state`, `memory` | abstract values; the abstract state of registers and stack; loads and stores |
//! | `transfer` | the transfer function: what each instruction does to a state |
//! | `abi` | calling conventions |
//! | `callee` | who is called, and what a call does to a state |
//! | `fixpoint` | one function: its basic blocks, run until nothing changes |
//! | `analysis` | the whole image: worklist of functions, call sites, wrapper summaries |
//! | `claims` | abstract values become sites, each with its class |
//! | `report` | the result |
//! | `proof` | the instructions behind it, for a person |
//! | `database` | results in a file, for dumps in which a driver's pages are missing |

#![warn(unreachable_pub)]

mod abi;
mod analysis;
pub mod api;
mod callee;
mod claims;
pub mod database;
mod fixpoint;
mod functions;
mod image;
mod lattice;
mod memory;
mod proof;
mod references;
mod report;
mod state;
mod transfer;

pub use database::Database;
pub use fixpoint::Limits;
pub use image::{NameOf, Piece, Section, TagImage, Wdf};
pub use proof::Proof;
pub use report::{
    Agent, Class, Coverage, Reason, Report, Site, SiteRecord, UNTAGGED, Verdict, tag_text,
};
pub use rkd_code::Machine;

use std::sync::atomic::AtomicBool;

/// How much work an analysis may cost. The defaults end in well under a second for the largest driver.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// How much one function may cost.
    pub limits: Limits,
    /// Instructions that are run over values, in the whole image.
    pub image_steps: u64,
    /// Functions of the driver through which a tag is followed to where it is a constant.
    pub wrapper_depth: u8,
    /// Set from elsewhere to end the analysis early; the report says so.
    pub stop: Option<&'a AtomicBool>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            limits: Limits {
                visits: 12,
                steps: 200_000,
                instructions: 50_000,
            },
            image_steps: 50_000_000,
            wrapper_depth: 4,
            stop: None,
        }
    }
}

/// Finds every site of the image that names a pool tag.
pub fn analyse(image: &TagImage, options: &Options<'_>) -> Report {
    claims::report(image, options)
}
