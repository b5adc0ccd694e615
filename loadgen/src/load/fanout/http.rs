//! Publishing by POST: where to, what is sent, and what is answered.

use super::publish::Campaign;
use crate::failure::Failure;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may take to answer a POST.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Where POSTs go.
#[derive(Clone, Debug)]
pub(crate) struct HttpTarget {
    host: String,
    address: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl HttpTarget {
    /// Of an `http://` URL.
    ///
    /// # Errors
    /// The caller's fault: it is no such URL.
    pub(crate) fn new(url: &str, headers: &[(String, String)]) -> Result<Self, Failure> {
        let wrong =
            || Failure::Usage(format!("--publish-url {url}: publishing by HTTP needs http://HOST:PORT/PATH"));
        let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        if host.is_empty() || url.contains(char::is_whitespace) {
            return Err(wrong());
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port { host.to_owned() } else { format!("{host}:80") };
        Ok(Self { host: host.to_owned(), address, path: path.to_owned(), headers: headers.to_vec() })
    }

    /// With a body.
    fn request(&self, body: &[u8]) -> Vec<u8> {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (path, host, length) = (&self.path, &self.host, body.len());
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{headers}\r\n");
        [head.as_bytes(), body].concat()
    }

    /// POSTs a body, on the connection that was kept where there is one, and returns the status of the answer.
    fn post(&self, body: &[u8], kept: &mut Option<BufReader<TcpStream>>) -> io::Result<u16> {
        let mut stream = match kept.take().filter(is_silent) {
            Some(stream) => stream,
            None => self.connect()?,
        };
        stream.get_mut().write_all(&self.request(body))?;
        let (status, keeps) = answer(&mut stream)?;
        *kept = keeps.then_some(stream);
        Ok(status)
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(BufReader::new(stream))
    }
}

/// POSTs what is one publisher's, on one connection for as long as the server keeps it.
pub(crate) fn post(campaign: &Campaign, target: &HttpTarget, publisher: u32) {
    let mut kept = None;
    campaign.walk(publisher, |body| match target.post(body, &mut kept) {
        Ok(200..=299) => Ok(()),
        Ok(status) => Err(format!("publishing was answered with {status}")),
        Err(cause) => Err(format!("publishing failed: {cause}")),
    });
}

/// Whether nothing has come on a connection since its last answer: neither its end nor anything that nobody asked for.
fn is_silent(stream: &BufReader<TcpStream>) -> bool {
    let socket = stream.get_ref();
    let peek = || {
        socket.set_nonblocking(true)?;
        let peeked = socket.peek(&mut [0]);
        socket.set_nonblocking(false)?;
        peeked
    };
    stream.buffer().is_empty() && peek().is_err_and(|cause| cause.kind() == io::ErrorKind::WouldBlock)
}

/// The status of an answer, and whether another request may follow; its body is read over.
fn answer(stream: &mut impl BufRead) -> io::Result<(u16, bool)> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.trim().parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no HTTP answer: {:?}", line.trim())))?;
    let (mut length, mut keeps) = (None, !line.starts_with("HTTP/1.0"));
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<u64>().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            keeps &= !value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"));
        }
    }
    if let Some(length) = length {
        io::copy(&mut stream.take(length), &mut io::sink())?;
    }
    // What has no length ends with its connection, or is in pieces that are not worth reading.
    Ok((status, keeps && (length.is_some() || status == 204)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn answers_are_read_to_their_end() {
        type Answered = Option<(u16, bool)>;
        let table: [(&str, Answered, &str); 10] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcREST", Some((200, true)), "REST"),
            ("HTTP/1.1 204 No Content\r\n\r\nREST", Some((204, true)), "REST"),
            ("HTTP/1.1 200 OK\r\n\r\nREST", Some((200, false)), "REST"),
            ("HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", Some((403, false)), ""),
            ("HTTP/1.1 200 OK\r\nConnection:Close\r\nContent-Length: 0\r\n\r\n", Some((200, false)), ""),
            ("HTTP/1.1 200 OK\r\nCONNECTION: x ,CLOSE\r\nContent-Length: 0\r\n\r\n", Some((200, false)), ""),
            ("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length:0\r\n\r\n", Some((200, true)), ""),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", Some((200, false)), ""),
            ("220 mail.example ESMTP\r\n\r\n", None, ""),
            ("", None, ""),
        ];
        for (text, expected, rest) in table {
            let mut stream = text.as_bytes();
            let found = answer(&mut stream).ok();
            assert_eq!(found, expected, "{text:?}");
            assert!(found.is_none() || stream == rest.as_bytes(), "{text:?}");
        }
    }

    /// A server that closes each connection after so many answers, and does not say so.
    #[test]
    fn a_connection_that_the_server_has_closed_is_not_used_again() {
        for answers in [1, 2] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let url = format!("http://{}/", listener.local_addr().expect("its address"));
            let accepted = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&accepted);
            thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    counter.fetch_add(1, Ordering::Relaxed);
                    for _ in 0..answers {
                        assert!(stream.read(&mut [0; 1024]).expect("a request") > 0);
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                            .expect("it is read");
                    }
                }
            });
            let (target, mut kept) = (HttpTarget::new(&url, &[]).expect("it is one"), None);
            for number in 1..=4 {
                assert_eq!(target.post(b"hi", &mut kept).expect("an answer"), 200, "message {number}");
                let stream = kept.as_ref().expect("nobody has said that it ends").get_ref();
                if number % answers == 0 {
                    // Returns when it has ended.
                    assert_eq!(stream.peek(&mut [0]).unwrap_or(0), 0);
                }
            }
            assert_eq!(accepted.load(Ordering::Relaxed), 4 / answers, "each takes {answers} messages");
        }
    }

    #[test]
    fn targets_of_posts() {
        let target =
            HttpTarget::new("http://localhost/topics/a", &[("X".into(), "1".into())]).expect("it is one");
        assert_eq!(target.address, "localhost:80");
        let request = "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nX: 1\r\n\r\nhi";
        assert_eq!(target.request(b"hi"), request.as_bytes());
        assert_eq!(HttpTarget::new("http://localhost:81", &[]).expect("it is one").address, "localhost:81");
        for url in ["https://a/", "http:///b", "http://a/ b"] {
            assert!(HttpTarget::new(url, &[]).is_err(), "{url}");
        }
    }
}
