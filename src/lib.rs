//! rkd: a kd-like debugger for Windows kernel dumps.

pub mod addr;
pub mod dump;
pub mod error;
pub mod memory;
pub mod symbols;
pub mod lab;
