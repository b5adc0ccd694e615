//! fastwebsockets as an echo server, with its own upgrade over hyper, as its documentation shows.
//!
//! Like the library's own benchmark it takes the connection's task out of tokio's budget.

use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollector, OpCode, WebSocketError};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wsring_benches::rival;

fn main() -> std::io::Result<()> {
    rival::serve("rival-fastwebsockets", connection)
}

async fn connection(stream: TcpStream) -> Result<(), hyper::Error> {
    http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(open)).with_upgrades().await
}

async fn open(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgraded) = upgrade(&mut request)?;
    tokio::spawn(tokio::task::unconstrained(echo(upgraded)));
    Ok(response)
}

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}
