//! Hosts that do not allow io_uring: the refusal says why, and what to do.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::collections::BTreeMap;
use std::sync::Arc;
use wsring_io::uring::{Config, Mesh, OpenError, Uring, probe};

/// What opening a ring answers on a thread whose seccomp filter answers io_uring_setup with `errno`.
fn refused_with(errno: i32) -> OpenError {
    std::thread::spawn(move || {
        let filter = SeccompFilter::new(
            BTreeMap::from([(libc::SYS_io_uring_setup, Vec::new())]),
            SeccompAction::Allow,
            SeccompAction::Errno(errno as u32),
            std::env::consts::ARCH.try_into().unwrap(),
        );
        let program: BpfProgram = filter.unwrap().try_into().unwrap();
        // For this thread alone, and for as long as it lives.
        seccompiler::apply_filter(&program).unwrap();
        let probed = probe().unwrap_err();
        let opened = Uring::open(&Config::default(), None, Arc::new(Mesh::new(1)), 0).unwrap_err();
        let kind = std::mem::discriminant;
        assert_eq!(kind(&opened), kind(&probed), "the probe and the opening agree");
        opened
    })
    .join()
    .unwrap()
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim().to_owned()
}

#[test]
fn a_seccomp_filter_that_forbids() {
    let error = refused_with(libc::EPERM);
    assert!(matches!(error, OpenError::Forbidden { .. }), "{error:?}");
    let text = error.to_string();
    for words in ["EPERM", "seccomp", "--security-opt seccomp=", &kernel()] {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
    assert!(text.lines().count() <= 12, "more than a glance:\n{text}");
}

#[test]
fn a_seccomp_filter_that_hides() {
    let error = refused_with(libc::ENOSYS);
    assert!(matches!(error, OpenError::Absent { .. }), "{error:?}");
    let text = error.to_string();
    for words in ["ENOSYS", "CONFIG_IO_URING", "--security-opt seccomp=", &kernel()] {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
}

#[test]
fn an_old_kernel_and_a_low_memory_limit() {
    assert!(matches!(refused_with(libc::EINVAL), OpenError::KernelTooOld { .. }));
    let error = refused_with(libc::ENOMEM);
    assert!(matches!(error, OpenError::MemoryLocked { .. }), "{error:?}");
    assert!(error.to_string().contains("ulimit -l"));
}

#[test]
fn a_place_in_the_mesh_is_taken_once() {
    let config = Config { submission_entries: 8, completion_entries: 1024, buffers: 2, ..Config::default() };
    let mesh = Arc::new(Mesh::new(1));
    let _first = Uring::open(&config, None, mesh.clone(), 0).unwrap();
    for shard in [0, 1] {
        let error = Uring::open(&config, None, mesh.clone(), shard).unwrap_err();
        assert!(matches!(error, OpenError::Shard { shards: 1, .. }), "{error}");
    }
}

#[test]
fn sizes_that_cannot_be() {
    let good = Config { submission_entries: 8, completion_entries: 1024, buffers: 2, ..Config::default() };
    let refused = |config: &Config| Uring::open(config, None, Arc::new(Mesh::new(1)), 0).unwrap_err();
    let bad = [
        Config { submission_entries: 0, ..good.clone() },
        Config { completion_entries: 4, ..good.clone() },
        Config { completion_entries: 65_537, ..good.clone() },
        Config { buffers: 3, ..good.clone() },
        Config { buffers: 0, ..good.clone() },
        Config { buffer_bytes: 0, ..good.clone() },
        Config { sockets_max: 0, ..good.clone() },
    ];
    for config in bad {
        let error = refused(&config);
        assert!(matches!(error, OpenError::Config { .. }), "{config:?}: {error}");
    }
    let limit = good.sockets_max;
    if limit < 1 << 20 {
        let error = refused(&Config { sockets_max: limit + 1, ..good });
        assert!(error.to_string().contains(&format!("ulimit -n {}", limit + 1)), "{error}");
    }
}

#[test]
fn this_host_passes_the_probe() {
    let capabilities = probe().unwrap();
    assert_eq!(capabilities.kernel, kernel());
}
