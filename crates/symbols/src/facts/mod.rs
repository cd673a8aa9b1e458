//! What the program knows by heart: addresses and layouts of the kernels that were public when it was made, so that a dump
//! of one of them can be read with nothing but the program.
//!
//! The file `nt.facts.xz` is derived from JPCERT/CC's Windows-Symbol-Tables (see `NOTICE`) by `examples/make_facts.rs`,
//! which can also add a kernel to it. Two hundred kernels share most of their types and differ little in their addresses:
//! each definition is stored once, each address as its distance from that in the kernel before.

mod decode;
mod encode;
mod own;
mod selection;

pub use decode::Facts;
pub use encode::encode;
pub use own::{add, find, matching, own_facts, version_of};
pub use selection::{SYMBOLS, select};

use std::sync::OnceLock;

/// The facts that are part of the program. The first call unpacks them, which takes some milliseconds.
pub fn builtin_facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| Facts::parse(include_bytes!("nt.facts.xz")).unwrap_or_default())
}
