//! engine/push
fn main() {}
