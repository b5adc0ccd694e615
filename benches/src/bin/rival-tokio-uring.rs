//! wsring's own async adapter on tokio-uring as an echo server: one runtime on one thread, as that
//! library wants it, with the ring settings of [`adapter::runtime`].

use clap::Parser;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use tokio_uring::net::TcpStream;
use wsring::adapter::{self, Error, Options};

/// An echo server on wsring's adapter for tokio-uring.
#[derive(Parser)]
struct Arguments {
    /// Port on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Core to run on
    #[arg(long)]
    core: Option<usize>,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    if let Some(core) = arguments.core {
        wsring_benches::proc::pin(core)?;
    }
    let listener = listen(arguments.port)?;
    println!("rival-tokio-uring listening on {}", listener.local_addr()?);
    adapter::runtime().start(async {
        let listener = tokio_uring::net::TcpListener::from_std(listener);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio_uring::spawn(echo(stream));
        }
    })
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let mut socket = adapter::accept(stream, Options::default()).await?;
    socket.for_each(|kind, payload, outbox| outbox.message(kind, payload)).await
}

/// In blocking mode, as tokio-uring wants it.
fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}
