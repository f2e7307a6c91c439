//! The part of HTTP/1.1 that reading a stream by hand takes: a head, then chunks. It is strict, so that a server which breaks
//! the framing is noticed. A library would hide stalls, half frames and how a connection ended.

use std::net::SocketAddr;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::DEADLINE;
use super::answer::Answer;

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// A header, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The answer with this body.
    pub(super) fn with_body(&self, what: &str, body: &[u8]) -> Answer {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            headers.append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        let text = String::from_utf8_lossy(body).into_owned();
        let json = serde_json::from_slice(body).unwrap_or(Value::Null);
        Answer { what: what.to_owned(), status: self.status, headers, text, json }
    }
}

/// A connection on which one request was sent.
pub struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn new(socket: TcpStream) -> Self {
        Self { socket, buffer: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).await.expect("the request can be sent");
    }

    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Says that nothing more will be sent (half-close).
    pub async fn finish_sending(&mut self) {
        self.socket.shutdown().await.expect("writing can be shut down");
    }

    pub async fn head(&mut self) -> Head {
        self.try_head().await.unwrap_or_else(|error| panic!("in the head: {error}"))
    }

    /// The same where the connection may break. A malformed head still fails the test.
    pub async fn try_head(&mut self) -> Result<Head, String> {
        let status_line = self.try_line().await?;
        let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {status_line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.try_line().await?;
            if line.is_empty() {
                return Ok(Head { status, headers });
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line:?}"));
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next chunk; `None` after the last one. Cutting a chunk short, or leaving the terminator out, is an error.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        let line = self.try_line().await?;
        let length = usize::from_str_radix(&line, 16).map_err(|_| format!("no chunk length: {line:?}"))?;
        let mut bytes = self.take(length + 2).await?;
        if bytes.split_off(length) != b"\r\n" {
            return Err("a chunk is longer than it says".into());
        }
        Ok((length > 0).then_some(bytes))
    }

    /// Bytes that come after the last chunk until the server closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await.is_ok_and(|more| more) {}
        std::mem::take(&mut self.buffer)
    }

    async fn try_line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(end + 2).await?;
                return String::from_utf8(line[..end].to_vec())
                    .map_err(|_| "a line that is not UTF-8".into());
            }
            self.more().await?;
        }
    }

    /// Exactly so many bytes.
    pub async fn take(&mut self, count: usize) -> Result<Vec<u8>, String> {
        while self.buffer.len() < count {
            self.more().await?;
        }
        let rest = self.buffer.split_off(count);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    async fn more(&mut self) -> Result<(), String> {
        match self.fill().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("the connection was closed in the middle".into()),
            Err(error) => Err(format!("the connection broke: {error}")),
        }
    }

    /// Whether there was anything to read before the end.
    async fn fill(&mut self) -> std::io::Result<bool> {
        self.socket.read_buf(&mut self.buffer).await.map(|count| count > 0)
    }
}

/// Sends bytes and gives what came back until the server closed, under the deadline of all tests.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let exchange = async {
        let mut socket = TcpStream::connect(address).await.expect("the server listens");
        // A server may refuse before it has read all; what it answered is what counts.
        let _ = socket.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(DEADLINE, exchange).await.expect("the server answers and closes in time")
}

mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::Connection;

    /// A connection whose other end sent these bytes and closed.
    async fn after(bytes: &[u8]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut sender, _) = listener.accept().await.unwrap();
        sender.write_all(bytes).await.unwrap();
        Connection::new(socket)
    }

    #[tokio::test]
    async fn chunks_are_read_to_the_terminator() {
        let mut connection =
            after(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n3\r\nabc\r\n1\r\n\n\r\n0\r\n\r\nrest").await;
        let head = connection.head().await;
        assert_eq!((head.status, head.header("a")), (200, "b"));
        assert_eq!(connection.chunk().await, Ok(Some(b"abc".to_vec())));
        assert_eq!(connection.chunk().await, Ok(Some(b"\n".to_vec())));
        assert_eq!(connection.chunk().await, Ok(None));
        assert_eq!(connection.rest().await, b"rest");
    }

    #[tokio::test]
    async fn broken_framing_is_an_error() {
        for bytes in [&b"3\r\nab"[..], b"3\r\nabcd\r\n", b"x\r\n", b"", b"0\r\n"] {
            assert!(after(bytes).await.chunk().await.is_err(), "{bytes:?}");
        }
    }
}
