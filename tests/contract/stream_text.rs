//! Text comes through byte for byte: in the answer to the post, in the history, and in a stream read by the standard.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::log::history;
use crate::support::{EventStream, Person, Room, Server};

/// Posts it and gives the body from the answer, the stream and the history.
async fn everywhere(ada: &Person, room: &Room, stream: &mut EventStream, body: &str) -> [String; 3] {
    let posted = ada.posts(room, body).await;
    let streamed = stream.next().await;
    let newest = ada.reads_page(room, "limit=1").await;
    let text = |message: &serde_json::Value| message["body"].as_str().unwrap().to_owned();
    assert_eq!(streamed.id.as_deref(), Some(stream.last_event_id()));
    [text(&posted), text(&streamed.data["message"]), text(&newest["items"][0])]
}

#[tokio::test]
async fn text_of_every_kind_comes_through_unchanged() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("text").await;
    let mut stream = ada.streams(&room).await;
    stream.hello().await;
    let (longest, widest) = ("x".repeat(4_000), "🙂".repeat(4_000));
    let texts = [
        "你好，世界！今天天气怎么样？",
        "مرحبا بالعالم، كيف حالك؟",
        "नमस्ते दुनिया, क्षत्रिय",
        "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇨🇭",
        "e\u{301} and é are not the same",
        "fn main() {\n\tprintln!(\"{}\", '\\\\');\n}",
        "<script>alert(1)</script> & \"quotes\" \u{2028}\u{2029}\u{feff}",
        "data: forged\n\nid: 1\nevent: bye\ndata: {}\n\n",
        " a space at both ends ",
        "\n\n\n.\n\n\n",
        "\u{202e}backwards",
        "null",
        &longest,
        &widest,
    ];
    for text in texts {
        assert_eq!(everywhere(&ada, &room, &mut stream, text).await, [text; 3]);
    }
    let lines = everywhere(&ada, &room, &mut stream, "one\r\ntwo\rthree\n").await;
    assert_eq!(lines, ["one\ntwo\nthree\n"; 3], "line ends are LF, whatever was typed");
    assert_eq!(history(&ada, &room).await.len(), texts.len() + 1);
}

/// What may stand in a message: anything but controls (other than LF and TAB) and noncharacters, if something is visible.
fn bodies() -> impl Strategy<Value = String> {
    let lines = proptest::sample::select(vec![
        "\n",
        "\n\n",
        "data:",
        "id: ",
        "event: bye",
        ":",
        " ",
        "\t",
        "\\n",
        "\"",
    ]);
    let part = prop_oneof![
        3 => lines.prop_map(str::to_owned),
        5 => any::<char>()
            .prop_filter("allowed", |c| {
                (!c.is_control() || matches!(c, '\n' | '\t'))
                    && (u32::from(*c) & 0xfffe) != 0xfffe
                    && !('\u{fdd0}'..='\u{fdef}').contains(c)
            })
            .prop_map(String::from),
    ];
    proptest::collection::vec(part, 1..60).prop_map(|parts| parts.concat() + "!")
}

#[test]
fn whatever_is_said_a_strict_reader_of_the_stream_gets_it_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_server, ada, room, stream) = runtime.block_on(async {
        let server = Server::start().await;
        let ada = server.register("ada").await;
        let room = ada.creates_room("text").await;
        let mut stream = ada.streams(&room).await;
        stream.hello().await;
        (server, ada, room, stream)
    });
    let stream = std::cell::RefCell::new(stream);
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    runner
        .run(&bodies(), |body| {
            let got = runtime.block_on(everywhere(&ada, &room, &mut stream.borrow_mut(), &body));
            let same = got.iter().all(|text| *text == body);
            if same { Ok(()) } else { Err(TestCaseError::fail(format!("{got:?}"))) }
        })
        .unwrap();
}
