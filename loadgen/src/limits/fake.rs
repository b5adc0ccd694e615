//! A machine that is made up, for tests: files below a folder of its own.

use super::host::Host;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder with `proc` and `sys`; removed when it goes out of scope.
pub(crate) struct Fake {
    root: PathBuf,
}

impl Fake {
    /// A machine with these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wsload-fake-{}-{number}", std::process::id());
        let fake = Self { root: std::env::temp_dir().join(name) };
        files.iter().for_each(|(path, text)| fake.set(path, text));
        fake
    }

    /// Writes a file over the one that is there.
    pub(crate) fn set(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }

    /// Takes a file away.
    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.root.join(path)).expect("it was there");
    }

    pub(crate) fn host(&self) -> Host {
        Host::at(&self.root)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = fs::remove_dir_all(&self.root);
    }
}
