//! rkd: a kd-like debugger for Windows kernel dumps.

pub mod addr;
pub mod command;
pub mod commands;
pub mod dump;
pub mod error;
pub mod kernel;
pub mod lab;
pub mod memory;
pub mod render;
pub mod scan;
pub mod script;
pub mod session;
pub mod symbols;
