//! The key and its proof (RFC 6455 sections 1.3 and 4.2.2).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

/// The bytes that only a WebSocket server appends to the key (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Takes a last character whose unused bits are not zero: the key still decodes to 16 bytes, which is
/// all that RFC 6455 section 4.2.1 asks.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The proof for a `Sec-WebSocket-Key` as it stands in the header: base64 of the SHA-1 of key and GUID
/// (RFC 6455 section 4.2.2, step 5.4).
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    encode(&digest)
}

/// The key that a client sends for these 16 random bytes (RFC 6455 section 4.1, item 7).
pub(super) fn client_key(entropy: [u8; 16]) -> [u8; 24] {
    encode(&entropy)
}

/// Whether this is the base64 form of 16 bytes.
pub(super) fn is_key(key: &[u8]) -> bool {
    // 24 characters stand for at most 18 bytes.
    let mut decoded = [0u8; 18];
    key.len() == 24 && LENIENT.decode_slice(key, &mut decoded) == Ok(16)
}

/// Base64 of `bytes`; `LENGTH` is its length.
fn encode<const LENGTH: usize>(bytes: &[u8]) -> [u8; LENGTH] {
    let mut encoded = [0u8; LENGTH];
    let written = STANDARD.encode_slice(bytes, &mut encoded);
    debug_assert_eq!(written, Ok(LENGTH), "base64 makes four characters of three bytes");
    encoded
}
