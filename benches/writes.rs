//! The yardstick of fan-out: a program of its own that does one blocking `write()` per socket and nothing else. Runs as
//! another mode of the bench binary, so that its time on the CPU is its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use super::server::Server;

/// The argument that turns the bench binary into this program.
pub const MODE: &str = "--one-write-per-socket";

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
                     3\r\n:\n\n\r\n";

pub fn start() -> Server {
    let bench = std::env::current_exe().expect("this program");
    Server::run(Command::new(bench).arg(MODE))
}

/// A connection that sends a GET becomes a subscriber. The body of a POST is written to all subscribers, in one chunk.
pub fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    // The standard library's backlog is small; subscribers come by the thousand.
    rustix::net::listen(&listener, 4_096).expect("a listening socket");
    println!("listening on http://{}", listener.local_addr().expect("an address"));
    let mut subscribers: Vec<TcpStream> = Vec::new();
    for socket in listener.incoming() {
        let socket = socket.expect("a connection");
        socket.set_nodelay(true).expect("TCP_NODELAY");
        let mut requests = BufReader::new(socket);
        let Some((method, body)) = request(&mut requests) else { continue };
        if method == "GET" {
            let mut socket = requests.into_inner();
            socket.write_all(HELLO.as_bytes()).expect("the subscriber reads");
            subscribers.push(socket);
            continue;
        }
        let mut next = Some(body);
        while let Some(body) = next {
            let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n"].concat();
            for mut subscriber in &subscribers {
                subscriber.write_all(&chunk).expect("the subscriber reads");
            }
            let done = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
            requests.get_mut().write_all(done).expect("the publisher reads");
            next = request(&mut requests).map(|(_, body)| body);
        }
    }
}

fn request(requests: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut method, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim();
        if method.is_none() {
            method = line.split(' ').next().map(str::to_owned);
        } else if let Some(text) = line.strip_prefix("Content-Length: ") {
            length = text.parse().ok()?;
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    requests.read_exact(&mut body).ok()?;
    Some((method?, body))
}
