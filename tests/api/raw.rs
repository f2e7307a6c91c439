//! Requests that no client library would send, byte for byte, and what comes back.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Client, DEADLINE, Server, check_exchange};

/// An answer as it came over the socket; `status` is 0 where the server only closed.
#[derive(Debug)]
pub struct Raw {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Raw {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// Status and code, for one comparison; the code is empty where there is no problem.
    pub fn verdict(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// Sends bytes as they are, and reads until the server closes.
pub async fn send(client: &Client, bytes: &[u8]) -> Raw {
    Raw::read(&client.exchange(bytes).await)
}

/// The same for a sender that gives up when it cannot send all of it, as most libraries do.
pub async fn send_all(server: &Server, bytes: &[u8]) -> Raw {
    let exchange = async {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        socket.write_all(bytes).await.expect("all of it can be sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("the answer can be read");
        answer
    };
    let answer = tokio::time::timeout(DEADLINE, exchange).await.expect("the server answers in time");
    check_exchange(bytes, &answer);
    Raw::read(&answer)
}

/// A request with a head of our own making; the last header asks the server to close.
pub async fn request(client: &Client, line: &str, headers: &str, body: &[u8]) -> Raw {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{line} HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\n{length}{headers}\r\n");
    send(client, &[head.as_bytes(), body].concat()).await
}

/// A POST of bytes that claim to be JSON.
pub async fn post(client: &Client, path: &str, body: &[u8]) -> Raw {
    let token = client.bearer().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let headers = format!("Content-Type: application/json\r\n{token}");
    request(client, &format!("POST {path}"), &headers, body).await
}
