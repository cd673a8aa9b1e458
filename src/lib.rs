//! rkd: a kd-like debugger for Windows kernel dumps.

pub mod addr;
pub mod error;
pub mod symbols;
pub mod lab;
