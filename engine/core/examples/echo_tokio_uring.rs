//! Echo on the adapter.
fn main() {}
