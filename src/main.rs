//! The binary: everything is in the library, see `rkd::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    rkd::cli::main(std::env::args_os())
}
