//! What the tests of the connection stand on; none of it uses the crate's own parser or writer.

pub(crate) mod generate;
pub(crate) mod oracle;
pub(crate) mod random;
pub(crate) mod wire;
