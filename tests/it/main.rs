//! The tests of the whole, in one executable: each that links the program costs a second of a build.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod address_space;
mod body;
mod bugchecks;
mod cli;
mod dump_formats;
mod examples;
mod hostile;
mod kd_lines;
mod lab;
mod lab_and_dump;
mod lab_structures;
mod layers;
mod lists;
mod mutants;
mod owners;
mod pe;
mod raw_image;
mod real_kernel;
mod real_triage;
mod reference;
mod rhai_calls;
mod scenarios;
mod script;
mod search;
mod support;
mod symbol_server;
mod symbols;
mod symbols_task;
mod table;
mod tags;
mod terminal;
mod transcripts;
mod types;
mod unwinding;
mod verdicts;
