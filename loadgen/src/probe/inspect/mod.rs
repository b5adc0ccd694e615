//! `inspect`: one conversation with a server, byte by byte, to learn from and to find faults with.
//!
//! ```text
//!   handshake      the opening, header by header
//!   conversation   what is sent and what comes, until both have closed
//!   receiving      frames put together to messages, and what is wrong about them
//!   picture        one frame as annotated bytes
//!   feed input     what comes from the server, and lines from standard input
//! ```

mod conversation;
mod feed;
mod handshake;
mod input;
mod picture;
mod receiving;

use super::deflate::{Deflater, NAME};
use super::paint::{Paint, Tone};
use super::request::Request;
use super::target::Target;
use crate::args::InspectOptions;
use crate::failure::Failure;
use crate::model::Verdict as Met;
use conversation::{Conversation, Counts, Stage};
use feed::Feed;
use handshake::Explained;
use picture::Style;
use receiving::Receiving;
use std::io::{self, IsTerminal, Write};
use std::net::TcpStream;
use wsring_proto::Masking;

/// Holds the conversation that was asked for; not met when the server broke the protocol.
///
/// # Errors
/// The caller's fault: no URL of a server without TLS, or no subprotocol. The server's: it did not open a
/// WebSocket, or not rightly. The environment's: it is not reached, or the output cannot be written.
pub(crate) fn run(options: &InspectOptions) -> Result<Met, Failure> {
    let target = Target::new(&options.url, &options.peer)?;
    let mut keys = Masking::new(seed(options.seed).map_err(|error| target.failure(error))?);
    let request = opening(&target, options, &mut keys)?;
    let mut stream = target.connect().map_err(|error| target.failure(error))?;
    let mut style = Style { paint: Paint::for_output(), bytes_max: options.bytes, deflate: false };
    let mut out = io::stdout().lock();
    write!(out, "{}", heading(&target, style)).map_err(output)?;
    write!(out, "{}", handshake::request(&request, style)).map_err(output)?;
    let (explained, rest) = open(&mut stream, &target, &request, style, &mut out)?;
    style.deflate = explained.agreed.is_some();
    hint(options, style, &mut out).map_err(output)?;
    let reading = stream.try_clone().and_then(Feed::start);
    let mut conversation = Conversation {
        options,
        feed: reading.map_err(|error| target.failure(error))?,
        stream,
        keys,
        style,
        out: &mut out,
        receiving: Receiving::new(explained.agreed),
        deflater: explained.agreed.map(Deflater::new),
        stage: Stage::Open,
        counts: Counts::default(),
        buffer: rest,
        pings: Vec::new(),
    };
    let faults = conversation.hold().map_err(output)?;
    Ok(if faults == 0 { Met::Met } else { Met::NotMet })
}

/// The entropy of keys and masks.
fn seed(number: Option<u64>) -> Result<[u8; 32], getrandom::Error> {
    let mut seed = [0; 32];
    match number {
        Some(number) => seed[..8].copy_from_slice(&number.to_le_bytes()),
        None => getrandom::fill(&mut seed)?,
    }
    Ok(seed)
}

fn opening(target: &Target, options: &InspectOptions, keys: &mut Masking) -> Result<Request, Failure> {
    let mut entropy = [0; 16];
    entropy.as_chunks_mut::<4>().0.iter_mut().for_each(|part| *part = keys.key());
    let mut request = target.request_with(entropy);
    if let Some(wrong) = options.subprotocol.iter().find(|name| !is_token(name)) {
        return Err(Failure::Usage(format!(
            "--subprotocol {wrong:?} is no token such as chat or v1.example"
        )));
    }
    if !options.subprotocol.is_empty() {
        request = request.with("Sec-WebSocket-Protocol", &options.subprotocol.join(", "));
    }
    if options.deflate {
        request = request.with("Sec-WebSocket-Extensions", &format!("{NAME}; client_max_window_bits"));
    }
    Ok(request)
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte))
}

/// Sends the request and shows the answer.
fn open(
    stream: &mut TcpStream,
    target: &Target,
    request: &Request,
    style: Style,
    out: &mut dyn Write,
) -> Result<(Explained, Vec<u8>), Failure> {
    stream.write_all(&request.encode()).map_err(|error| target.failure(error))?;
    let answer = feed::read_answer(stream, target.patience);
    let (answer, rest) = answer.map_err(|why| target.failure(format!("the server's answer: {why}")))?;
    let explained = handshake::answer(request, &answer, style);
    write!(out, "{}", explained.text).map_err(output)?;
    match explained.faults.first() {
        None => Ok((explained, rest)),
        Some(fault) => Err(target.failure(format!("the server answered {fault}"))),
    }
}

fn heading(target: &Target, style: Style) -> String {
    let url = style.paint.tone(Tone::Strong, &target.url);
    format!("{url} at {}, plain TCP\n", target.address)
}

/// What a person at a terminal can write.
fn hint(options: &InspectOptions, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if !options.script.actions.is_empty() || !io::stdin().is_terminal() {
        return Ok(());
    }
    let text = "each line is sent as a message; /ping TEXT, /hex BYTES, /fragments N TEXT, /close CODE REASON; \
                Ctrl-D ends";
    writeln!(out, "\n{}", style.paint.tone(Tone::Faint, text))
}

fn output(cause: io::Error) -> Failure {
    Failure::Report { path: "standard output".into(), cause }
}
