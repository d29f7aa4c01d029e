//! The command `terrarium`.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", feature = "linux"))]
    if std::env::args_os().next().is_some_and(|argv0| terrarium::lab::is_lab(&argv0)) {
        return terrarium::lab::main(std::env::args_os());
    }
    terrarium::cli::main()
}
