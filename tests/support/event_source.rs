//! An event-stream parser by the letter of the WHATWG standard (HTML, 9.2.6), so that tests see what a browser sees.
//! Knows nothing of Parlor's events.

/// One dispatched event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's name; empty where the stream gave none (a browser then says "message").
    pub name: String,
    /// The id field of this event, if it had one.
    pub id: Option<String>,
    pub data: String,
}

/// Takes bytes in any portions and gives events.
#[derive(Debug, Default)]
pub struct Parser {
    started: bool,
    line: Vec<u8>,
    after_cr: bool,
    name: String,
    data: String,
    id: Option<String>,
    /// What a browser would send as Last-Event-ID.
    pub last_event_id: String,
    /// The last `retry:` in milliseconds.
    pub retry: Option<u64>,
    /// Comments and fields that the standard passes over.
    pub ignored: Vec<String>,
}

impl Parser {
    /// Reads a portion; gives the events that it completes.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            let lf_of_crlf = byte == b'\n' && self.after_cr;
            self.after_cr = byte == b'\r';
            match byte {
                _ if lf_of_crlf => {}
                b'\r' | b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.line(&line));
                }
                _ => self.line.push(byte),
            }
        }
        events
    }

    /// Whether bytes wait for the end of their event.
    pub fn is_in_the_middle(&self) -> bool {
        !(self.line.is_empty() && self.data.is_empty() && self.name.is_empty())
    }

    fn line(&mut self, line: &[u8]) -> Option<Event> {
        let mut line = String::from_utf8_lossy(line).into_owned();
        if !std::mem::replace(&mut self.started, true) && line.starts_with('\u{feff}') {
            line.remove(0);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => {
                self.id = Some(value.to_owned());
                value.clone_into(&mut self.last_event_id);
            }
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                self.retry = value.parse().ok();
            }
            _ => self.ignored.push(line),
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let id = self.id.take();
        let mut data = std::mem::take(&mut self.data);
        // The last line feed was added with the last line; an event without data is none.
        data.pop()?;
        Some(Event { name, id, data })
    }
}

mod tests {
    use super::Parser;

    fn events(text: &str) -> Vec<(String, Option<String>, String)> {
        let whole = Parser::default().feed(text.as_bytes());
        let mut parser = Parser::default();
        let bytewise: Vec<_> = text.bytes().flat_map(|byte| parser.feed(&[byte])).collect();
        assert_eq!(whole, bytewise, "the portions must not matter");
        whole.into_iter().map(|event| (event.name, event.id, event.data)).collect()
    }

    fn event(name: &str, id: Option<&str>, data: &str) -> (String, Option<String>, String) {
        (name.into(), id.map(str::to_owned), data.into())
    }

    #[test]
    fn lines_end_in_three_ways() {
        assert_eq!(
            events("data: a\r\rdata: b\n\ndata: c\r\n\r\n"),
            ["a", "b", "c"].map(|data| event("", None, data))
        );
    }

    #[test]
    fn the_examples_of_the_standard_hold() {
        assert_eq!(events("data: YHOO\ndata: +2\ndata: 10\n\n"), [event("", None, "YHOO\n+2\n10")]);
        assert_eq!(
            events(
                ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
            ),
            [
                event("", Some("1"), "first event"),
                event("", Some(""), "second event"),
                event("", None, " third event")
            ]
        );
        assert_eq!(events("data\n\ndata\ndata\n\ndata:"), [event("", None, ""), event("", None, "\n")]);
    }

    #[test]
    fn an_event_without_data_moves_the_id_only() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed("\u{feff}event: x\nid: 7\nretry: 3000\nid: a\0b\n\n".as_bytes()), []);
        assert_eq!((parser.last_event_id.as_str(), parser.retry), ("7", Some(3000)));
        assert_eq!(parser.feed(b"data: y\n\n")[0].name, "", "the name does not outlive its event");
    }
}
