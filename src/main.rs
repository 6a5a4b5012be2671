//! The `whotbox` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    whotbox::cli::main()
}
