//! A client that costs little beside the server: one keep-alive connection, requests written as bytes.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const PASSWORD: &str = "correct horse battery staple";

pub struct Client {
    socket: TcpStream,
    token: String,
    buffer: Vec<u8>,
}

impl Client {
    pub async fn connect(address: SocketAddr, token: &str) -> Self {
        let socket = TcpStream::connect(address).await.expect("the server listens");
        socket.set_nodelay(true).expect("TCP_NODELAY");
        Self { socket, token: token.to_owned(), buffer: Vec::new() }
    }

    /// Registers somebody and signs them in.
    pub async fn sign_up(address: SocketAddr, username: &str) -> Self {
        let mut client = Self::connect(address, "").await;
        let account = json!({"username": username, "password": PASSWORD});
        client.request("POST", "/v1/users", &account).await;
        let sign_in = client.request("POST", "/v1/login", &account).await;
        sign_in["access_token"].as_str().expect("a token").clone_into(&mut client.token);
        client
    }

    /// A second connection of the same person.
    pub async fn again(&self) -> Self {
        Self::connect(self.socket.peer_addr().expect("connected"), &self.token).await
    }

    pub async fn request(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.exchange(method, path, &body).await;
        serde_json::from_slice(&answer).expect("JSON")
    }

    /// Sends one request and gives the bytes of its answer's body. Any status but 2xx ends the measurement.
    pub async fn exchange(&mut self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let (status, answer) = self.attempt(method, path, body).await;
        let text = || String::from_utf8_lossy(&answer);
        assert!((200..300).contains(&status), "{method} {path}: {status} {}", text());
        answer
    }

    /// Sends one request and gives the status and the body's bytes of its answer.
    pub async fn attempt(&mut self, method: &str, path: &str, body: &str) -> (u16, Vec<u8>) {
        let authorization = if self.token.is_empty() {
            String::new()
        } else {
            format!("Authorization: Bearer {}\r\n", self.token)
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.write_all(head.as_bytes()).await.expect("the server reads");
        self.buffer.clear();
        loop {
            let n = self.socket.read_buf(&mut self.buffer).await.expect("the server answers");
            assert!(n > 0, "the server hung up");
            let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") else { continue };
            let head =
                std::str::from_utf8(&self.buffer[..end]).expect("a head in ASCII").to_ascii_lowercase();
            let status = head.strip_prefix("http/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |n| n.trim().parse().expect("a length"));
            if self.buffer.len() >= end + 4 + length {
                return (status.expect("a status"), self.buffer[end + 4..].to_vec());
            }
        }
    }
}
