//! A client's socket with deadlines: for the first byte, for a request's head, for the next request, and for taking what is
//! sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::meters::{Meters, Overdue};

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For the first byte of a connection, and for a head once it has begun (slowloris).
    pub head: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// Without taking a byte while there are bytes to send. The reader is gone or stalls, and what waits for it costs memory.
    pub stall: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { head: seconds(10), idle: seconds(60), stall: seconds(20) }
    }
}

/// Most bytes that the kernel keeps for a reader (it doubles the number). Its default lets a stalled reader hold megabytes.
const SEND_BUFFER: usize = 128 * 1024;

/// The kernel gives a connection up when what was sent is not acknowledged for this long.
const USER_TIMEOUT_MS: u32 = 30_000;

/// How far a connection is with the answer to its present request.
#[derive(Clone, Debug, Default)]
pub struct Serving(Arc<AtomicU8>);

/// Waits for a request.
const WAITING: u8 = 0;
/// A request is being served; its own deadlines hold.
const SERVING: u8 = 1;
/// The head of a stream is on its way out, and nothing comes after it from here.
const HEAD_WRITTEN: u8 = 2;
/// The head of a stream is sent.
const HEAD_SENT: u8 = 3;

impl Serving {
    pub fn begin(&self) {
        self.0.store(SERVING, Ordering::Release);
    }

    pub fn end(&self) {
        self.0.store(WAITING, Ordering::Release);
    }

    /// hyper asks for the first byte of a stream's body, so it has written the whole head.
    pub fn head_is_written(&self) {
        let _ = self.0.compare_exchange(SERVING, HEAD_WRITTEN, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Whether the socket can be taken out of hyper: a stream's head is sent, and hyper holds nothing more.
    pub fn head_is_sent(&self) -> bool {
        self.0.load(Ordering::Acquire) == HEAD_SENT
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire) != WAITING
    }

    fn flushed(&self) {
        let _ = self.0.compare_exchange(HEAD_WRITTEN, HEAD_SENT, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// A socket that fails when a deadline passes.
pub struct TimedSocket {
    stream: TcpStream,
    meters: Arc<Meters>,
    serving: Serving,
    deadlines: Deadlines,
    phase: Phase,
    read_deadline: Pin<Box<Sleep>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for the first byte of the connection.
    First,
    /// Waiting for the first byte of another request.
    Waiting,
    /// A head has begun.
    Head,
    Serving,
    /// A deadline has passed.
    Over,
}

impl TimedSocket {
    /// Takes a connection and sets its options. An option that the kernel does not know is left as it is.
    pub fn new(stream: TcpStream, serving: Serving, deadlines: Deadlines, meters: Arc<Meters>) -> Self {
        use rustix::net::sockopt;

        let settings = [
            stream.set_nodelay(true),
            sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER).map_err(Into::into),
            sockopt::set_tcp_user_timeout(&stream, USER_TIMEOUT_MS).map_err(Into::into),
        ];
        for error in settings.into_iter().filter_map(Result::err) {
            tracing::debug!(%error, "a socket option was not set");
        }
        let read_deadline = Box::pin(sleep(deadlines.head));
        Self { stream, meters, serving, deadlines, phase: Phase::First, read_deadline, write_deadline: None }
    }

    /// The connection without its deadlines.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn enter(&mut self, phase: Phase, deadline: Duration) {
        self.phase = phase;
        self.read_deadline.as_mut().reset(Instant::now() + deadline);
    }

    /// Makes it an error when a write waits for too long.
    fn bound<T>(&mut self, outcome: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_deadline = None;
            return outcome;
        }
        let stall = self.deadlines.stall;
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(self.gives_up(Overdue::Reader)))
    }

    /// The error of a deadline that has passed. It is counted once, however often the socket is used after that.
    fn gives_up(&mut self, waited_for: Overdue) -> io::Error {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            self.meters.gave_up(waited_for);
        }
        io::ErrorKind::TimedOut.into()
    }
}

impl AsyncRead for TimedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.serving.is_on() {
            this.phase = Phase::Serving;
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        if this.phase == Phase::Serving {
            this.enter(Phase::Waiting, this.deadlines.idle);
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(outcome) => {
                if matches!(this.phase, Phase::First | Phase::Waiting) && buffer.filled().len() > before {
                    this.enter(Phase::Head, this.deadlines.head);
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => {
                ready!(this.read_deadline.as_mut().poll(context));
                let waited_for = if this.phase == Phase::Waiting { Overdue::Request } else { Overdue::Head };
                Poll::Ready(Err(this.gives_up(waited_for)))
            }
        }
    }
}

impl AsyncWrite for TimedSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bound(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.bound(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes the socket only once it has written all that it holds.
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.serving.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
