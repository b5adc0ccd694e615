//! Every bound of the protocol core, and how they relate.

/// Longest payload of a control frame (RFC 6455 section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Longest reason of a Close frame: a control payload less the two bytes of the code (section 5.5.1).
pub const CLOSE_REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// Longest frame header: 2 bytes, 8 of extended length, 4 of masking key (section 5.2).
pub const HEADER_BYTES_MAX: usize = 14;

/// Assemblies kept for the next message that spans receives; more are freed.
pub(crate) const SPARE_ASSEMBLIES_MAX: usize = 256;

/// Largest buffer that an assembly keeps while it waits for its next use; larger ones are freed, so
/// that a burst leaves nothing behind.
pub(crate) const SPARE_ASSEMBLY_BYTES_MAX: usize = 16 * 1024;

/// Longer ones kept for all connections of a thread together: how many, and how long one may be. A
/// message of 1 MiB fits with its header and what its growth overshot.
pub(crate) const LONG_SPARES_MAX: usize = 8;
pub(crate) const LONG_SPARE_BYTES_MAX: usize = 1088 * 1024;

/// Compressors that wait for the next connection or message in fragments; more are freed.
pub(crate) const SPARE_COMPRESSORS_MAX: usize = 4;

/// Inflaters that wait for the next message; more are freed.
pub(crate) const SPARE_INFLATERS_MAX: usize = 4;

/// A compressed message is gathered up to here before it takes an inflater for as long as it lasts.
pub(crate) const INFLATE_AFTER_BYTES: usize = 16 * 1024;

/// Largest buffer kept for gathering the next compressed message.
pub(crate) const SPARE_GATHERED_BYTES_MAX: usize = 4 * 1024;

/// How often a compressed message may end its stream and begin another, and after how many bytes once more.
pub(crate) const STREAM_ENDS_MIN: usize = 16;
pub(crate) const STREAM_END_BYTES_MIN: usize = 128;

const _: () = assert!(CLOSE_REASON_BYTES_MAX == 123, "RFC 6455 sections 5.5 and 5.5.1");

/// What one peer may make us hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest payload of one frame; a longer one fails the connection with 1009 on sight of its header. A frame
    /// of a compressed message may be an eighth longer, as such a message may.
    pub frame_bytes_max: u64,
    /// Longest message, all fragments together; a longer one fails the connection with 1009 on sight
    /// of the header that would exceed it. Of a compressed message it bounds what comes out, which is never
    /// inflated beyond it, and with an eighth and 64 bytes more what goes in: what cannot be compressed gets a
    /// little longer, the more the smaller the pieces that the peer flushes.
    pub message_bytes_max: usize,
    /// Bytes of unfinished messages that all connections sharing one [`Resources`](crate::Resources)
    /// may hold together; a message that would exceed it fails its own connection with 1009.
    pub held_bytes_max: usize,
    /// Bytes of compression contexts for receiving that all connections sharing one
    /// [`Resources`](crate::Resources) may hold between two receives: windows of connections whose peer refers
    /// to its earlier messages, and inflaters of long messages under way. Nothing fails at it: see
    /// [`Resources::has_room_for_context`](crate::Resources::has_room_for_context).
    pub context_bytes_max: usize,
}

/// The most bytes on the wire of what may be so long before it is compressed.
pub(crate) fn compressed(bytes_max: u64) -> u64 {
    bytes_max.saturating_add(bytes_max / 8).saturating_add(64)
}

impl Default for Limits {
    /// 64 MiB for a frame and a message, as most WebSocket libraries have it; 1 GiB held, and
    /// 64 MiB of contexts: 2,048 of the largest windows.
    fn default() -> Self {
        Self {
            frame_bytes_max: 64 << 20,
            message_bytes_max: 64 << 20,
            held_bytes_max: 1 << 30,
            context_bytes_max: 64 << 20,
        }
    }
}
