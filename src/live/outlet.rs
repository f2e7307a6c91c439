//! Where a stream's bytes go. A server has one kind of outlet, the socket of the connection; tests bring others, which show
//! what a socket's buffers hide. An outlet takes what it can without waiting, and wakes the stream when it takes more or is
//! gone. It does not know what the bytes mean.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use rustix::net::Shutdown;
use tokio::net::TcpStream;

use super::frame::Framing;

/// Most bytes that a client may send after its request. They are read and dropped, so that the end of the connection is
/// noticed; a client that sends more is cut off.
const MOST_INPUT: usize = 16 * 1024;

/// The writer's end of a connection whose answer's head has been sent.
pub trait Outlet: Send {
    fn framing(&self) -> Framing;

    /// Takes as many bytes as it can, from the first slice on, and gives their number.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing now. Any other error means that nobody reads any more.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ready when a write may succeed; else the context is woken once it may.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether nobody reads any more; else the context is woken once that may be so. A client that has closed its sending
    /// half counts as gone.
    fn is_gone(&mut self, context: &mut Context<'_>) -> bool;

    /// Says that nothing more comes. True if the client may still be sending and has to be waited for.
    fn finish(&self) -> bool;
}

/// The socket of a stream.
#[derive(Debug)]
pub struct StreamSocket {
    pub stream: TcpStream,
    pub framing: Framing,
    /// Bytes that were read from it after the request, and dropped.
    pub input: usize,
}

impl Outlet for StreamSocket {
    fn framing(&self) -> Framing {
        self.framing
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [one] => self.stream.try_write(one),
            many => self.stream.try_write_vectored(many),
        }
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(context)
    }

    fn is_gone(&mut self, context: &mut Context<'_>) -> bool {
        let mut dropped = [0; 4 * 1024];
        while self.input <= MOST_INPUT {
            match self.stream.poll_read_ready(context) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return true,
            }
            match self.stream.try_read(&mut dropped) {
                Ok(0) => return true,
                Ok(n) => self.input += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return true,
            }
        }
        true
    }

    fn finish(&self) -> bool {
        rustix::net::shutdown(&self.stream, Shutdown::Write).is_ok()
    }
}
