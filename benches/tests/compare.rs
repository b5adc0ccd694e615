//! The programs together, as short as can be: the client verifies every echo, and a comparison of a
//! server with itself ends in a record. Figures of such runs mean nothing and are not looked at.

#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::process::Command;

fn compare(first: &str, second: &str, payload: &str, opcode: &str) {
    let name = format!("wsring-compare-{}-{first}-{payload}-{opcode}", std::process::id());
    let stem = std::env::temp_dir().join(name);
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args([
            first,
            second,
            "--payload",
            payload,
            "--opcode",
            opcode,
            "--rounds",
            "2",
            "--connections",
            "10",
        ])
        .args(["--seconds", "0.2", "--warmup", "0.1", "--client=--warmup=0", "--verify", "--out"])
        .arg(&stem)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let record = std::fs::read_to_string(stem.with_extension("json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let runs = record["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4);
    for run in runs {
        assert_eq!(run["connections"], 10, "{run}");
        assert!(run["window"]["messages"].as_u64().unwrap() > 0, "{run}");
        assert!(run["window"]["server_cpu_ns"].as_u64().unwrap() > 0, "{run}");
        assert_eq!(run["window"]["errors"], 0, "{run}");
    }
    let csv = std::fs::read_to_string(stem.with_extension("csv")).unwrap();
    assert_eq!(csv.lines().count(), 5, "{csv}");
    for extension in ["json", "csv"] {
        std::fs::remove_file(stem.with_extension(extension)).unwrap();
    }
}

#[test]
fn the_floor_with_itself() {
    for payload in ["20", "1024", "5000", "70000"] {
        compare("floor", "floor", payload, "binary");
    }
}

#[test]
fn broadcast_and_fanout() {
    for opcode in ["text", "binary"] {
        compare("broadcast-floor", "broadcast-floor", "20", opcode);
        compare("fanout-floor", "wsring-fanout", "100", opcode);
    }
}

#[test]
fn a_program_that_is_not_built_is_named_with_its_command() {
    let scenarios = std::env::temp_dir().join(format!("wsring-missing-{}.toml", std::process::id()));
    let file = include_str!("../scenarios.toml").replace("{bin}/floor", "{bin}/not-built");
    std::fs::write(&scenarios, file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    let output = command.args(["floor", "--scenarios"]).arg(&scenarios).output().unwrap();
    std::fs::remove_file(scenarios).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("cargo build --release -p wsring-benches"), "{said}");
}

#[cfg(feature = "rivals")]
#[test]
fn the_rivals_echo() {
    for (first, second) in [("tokio-tungstenite", "fastwebsockets"), ("sockudo-ws", "sockudo-ws")] {
        for (payload, opcode) in [("20", "text"), ("1024", "binary"), ("70000", "binary")] {
            compare(first, second, payload, opcode);
        }
    }
}
