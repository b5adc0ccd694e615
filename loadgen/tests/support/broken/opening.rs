//! The opening handshake of the broken server.

use super::compression::{Agreed, negotiate};
use super::{Fault, end};
use std::io::{Read, Write};
use std::net::TcpStream;
use wsring_proto::handshake::accept_key;

/// An accepted handshake: bytes that came behind it, and compression if that was agreed on.
pub(super) struct Opened {
    pub(super) rest: Vec<u8>,
    pub(super) agreed: Option<Agreed>,
}

struct Request {
    start: String,
    headers: Vec<(String, String)>,
    fault: Fault,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let same = |found: &str| match self.fault {
            Fault::NamesInOneCase => found == name,
            _ => found.eq_ignore_ascii_case(name),
        };
        self.headers.iter().find(|(found, _)| same(found)).map(|(_, value)| value.as_str())
    }
}

/// Reads a request and answers it; `None` when the connection is no WebSocket.
pub(super) fn answer(stream: &mut TcpStream, fault: Fault) -> Option<Opened> {
    let Some((request, mut rest)) = read(stream, fault) else {
        refuse(stream, "400 Bad Request");
        return None;
    };
    if let Some(status) = refusal(&request) {
        refuse(stream, status);
        return None;
    }
    if fault == Fault::EarlyBytesLost {
        rest.clear();
    }
    let (text, agreed) = switching(&request);
    stream.write_all(text.as_bytes()).ok()?;
    Some(Opened { rest, agreed })
}

fn read(stream: &mut TcpStream, fault: Fault) -> Option<(Request, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if fault == Fault::OpeningInOneRead && !bytes.is_empty() {
            return None;
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    };
    let rest = bytes.split_off(end);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines();
    let start = lines.next()?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect();
    Some((Request { start, headers, fault }, rest))
}

/// Why this is no right handshake.
fn refusal(request: &Request) -> Option<&'static str> {
    let fault = request.fault;
    if !request.start.starts_with("GET ") && fault != Fault::MethodIgnored {
        return Some("405 Method Not Allowed");
    }
    let upgrade = request.header("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    if !upgrade && fault != Fault::UpgradeOptional {
        return Some("200 OK");
    }
    let lists = |value: &str| value.split(',').any(|item| item.trim().eq_ignore_ascii_case("upgrade"));
    let connection = request.header("Connection").is_some_and(|value| match fault {
        Fault::ConnectionIsNoList => value.eq_ignore_ascii_case("upgrade"),
        _ => lists(value),
    });
    if !connection && fault != Fault::ConnectionOptional {
        return Some("400 Bad Request");
    }
    match request.header("Sec-WebSocket-Version") {
        None if fault != Fault::VersionOptional => return Some("400 Bad Request"),
        Some("13") | None => {}
        Some(_) if fault == Fault::VersionIgnored => {}
        Some(_) if fault == Fault::VersionsUnsaid => return Some("400 Bad Request"),
        Some(_) => return Some("426 Upgrade Required\r\nSec-WebSocket-Version: 13"),
    }
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    let is_key = |key: &str| key.len() == 24 && key.ends_with("==") && key[..22].bytes().all(base64);
    if fault == Fault::SubprotocolNeeded && request.header("Sec-WebSocket-Protocol") != Some("chess") {
        return Some("400 Bad Request");
    }
    match request.header("Sec-WebSocket-Key") {
        None if fault != Fault::KeyOptional => Some("400 Bad Request"),
        Some(key) if !is_key(key) && fault != Fault::KeyUnchecked => Some("400 Bad Request"),
        _ => None,
    }
}

fn refuse(stream: &mut TcpStream, status: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    if let Ok(stream) = stream.try_clone() {
        end(stream);
    }
}

/// The answer to a right handshake.
fn switching(request: &Request) -> (String, Option<Agreed>) {
    let fault = request.fault;
    let key = request.header("Sec-WebSocket-Key").unwrap_or_default();
    let mut accept = accept_key(key.as_bytes()).escape_ascii().to_string();
    if fault == Fault::WrongAccept {
        accept = accept.to_lowercase();
    }
    let mut text = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n"
    );
    if fault != Fault::NoConnectionHeader {
        text += "Connection: Upgrade\r\n";
    }
    match request.header("Sec-WebSocket-Protocol") {
        Some(_) if fault == Fault::SubprotocolInvented => text += "Sec-WebSocket-Protocol: superchat\r\n",
        Some(_) if fault == Fault::SubprotocolNeeded => text += "Sec-WebSocket-Protocol: chess\r\n",
        None if fault == Fault::SubprotocolUnasked => text += "Sec-WebSocket-Protocol: superchat\r\n",
        _ => {}
    }
    let offer = request.header("Sec-WebSocket-Extensions");
    let (chosen, agreed) = match offer.filter(|offer| offer.starts_with("permessage-deflate")) {
        Some(offer) => negotiate(offer, fault),
        None if offer.is_none() && fault == Fault::ExtensionUnasked => (Some("x-unasked".into()), None),
        None if offer.is_some() && fault == Fault::ExtensionInvented => (Some("x-invented".into()), None),
        None => (None, None),
    };
    if let Some(chosen) = chosen {
        text += &format!("Sec-WebSocket-Extensions: {chosen}\r\n");
    }
    (text + "\r\n", agreed)
}
