//! Mentions: whom a text names by `@username`. Which of the names are members of a room is not known here.
//!
//! Code is told from text as `CommonMark` does it (0.31, sections 4.5 and 6.1), so that what is shown as code mentions nobody.

/// Most people whom one message mentions. Further names are text.
pub const MOST_MENTIONED: usize = 50;
/// In rooms of up to this many members everybody can mention the whole room; in larger ones owners can.
pub const MOST_FOR_ALL: i64 = 100;

/// The name that mentions everybody in the room. It is reserved, so nobody has it.
const ROOM: &str = "room";
/// Usernames have at least this many bytes, and at most this many.
const NAME_BYTES: std::ops::RangeInclusive<usize> = 3..=32;

/// What a text mentions, if it is so called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Everybody in the room.
    pub room: bool,
    /// Usernames in the order of the text. Of each pair the first that a member has counts: a closing `-` or `_` may belong to the
    /// name, or not.
    names: Vec<(String, Option<String>)>,
}

impl Candidates {
    /// What a body mentions. Costs a look at each character, and almost nothing where there is no `@`.
    pub fn of(body: &str) -> Self {
        let mut found = Self::default();
        if body.contains('@') {
            paragraphs(body, |text, before| found.read(text, before));
        }
        found
    }

    /// Whether no username is mentioned.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// All usernames that may be meant.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flat_map(|(whole, cut)| [Some(whole.as_str()), cut.as_deref()]).flatten()
    }

    /// Whom they mean, each once and in the order of the text: `find` gives the member of a name.
    pub fn resolved<T: PartialEq>(&self, find: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let mut people = Vec::new();
        for (whole, cut) in &self.names {
            let person = find(whole).or_else(|| cut.as_deref().and_then(&find));
            if let Some(person) = person.filter(|person| !people.contains(person)) {
                people.push(person);
            }
            if people.len() == MOST_MENTIONED {
                break;
            }
        }
        people
    }

    /// Reads a paragraph. `before` is the character that comes before it in the body.
    fn read(&mut self, text: &str, mut before: Option<char>) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '`' => code_span(rest),
                // It stands for itself, and a backtick after it begins no code.
                '\\' if rest[1..].starts_with('`') => 2,
                '@' if !before.is_some_and(char::is_alphanumeric) => {
                    let run = run_of(&rest[1..]);
                    self.add(run);
                    1 + run.len()
                }
                other => other.len_utf8(),
            };
            before = rest[..length].chars().next_back();
            rest = &rest[length..];
        }
    }

    /// Adds the run of characters after an `@`.
    fn add(&mut self, run: &str) {
        let whole = run.to_ascii_lowercase();
        let cut = whole.strip_suffix(['-', '_']).map(str::to_owned);
        if whole == ROOM || cut.as_deref() == Some(ROOM) {
            self.room = true;
            return;
        }
        let is_name = |name: &String| name.is_ascii() && NAME_BYTES.contains(&name.len());
        let name = match (Some(whole).filter(is_name), cut.filter(is_name)) {
            (Some(whole), cut) => (whole, cut),
            (None, Some(cut)) => (cut, None),
            (None, None) => return,
        };
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}

/// The letters, digits, `-` and `_` at the beginning of a text.
fn run_of(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
    &text[..end.unwrap_or(text.len())]
}

/// The length of the code span at the beginning of a text, or of its backticks if nothing closes them.
fn code_span(text: &str) -> usize {
    let run = |text: &str| text.len() - text.trim_start_matches('`').len();
    let opening = run(text);
    let mut at = opening;
    while let Some(next) = text[at..].find('`') {
        at += next;
        let closing = run(&text[at..]);
        at += closing;
        if closing == opening {
            return at;
        }
    }
    opening
}

/// Gives each paragraph outside fenced blocks, and the character before it.
fn paragraphs(body: &str, mut read: impl FnMut(&str, Option<char>)) {
    // A fence that is open, and where the paragraph began that is being gathered.
    let (mut open, mut begin, mut at) = (None::<Fence>, 0, 0);
    for line in body.split_inclusive('\n') {
        let end = at + line.len();
        let (depth, rest) = unquoted(line.trim_end_matches('\n'));
        open = open.filter(|fence| depth >= fence.depth);
        let is_text = if let Some(fence) = &open {
            if fence.is_closed_by(rest) {
                open = None;
            }
            false
        } else {
            open = Fence::opened_by(rest, depth);
            open.is_none() && !rest.trim().is_empty()
        };
        if !is_text {
            read(&body[begin..at], body[..begin].chars().next_back());
            begin = end;
        }
        at = end;
    }
    read(&body[begin..at], body[..begin].chars().next_back());
}

/// An open fence.
struct Fence {
    mark: char,
    length: usize,
    /// In how many quotes it stands: it ends with them.
    depth: usize,
}

impl Fence {
    fn opened_by(line: &str, depth: usize) -> Option<Self> {
        let (mark, length, info) = Self::at(line)?;
        // Otherwise a code span could not begin with three backticks.
        (length >= 3 && !(mark == '`' && info.contains('`'))).then_some(Self { mark, length, depth })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        Self::at(line).is_some_and(|(mark, length, info)| {
            mark == self.mark && length >= self.length && info.trim().is_empty()
        })
    }

    /// The marks at the beginning of a line, how many there are, and what follows them.
    fn at(line: &str) -> Option<(char, usize, &str)> {
        let text = line.trim_start_matches(' ');
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        (line.len() - text.len() <= 3).then_some((mark, text.len() - info.len(), info))
    }
}

/// A line without the marks of quotes before it, and how many there were.
fn unquoted(line: &str) -> (usize, &str) {
    let (mut depth, mut rest) = (0, line);
    loop {
        let text = rest.trim_start_matches(' ');
        let quoted = text.strip_prefix('>').filter(|_| rest.len() - text.len() <= 3);
        let Some(quoted) = quoted else { return (depth, rest) };
        depth += 1;
        rest = quoted.strip_prefix(' ').unwrap_or(quoted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of these members whom a body mentions, and `room` if it does.
    fn mentioned(body: &str) -> String {
        const MEMBERS: [&str; 6] = ["ada", "cal", "calvin", "a-b", "cal_", "x_9"];
        let found = Candidates::of(body);
        let find = |name: &str| MEMBERS.iter().find(|member| **member == name).copied();
        let mut people = found.resolved(find);
        people.extend(found.room.then_some("room"));
        people.join(" ")
    }

    #[test]
    fn a_name_is_mentioned_where_a_reader_would_say_so() {
        let table = [
            // The beginning, the end, and what stands around.
            ("@ada", "ada"),
            ("hello @ada", "ada"),
            ("(@ada), @cal!", "ada cal"),
            ("@ada@cal", "ada"),
            ("@ada/@cal", "ada cal"),
            ("@@ada", "ada"),
            ("x@cal", ""),
            ("9@cal", ""),
            ("é@cal", ""),
            ("字@cal", ""),
            ("_@cal -@ada", "cal ada"),
            ("\n@ada\n", "ada"),
            ("@ ada", ""),
            ("@", ""),
            ("mail ada@example.org", ""),
            // Letters of any case, each person once.
            ("@ADA and @Ada", "ada"),
            // The whole run is the name.
            ("@calvin", "calvin"),
            ("@call", ""),
            ("@cal2", ""),
            ("@calé", ""),
            ("@cal-", "cal"),
            ("@cal--", ""),
            ("@cal_", "cal_"),
            ("@ada_ @ada-", "ada"),
            ("@ada__", ""),
            ("@a-b @x_9", "a-b x_9"),
            ("@cal.", "cal"),
            ("@cal's", "cal"),
            // The room.
            ("@room", "room"),
            ("@Room- now", "room"),
            ("@rooms @all @here @everyone", ""),
            ("x@room", ""),
            ("`@room`", ""),
            // Code spans.
            ("`@ada`", ""),
            ("`` ` @ada `` @cal", "cal"),
            ("`@ada", "ada"),
            ("`` @ada `", "ada"),
            ("`x`@ada", "ada"),
            ("`one\ntwo @ada` @cal", "cal"),
            ("`one\n\n@ada` @cal", "ada cal"),
            ("\\`@ada\\` `@cal`", "ada"),
            ("\\``@ada`", ""),
            ("```@ada``` @cal", "cal"),
            // Fenced blocks.
            ("```\n@ada\n```\n@cal", "cal"),
            ("```rust\n@ada\n```", ""),
            ("~~~\n@ada\n```\n@ada\n~~~\n@cal", "cal"),
            ("````\n@ada\n```\n@ada\n````\n@cal", "cal"),
            ("```\n@ada", ""),
            ("   ```\n@ada\n   ```", ""),
            ("    ```\n@ada", "ada"),
            ("``` `x`\n@ada", "ada"),
            ("~~~ `x`\n@ada", ""),
            ("@ada\n```\n@cal\n```", "ada"),
            ("> ```\n> @ada\n> ```\n> @cal", "cal"),
            ("> ```\n> @ada\n@cal", "cal"),
            ("> @ada", "ada"),
        ];
        for (body, expected) in table {
            assert_eq!(mentioned(body), expected, "{body:?}");
        }
    }

    #[test]
    fn at_most_fifty_people_are_mentioned() {
        let names: Vec<_> = (100..200).map(|n| format!("person{n}")).collect();
        let strangers = (0..60).fold(String::new(), |body, n| format!("{body}@stranger{n} "));
        let body = names.iter().fold(strangers, |body, name| format!("{body}@{name} "));
        let find = |name: &str| names.iter().find(|known| *known == name);
        let people = Candidates::of(&body).resolved(find);
        assert_eq!(people, names[..MOST_MENTIONED].iter().collect::<Vec<_>>());
    }

    #[test]
    fn no_text_is_too_odd_to_be_read() {
        for odd in [
            "`".repeat(4_000),
            "`a``b".repeat(800),
            "@".repeat(4_000),
            ">".repeat(4_000),
            "@a".repeat(2_000),
            "\\`@".repeat(1_300),
        ] {
            Candidates::of(&format!("{odd}@ada"));
            Candidates::of(&format!("@ada\n{odd}"));
        }
    }
}
