//! Open streams as a careful client reads them: every frame is checked for its form, every wait has a deadline.

use std::collections::VecDeque;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpSocket;

use super::DEADLINE;
use super::answer::Answer;
use super::document::published;
use super::event_source::Parser;
use super::http1::{Connection, Head};

/// A stream that is about to be opened.
pub struct Opening {
    address: SocketAddr,
    path: String,
    headers: Vec<(String, String)>,
    receive_buffer: Option<u32>,
    from: Option<IpAddr>,
}

impl Opening {
    pub(super) fn new(address: SocketAddr, path: &str, bearer: Option<&str>) -> Self {
        let headers = bearer.map(|token| ("Authorization".to_owned(), format!("Bearer {token}")));
        Self {
            address,
            path: path.to_owned(),
            headers: headers.into_iter().collect(),
            receive_buffer: None,
            from: None,
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As a browser says it when it reconnects by itself.
    pub fn last_event_id(self, cursor: &str) -> Self {
        self.header("Last-Event-ID", cursor)
    }

    /// A small receive buffer (bytes), so that a reader who stops reading is noticed soon.
    pub fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// From this address of the machine, such as another one of 127.0.0.0/8.
    pub fn from(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    /// Opens it; anything but a stream fails the test.
    pub async fn open(self) -> EventStream {
        let path = self.path.clone();
        let stream = self.connect().await;
        let stream = stream.unwrap_or_else(|answer| panic!("{path} gave no stream, but {}", answer.text));
        assert_eq!(stream.head.header("content-type"), "text/event-stream", "{path}");
        assert_eq!(stream.head.header("cache-control"), "no-store, no-transform", "{path}");
        assert_eq!(stream.head.header("transfer-encoding"), "chunked", "{path}");
        stream
    }

    /// Sends the request and gives the status.
    pub async fn status(self) -> u16 {
        self.connect().await.map_or_else(|answer| answer.status, |stream| stream.head.status)
    }

    /// Opens it where the server may be gone or may refuse.
    pub async fn try_open(self) -> Result<EventStream, NoStream> {
        let answer = match self.try_connect().await.map_err(NoStream::Broken)? {
            Ok(stream) => return Ok(stream),
            Err(answer) => answer,
        };
        let code = answer.json["code"].as_str().unwrap_or_default();
        Err(NoStream::Refused(answer.status, code.to_owned()))
    }

    async fn connect(self) -> Result<EventStream, Answer> {
        let opening = tokio::time::timeout(DEADLINE, self.try_connect());
        match opening.await.expect("the stream opens in time") {
            Ok(outcome) => outcome,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// The stream, or the refusal; an error where the connection broke. Either is held against the document.
    async fn try_connect(self) -> Result<Result<EventStream, Answer>, String> {
        let broke = |error: std::io::Error| error.to_string();
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes).expect("the buffer can be set before connecting");
        }
        if let Some(address) = self.from {
            socket.bind(SocketAddr::new(address, 0)).expect("every loopback address is ours");
        }
        let mut connection = Connection::new(socket.connect(self.address).await.map_err(broke)?);
        let mut request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", self.path, self.address);
        for (name, value) in &self.headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        request.push_str("\r\n");
        connection.try_send(request.as_bytes()).await.map_err(broke)?;
        let head = connection.try_head().await?;
        // A stream tells no length.
        let length = head.header("content-length").parse().unwrap_or(0);
        let body = connection.take(length).await?;
        // A proxy says by a page of its own that it reaches no server, or has lost it meanwhile.
        if matches!(head.status, 502..=504) && head.header("content-type").starts_with("text/html") {
            return Err(format!("the proxy answers {}", head.status));
        }
        let answer = head.with_body(&format!("GET {}", self.path), &body);
        answer.keeps_the_manners();
        published().check(&Method::GET, &self.path, &answer);
        if head.status != 200 {
            return Ok(Err(answer));
        }
        let (parser, frames) = (Parser::default(), VecDeque::new());
        Ok(Ok(EventStream { head, connection, parser, frames, end: None }))
    }
}

/// An open stream. Dropping it closes the connection without a word, as a lost client does.
pub struct EventStream {
    pub head: Head,
    connection: Connection,
    parser: Parser,
    frames: VecDeque<Frame>,
    end: Option<Result<(), String>>,
}

/// Why there is no stream.
#[derive(Debug)]
pub enum NoStream {
    /// The server could not be reached, or the connection broke before the answer was there.
    Broken(String),
    /// Status and code of the problem.
    Refused(u16, String),
}

/// One frame with data.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// hello, reset, ping or bye; empty for events of the log and ephemeral ones.
    pub event: String,
    /// The cursor, where the frame moves it.
    pub id: Option<String>,
    pub data: Value,
}

impl Frame {
    /// The `type` of its data.
    pub fn kind(&self) -> &str {
        self.data["type"].as_str().unwrap_or_default()
    }

    /// The cursor of a frame that has one.
    #[track_caller]
    pub fn cursor(&self) -> &str {
        self.id.as_deref().unwrap_or_else(|| panic!("no cursor in {self:?}"))
    }

    /// Fails unless the frame keeps the contract of streams, apart from what came before it.
    fn checked(self) -> Self {
        let named = matches!(self.kind(), "hello" | "reset" | "ping" | "bye");
        assert_eq!(self.event, if named { self.kind() } else { "" }, "name and type disagree: {self:?}");
        assert_eq!(self.data["cursor"].as_str(), self.id.as_deref(), "id and cursor disagree: {self:?}");
        assert!(!self.kind().is_empty(), "no type: {self:?}");
        self
    }
}

impl EventStream {
    /// The next frame that is no ping; fails at the deadline or when the stream ends.
    pub async fn next(&mut self) -> Frame {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let frame =
                tokio::time::timeout_at(deadline, self.try_next()).await.expect("a frame comes in time");
            match frame {
                Some(frame) if frame.event == "ping" => {}
                Some(frame) => return frame,
                None => panic!("the stream ended: {:?}", self.end),
            }
        }
    }

    /// The next frame, pings too; `None` at the end. Has no deadline of its own.
    pub async fn try_next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            if self.end.is_some() {
                return None;
            }
            match self.connection.chunk().await {
                Ok(Some(bytes)) => self.read(&bytes),
                Ok(None) => self.end = Some(Ok(())),
                Err(error) => self.end = Some(Err(error)),
            }
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        for event in self.parser.feed(bytes) {
            let data = serde_json::from_str(&event.data).unwrap_or_else(|_| panic!("not JSON: {event:?}"));
            published().check_frame(&data);
            self.frames.push_back(Frame { event: event.name, id: event.id, data }.checked());
        }
        assert!(self.parser.ignored.is_empty(), "nobody reads these lines: {:?}", self.parser.ignored);
    }

    /// The first frame, which must be `hello`; gives its data.
    pub async fn hello(&mut self) -> Value {
        self.first("hello").await
    }

    /// The first frame, which must be `reset`; gives its data.
    pub async fn reset(&mut self) -> Value {
        self.first("reset").await
    }

    async fn first(&mut self, kind: &str) -> Value {
        let frame = self.next().await;
        assert_eq!(frame.event, kind, "{frame:?}");
        let retry = self.parser.retry.unwrap_or_default();
        assert!((2_000..=5_000).contains(&retry), "retry: {retry} before the first frame");
        frame.data
    }

    /// All frames up to the first that the predicate likes, that one too. Pings are left out.
    pub async fn until(&mut self, mut predicate: impl FnMut(&Frame) -> bool) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            let frame = self.next().await;
            let found = predicate(&frame);
            frames.push(frame);
            if found {
                return frames;
            }
        }
    }

    /// The next frame, which must be `bye`, and then a clean end; gives the reason.
    pub async fn bye(&mut self) -> String {
        let frame = self.next().await;
        assert_eq!(frame.event, "bye", "{frame:?}");
        self.ends().await;
        frame.data["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Nothing more comes but pings: the body is terminated and the connection closed.
    pub async fn ends(&mut self) {
        let end = async {
            while let Some(frame) = self.try_next().await {
                assert_eq!(frame.event, "ping", "a frame where the stream should end: {frame:?}");
            }
            self.connection.rest().await
        };
        let rest = tokio::time::timeout(DEADLINE, end).await.expect("the stream ends in time");
        assert_eq!(self.end, Some(Ok(())), "the stream broke off");
        assert!(rest.is_empty(), "bytes behind the end: {rest:?}");
        assert!(!self.parser.is_in_the_middle(), "the stream ended in the middle of a frame");
    }

    /// Says that this reader will send nothing more, and keeps reading.
    pub async fn half_closes(&mut self) {
        self.connection.finish_sending().await;
    }

    /// How it ended, once it has: cleanly, or what broke.
    pub fn end(&self) -> Option<&Result<(), String>> {
        self.end.as_ref()
    }

    /// The last `retry:`, in milliseconds.
    pub fn retry(&self) -> u64 {
        self.parser.retry.unwrap_or_default()
    }

    /// What a browser would send as `Last-Event-ID`.
    pub fn last_event_id(&self) -> &str {
        &self.parser.last_event_id
    }
}
