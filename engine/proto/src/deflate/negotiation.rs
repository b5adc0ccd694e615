//! The four parameters: what a server answers to an offer, and what a client makes of the answer
//! (RFC 7692 sections 5 and 7.1).

use super::{Deflate, DeflateOptions, NAME, WINDOW_BITS_MAX, WINDOW_BITS_MIN};
use crate::handshake::{ExtensionOffer, OpeningError};

const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_WINDOW: &str = "server_max_window_bits";
const CLIENT_WINDOW: &str = "client_max_window_bits";

/// The parameters of one offer or answer, each at most once.
#[derive(Default)]
struct Params {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_window_bits: Option<u8>,
    client_window: ClientWindow,
}

/// `client_max_window_bits`, whose value an offer may leave out (RFC 7692 section 7.1.2.2).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ClientWindow {
    #[default]
    Absent,
    Any,
    Bits(u8),
}

impl DeflateOptions {
    /// The server's answer to what a client offers, in the client's order: to the first offer of
    /// permessage-deflate that the RFC allows, what was agreed on and the value for
    /// Sec-WebSocket-Extensions; `None` if there is no such offer. `room` says whether another window may be
    /// held for what a client sends ([`Resources::has_room_for_context`](crate::Resources::has_room_for_context)):
    /// if not, the client is told not to refer to its earlier messages.
    ///
    /// A client that cannot be told how large its window may be (it did not offer `client_max_window_bits`)
    /// although these options want it smaller than the largest is told the same, since a window only costs
    /// anything while it is taken over.
    ///
    /// Source: RFC 7692 section 7.1.
    pub fn accept(&self, offers: &[ExtensionOffer<'_>], room: bool) -> Option<(Deflate, String)> {
        let mut candidates = offers.iter().filter(|offer| offer.name() == NAME);
        candidates.find_map(|offer| Params::parse(offer)).map(|offered| self.answer(&offered, room))
    }

    fn answer(&self, offered: &Params, room: bool) -> (Deflate, String) {
        let server_takeover = self.server_takeover && !offered.server_no_takeover;
        let server_bits = offered
            .server_window_bits
            .map_or(self.server_window_bits, |bits| bits.min(self.server_window_bits));
        let (client_bits, fits) = match offered.client_window {
            ClientWindow::Absent => (WINDOW_BITS_MAX, self.client_window_bits == WINDOW_BITS_MAX),
            ClientWindow::Any => (self.client_window_bits, true),
            ClientWindow::Bits(bits) => (bits.min(self.client_window_bits), true),
        };
        let client_takeover = self.client_takeover && !offered.client_no_takeover && room && fits;
        let mut value = String::from(NAME);
        let mut push = |name: &str, bits: Option<u8>| push_param(&mut value, name, bits);
        if !server_takeover {
            push(SERVER_NO_TAKEOVER, None);
        }
        if !client_takeover {
            push(CLIENT_NO_TAKEOVER, None);
        }
        // Section 7.1.2.1: an offer that has it is accepted by an answer that has it.
        if server_bits < WINDOW_BITS_MAX || offered.server_window_bits.is_some() {
            push(SERVER_WINDOW, Some(server_bits));
        }
        // Section 7.1.2.2: an answer has it only if the offer has.
        if client_bits < WINDOW_BITS_MAX {
            push(CLIENT_WINDOW, Some(client_bits));
        }
        (Deflate::new(server_takeover, client_takeover, server_bits, client_bits), value)
    }

    /// The client's offer, for Sec-WebSocket-Extensions. It always says that the client can be told how
    /// large its window may be.
    pub fn offer(&self) -> String {
        let mut value = String::from(NAME);
        let mut push = |name: &str, bits: Option<u8>| push_param(&mut value, name, bits);
        if !self.server_takeover {
            push(SERVER_NO_TAKEOVER, None);
        }
        if !self.client_takeover {
            push(CLIENT_NO_TAKEOVER, None);
        }
        if self.server_window_bits < WINDOW_BITS_MAX {
            push(SERVER_WINDOW, Some(self.server_window_bits));
        }
        push(CLIENT_WINDOW, (self.client_window_bits < WINDOW_BITS_MAX).then_some(self.client_window_bits));
        value
    }

    /// What the server's answer to [`offer`](Self::offer) agrees to; `None` if it has no permessage-deflate.
    ///
    /// # Errors
    /// The server's fault: parameters that RFC 7692 section 7.1 does not allow in an answer, or that do not
    /// keep to the offer. The connection has to be failed (section 5.1).
    pub fn agreed(&self, answer: &[ExtensionOffer<'_>]) -> Result<Option<Deflate>, OpeningError> {
        let mut chosen = answer.iter().filter(|extension| extension.name() == NAME);
        let Some(extension) = chosen.next() else { return Ok(None) };
        let fault =
            |expected: &str| OpeningError::Deflate { found: shown(extension), expected: expected.into() };
        if chosen.next().is_some() {
            return Err(fault("it once"));
        }
        let params = Params::parse(extension)
            .ok_or_else(|| fault("known parameters, each once, with windows of 8 to 15"))?;
        if !self.server_takeover && !params.server_no_takeover {
            return Err(fault("server_no_context_takeover, which was asked for"));
        }
        let server_bits = match params.server_window_bits {
            Some(bits) if bits <= self.server_window_bits => bits,
            None if self.server_window_bits == WINDOW_BITS_MAX => WINDOW_BITS_MAX,
            _ => {
                let most = self.server_window_bits;
                return Err(fault(&format!("server_max_window_bits of at most {most}, which was asked for")));
            }
        };
        let client_bits = match params.client_window {
            ClientWindow::Absent => self.client_window_bits,
            ClientWindow::Any => return Err(fault("a value of client_max_window_bits")),
            // More than was offered allows no more: section 7.1.2.2.
            ClientWindow::Bits(bits) => bits.min(self.client_window_bits),
        };
        let client_takeover = self.client_takeover && !params.client_no_takeover;
        Ok(Some(Deflate::new(!params.server_no_takeover, client_takeover, server_bits, client_bits)))
    }
}

impl Params {
    /// `None` if they are to be declined. Section 7.1: declined are unknown parameters, a parameter that is there twice, values where none
    /// belongs and windows out of range.
    fn parse(extension: &ExtensionOffer<'_>) -> Option<Self> {
        let mut params = Self::default();
        for (name, value) in extension.params() {
            let first = match (name, value) {
                (SERVER_NO_TAKEOVER, None) => !std::mem::replace(&mut params.server_no_takeover, true),
                (CLIENT_NO_TAKEOVER, None) => !std::mem::replace(&mut params.client_no_takeover, true),
                (SERVER_WINDOW, Some(value)) => {
                    params.server_window_bits.replace(window_bits(value)?).is_none()
                }
                (CLIENT_WINDOW, value) => {
                    let window = match value {
                        Some(value) => ClientWindow::Bits(window_bits(value)?),
                        None => ClientWindow::Any,
                    };
                    std::mem::replace(&mut params.client_window, window) == ClientWindow::Absent
                }
                _ => false,
            };
            if !first {
                return None;
            }
        }
        Some(params)
    }
}

/// Section 7.1.2: a decimal from 8 to 15 without leading zeros.
fn window_bits(value: &str) -> Option<u8> {
    let plain = matches!(value.as_bytes(), [b'8' | b'9'] | [b'1', b'0'..=b'5']);
    value.parse().ok().filter(|bits| plain && (WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(bits))
}

fn push_param(value: &mut String, name: &str, bits: Option<u8>) {
    value.push_str("; ");
    value.push_str(name);
    if let Some(bits) = bits {
        value.push('=');
        value.push_str(&bits.to_string());
    }
}

/// The extension as a header would have it, for a message.
fn shown(extension: &ExtensionOffer<'_>) -> String {
    let mut text = String::from(extension.name());
    for (name, value) in extension.params() {
        text.push_str("; ");
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
    }
    text
}
