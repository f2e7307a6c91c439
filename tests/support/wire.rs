//! A socket by hand: bytes as they are, and how the connection came to its end. Knows no HTTP; `http1` and `document` do.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::DEADLINE;
use super::document::check_exchange;

/// How the other end closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In good order (FIN): everything that was sent has arrived.
    Closed,
    /// By a reset (RST): what was under way is lost.
    Reset,
}

pub struct Wire {
    socket: TcpStream,
    /// All that was sent so far.
    asked: Vec<u8>,
    /// All that has come so far.
    pub seen: Vec<u8>,
}

impl Wire {
    pub async fn to(server: SocketAddr) -> Self {
        let socket = TcpStream::connect(server).await.expect("the server listens");
        Self { socket, asked: Vec::new(), seen: Vec::new() }
    }

    /// With a small receive buffer (bytes), so that the other end notices soon when nobody reads.
    pub async fn narrow(server: SocketAddr, bytes: u32) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(bytes).expect("the buffer can be set before connecting");
        let socket = socket.connect(server).await.expect("the server listens");
        Self { socket, asked: Vec::new(), seen: Vec::new() }
    }

    /// Opens and sends the head of a request, whose lines end with LF here.
    pub async fn asks(server: SocketAddr, head: &str) -> Self {
        let mut wire = Self::to(server).await;
        wire.sends(head.replace('\n', "\r\n").as_bytes()).await;
        wire
    }

    pub async fn sends(&mut self, bytes: &[u8]) {
        self.tries_to_send(bytes).await.expect("the connection is open");
    }

    pub async fn tries_to_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.asked.extend_from_slice(bytes);
        self.socket.write_all(bytes).await
    }

    /// Says that nothing more will be sent.
    pub async fn half_closes(&mut self) {
        self.socket.shutdown().await.expect("writing can be shut down");
    }

    /// Closes by a reset, as a machine does that was switched off and on.
    pub fn resets(self) {
        let now = Some(std::time::Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(&self.socket, now).expect("a socket can linger");
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Reads until the text has come that many times in all.
    pub async fn until_times(&mut self, times: usize, what: &str) -> String {
        while self.text().matches(what).count() < times {
            let more = self.reads(16 * 1024).await;
            assert_eq!(more, None, "it ended before {what:?} came: {}", self.text());
        }
        self.text()
    }

    pub async fn until(&mut self, what: &str) -> String {
        self.until_times(1, what).await
    }

    /// Reads until the other end closes.
    pub async fn until_the_end(&mut self) -> End {
        loop {
            if let Some(end) = self.reads(16 * 1024).await {
                return end;
            }
        }
    }

    /// Reads at most so many bytes, under the deadline of all tests; the end if that is what came.
    pub async fn reads(&mut self, most: usize) -> Option<End> {
        let mut buffer = vec![0; most];
        let read = tokio::time::timeout(DEADLINE, self.socket.read(&mut buffer));
        match read.await.unwrap_or_else(|_| panic!("nothing more came after: {}", self.text())) {
            Ok(0) => Some(End::Closed),
            Ok(count) => {
                self.seen.extend_from_slice(&buffer[..count]);
                None
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Some(End::Reset),
            Err(error) => panic!("{error} after: {}", self.text()),
        }
    }
}

impl Drop for Wire {
    /// Holds what came against the document, once it is complete.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            check_exchange(&self.asked, &self.text());
        }
    }
}
