//! The command `terrarium`.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", feature = "linux"))]
    if let Some(argv0) = std::env::args_os().next() {
        if terrarium::lab::is_lab(&argv0) {
            return terrarium::lab::main(std::env::args_os());
        }
        if terrarium::keeper::is_keeper(&argv0) {
            return terrarium::keeper::main(std::env::args_os());
        }
        if terrarium::keeper::porter::is_porter(&argv0) {
            return terrarium::keeper::porter::main(std::env::args_os());
        }
    }
    terrarium::cli::main()
}
