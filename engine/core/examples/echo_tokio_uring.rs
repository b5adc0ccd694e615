//! Sends every message back, on every path, with the async adapter on tokio-uring: one runtime per
//! thread, and listeners that share the port.
//! `cargo run --release --features tokio-uring --example echo_tokio_uring -- --listen 127.0.0.1:9001`.

use clap::Parser;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;
use wsring::adapter::{self, Options};

/// Sends every message back.
#[derive(Parser)]
struct Arguments {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
    /// Threads; one per core when not given.
    #[arg(long)]
    shards: Option<NonZeroUsize>,
    /// Core of the first thread.
    #[arg(long)]
    pin: Option<usize>,
}

fn main() {
    if let Err(error) = run(Arguments::parse()) {
        eprintln!("echo_tokio_uring: {error}");
        std::process::exit(1);
    }
}

fn run(arguments: Arguments) -> io::Result<()> {
    let threads = arguments.shards.map_or_else(thread::available_parallelism, Ok)?;
    // All are bound before the first serves, so that an address in use is told at once.
    let listeners: Vec<TcpListener> =
        (0..threads.get()).map(|_| listen(arguments.listen)).collect::<io::Result<_>>()?;
    let threads: Vec<_> = listeners
        .into_iter()
        .enumerate()
        .map(|(number, listener)| {
            let core = arguments.pin.map(|first| first + number);
            thread::spawn(move || serve(listener, core))
        })
        .collect();
    for thread in threads {
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
    Ok(())
}

/// A listener in blocking mode, as tokio-uring wants it.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

fn serve(listener: TcpListener, core: Option<usize>) {
    if let Some(core) = core {
        let mut cores = rustix::thread::CpuSet::new();
        cores.set(core);
        if let Err(error) = rustix::thread::sched_setaffinity(None, &cores) {
            eprintln!("echo_tokio_uring: cannot run on core {core}: {error}");
        }
    }
    adapter::runtime().start(async {
        let listener = tokio_uring::net::TcpListener::from_std(listener);
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio_uring::spawn(connection(stream))),
                Err(error) => {
                    // Most likely there are no descriptors left: wait for connections to end.
                    eprintln!("echo_tokio_uring: accept: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
}

async fn connection(stream: tokio_uring::net::TcpStream) {
    let echo = async {
        let mut socket = adapter::accept(stream, Options::default()).await?;
        socket.for_each(|kind, payload, outbox| outbox.message(kind, payload)).await
    };
    match echo.await {
        // Clients leave as they like.
        Ok(()) | Err(adapter::Error::Lost(_)) => {}
        Err(error) => eprintln!("echo_tokio_uring: {error}"),
    }
}
