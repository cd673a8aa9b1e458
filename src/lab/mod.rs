//! A small made-up Windows that writes true dump files, so that a pool leak can be studied without owning one.

pub mod code;
pub mod dice;
pub mod files;
pub mod image;
pub mod memory;
pub mod paging;
pub mod ram;
