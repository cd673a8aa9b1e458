//! Which pool tags a driver allocates under, and the instruction that proves it.
//!
//! [`analyse`] reads a driver's code as an expert would: it finds every call of an interface that takes a tag
//! ([`api::INTERFACES`]), and by running the function over sets of values finds which constants can reach the tag
//! argument – through registers, the stack, structures, thunks, tail calls, control flow guard, the driver framework's
//! table and the driver's own wrappers. Nothing is guessed: what is not known is said to be unknown, with the reason.
//!
//! ```no_run
//! use rkd_pooltags::{Options, TagImage, analyse};
//!
//! let image = TagImage::open("myfault.sys".as_ref())?;
//! let report = analyse(&image, &Options::default());
//! for site in report.of_tag(u32::from_le_bytes(*b"Leak")) {
//!     println!("{:#x}: {} {:?}", site.call_rva, site.api, site.class);
//! }
//! # Ok::<(), rkd_dump::error::Error>(())
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `image` | a driver's bytes and tables, from a file or from a dump |
//! | `api` | the interfaces that take a tag |
//! | `value`, `state`, `memory` | what can be known of registers, stack and image |
//! | `machine`, `x86`, `arm64`, `vectors` | what instructions do |
//! | `flow` | one function, run until nothing changes |
//! | `callee` | who is called, and what that leaves known |
//! | `functions`, `references` | where to look |
//! | `engine` | the whole image: wrappers, variables |
//! | `sites` | values become claims, each with its class |
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
pub mod image;
mod lattice;
mod memory;
mod proof;
mod references;
pub mod report;
mod state;
mod transfer;

pub use database::Database;
pub use fixpoint::Limits;
pub use image::TagImage;
pub use proof::Proof;
pub use report::{Agent, Class, Coverage, Line, Reason, Report, Site, UNTAGGED, Verdict, tag_text};
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
