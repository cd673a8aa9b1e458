//! COMMANDS: one file each. This list is the index of the tool: the prompt, `help`, completion, Rhai and the tests read it.

pub mod alias;
pub mod analyze;
pub mod bigpool;
pub mod block;
pub mod branch;
pub mod bugcheck;
pub mod cls;
pub mod cpuid;
pub mod dh;
pub mod display;
pub mod dt;
pub mod echo;
pub mod evaluate;
pub mod evaluate_cpp;
pub mod for_each_module;
pub mod foreach;
pub mod formats;
pub mod help;
pub mod image_path;
pub mod leak;
pub mod lm;
pub mod lmi;
pub mod ln;
pub mod log;
pub mod loops;
pub mod n;
pub mod pooldiff;
pub mod poolfind;
pub mod poolowner;
pub mod poolscan;
pub mod poolused;
pub mod printf;
pub mod processor;
pub mod quit;
pub mod registers;
pub mod reload;
pub mod s;
pub mod script_file;
pub mod search;
pub mod stack;
pub mod sym;
pub mod symbol_path;
pub mod time;
pub mod tz;
pub mod unassemble;
pub mod version;
pub mod vertarget;
pub mod vm;
pub mod x;

use crate::command::Command;

/// Every command, by topic.
pub static ALL: &[&Command] = &[
    // Pool
    &poolused::COMMAND,
    &leak::COMMAND,
    &poolowner::COMMAND,
    &pooldiff::COMMAND,
    &poolfind::COMMAND,
    &bigpool::COMMAND,
    &poolscan::COMMAND,
    &vm::COMMAND,
    // Modules
    &lm::COMMAND,
    &for_each_module::COMMAND,
    &lmi::COMMAND,
    &dh::COMMAND,
    // Memory
    &s::COMMAND,
    &search::COMMAND,
    &display::COMMAND,
    &dt::COMMAND,
    // Expressions
    &evaluate::COMMAND,
    &evaluate_cpp::COMMAND,
    &formats::COMMAND,
    &n::COMMAND,
    // Code
    &unassemble::COMMAND,
    &stack::COMMAND,
    // Target
    &analyze::COMMAND,
    &vertarget::COMMAND,
    &version::COMMAND,
    &time::COMMAND,
    &bugcheck::COMMAND,
    &processor::COMMAND,
    &cpuid::COMMAND,
    &registers::COMMAND,
    // Symbols
    &x::COMMAND,
    &ln::COMMAND,
    &symbol_path::COMMAND,
    &image_path::COMMAND,
    &reload::COMMAND,
    &sym::COMMAND,
    // Session
    &foreach::COMMAND,
    &block::COMMAND,
    &branch::COMMAND,
    &loops::COMMAND,
    &printf::COMMAND,
    &script_file::COMMAND,
    &echo::COMMAND,
    &alias::COMMAND,
    &log::COMMAND,
    &tz::COMMAND,
    &cls::COMMAND,
    &help::COMMAND,
    &quit::COMMAND,
];

/// The command of this name or alias.
pub fn find(name: &str) -> Option<&'static Command> {
    crate::command::head::named(ALL, name)
}
