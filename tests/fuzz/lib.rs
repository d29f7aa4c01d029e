//! What the targets share: the doors, and the examples with which they begin.

pub mod doors;
pub mod examples;

/// Lays `examples` into the directory that `TERRARIUM_FUZZ_EXAMPLES` names, if anybody has asked for them.
pub fn lay_out(examples: fn() -> Vec<Vec<u8>>) {
    let Some(directory) = std::env::var_os("TERRARIUM_FUZZ_EXAMPLES").map(std::path::PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(&directory).expect("a directory for the examples");
    for (number, example) in examples().iter().enumerate() {
        std::fs::write(directory.join(format!("example-{number}")), example).expect("a file in it");
    }
}
