//! The built server as a process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the binary `wsring` is; builds it first, since cargo builds it for its own tests only.
///
/// # Panics
/// When it cannot be built.
pub fn wsring() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("wsring-push", "wsring"))
}

fn build(package: &str, binary: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a file");
    // target/PROFILE/deps/TEST
    let folder = test.ancestors().nth(2).expect("cargo's layout");
    let target = folder.parent().expect("cargo's layout");
    let name = folder.file_name().and_then(|name| name.to_str()).expect("cargo's layout");
    let profile = if name == "debug" { "dev" } else { name };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", package, "--bin", binary, "--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join(binary)
}
