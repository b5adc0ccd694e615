//! A small WebSocket server, written by hand and apart from everything else here, that is right in all but
//! one thing: the fault it is started with. Each connection has a thread.

mod compression;
mod opening;
mod session;

use crate::serve::serve;
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// What is wrong with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Fault {
    None,
    // Right as well, and not like most: one insists on a subprotocol; one greets, sends news and Pongs for which
    // nobody asked, and has a limit.
    SubprotocolNeeded, Talkative,
    // The opening handshake.
    WrongAccept, NoConnectionHeader, VersionIgnored, VersionsUnsaid, VersionOptional, KeyOptional, KeyUnchecked,
    UpgradeOptional, ConnectionOptional, MethodIgnored, NamesInOneCase, ConnectionIsNoList, SubprotocolInvented,
    SubprotocolUnasked, ExtensionInvented, ExtensionUnasked, OpeningInOneRead, EarlyBytesLost,
    // Frames.
    NoEcho, UnmaskedAccepted, MasksFrames, ReservedBitsIgnored, OpcodesIgnored, LengthsWrittenLong,
    LengthFormsUnchecked, TopBitIgnored,
    // Control frames.
    LongPongCut, PingWaitsForMessage, PingsInARowLost, LatestPongOnly, PongAnswered, ControlFragmentsAccepted,
    ControlLengthUnchecked,
    // Messages.
    EmptyFragmentEnds, ContinuationBegins, Interleaves, Utf8PerFrame, Utf8Surrogates, Utf8MayBeCut, Utf8Unchecked,
    Utf8Is1002,
    // Delivery and size.
    LoneByteLost, FramesPerReadBounded, LargeMessagesCut, LargeMessagesRefused, HugeFramesAwaited,
    // Closing.
    ClosesAlike, CloseUnanswered, EmptyCloseIs1005, TcpLeftOpen, AnswersAfterClose, CloseCodesUnchecked,
    CloseByteAccepted, CloseReasonUnchecked, EndsWithoutClose,
    // permessage-deflate.
    WindowUnasked, OffersUnchecked, OwnTakeoverKept, OwnWindowIgnored, ContextLost, PlainRefused,
    FragmentsInflatedAlone, FinalBlockRefused, ContinuationBitIgnored, ControlBitIgnored, BrokenStreamIgnored,
    InflatedUtf8Unchecked,
}

/// Starts a server, which runs as long as the test's process.
pub(crate) fn start(fault: Fault) -> SocketAddr {
    serve(move |mut stream| {
        let Some(opened) = opening::answer(&mut stream, fault) else { return };
        session::Session::new(stream, fault, opened).run();
    })
}

/// Ends a connection so that all that was sent arrives: closing with unread bytes would reset it.
fn end(mut stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut rest = [0; 4096];
    while stream.read(&mut rest).is_ok_and(|count| count > 0) {}
}
