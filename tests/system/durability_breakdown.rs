//! The journal or the feeder panics: the process ends and says why, and nothing that was acknowledged is lost. The real program
//! panics here.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::log::{Watched, assert_dense, event, history, messages, says, until_said};
use crate::support::{BREAKS, DEADLINE, Server};

/// The body at which the part panics.
const STRAW: &str = "the last straw";

#[tokio::test]
async fn a_journal_that_breaks_down_ends_the_process_and_nothing_acknowledged_is_lost() {
    // It panics between a commit and its answers, so those who posted do not know what became of their posts.
    breaks_down("journal", &[(503, "outcome_unknown")]).await;
}

#[tokio::test]
async fn a_feeder_that_breaks_down_ends_the_process_and_nothing_acknowledged_is_lost() {
    // What it was about to publish is on the disk already, and is acknowledged.
    breaks_down("feeder", &[(201, "")]).await;
}

async fn breaks_down(part: &str, answers_to_straw: &[(u16, &str)]) {
    let mut server = Server::start_with(&[(BREAKS, &format!("{part}:{STRAW}"))]).await;
    let Watched { ada, bob, room, before, mut stream } = Watched::begins(&server).await;

    let path = format!("/v1/rooms/{}/messages", room.id);
    let bodies = ["one", STRAW, "two", "three"];
    let post = |(id, body): (usize, &'static str)| {
        ada.try_request(
            reqwest::Method::POST,
            &path,
            Some(json!({ "body": body, "client_id": format!("post-{id}") })),
            &[],
        )
    };
    let answers = join_all(bodies.into_iter().enumerate().map(post)).await;
    let mut shown = Vec::new();
    let rest = async {
        while let Some(frame) = stream.try_next().await {
            shown.push(frame);
        }
    };
    tokio::time::timeout(DEADLINE, rest).await.expect("the stream ends with the process");
    assert!(!shown.iter().any(|frame| says(frame, STRAW)), "it was never published: {shown:?}");
    let resume = stream.last_event_id().to_owned();
    let status = server.ends_by_itself().await;
    assert_eq!(status.code(), Some(1), "{}", server.log());

    let log = server.log();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(
        matches!(errors[..], [one] if one.contains(&format!("the {part} broke down"))),
        "one clear line is wanted: {errors:#?}"
    );
    assert_eq!(log.matches("panicked at").count(), 1, "{log}");
    assert_eq!(log.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{log}");

    server.restart().await;
    let kept = history(&bob, &room).await;
    let is_kept = |body: &str| kept.iter().any(|message| message["body"] == body);
    assert!(is_kept(STRAW), "it was committed: {kept:?}");
    for (body, answer) in bodies.into_iter().zip(&answers) {
        // A request after the panic may get no answer at all.
        let Ok(answer) = answer else { continue };
        let came_to = (answer.status, answer.json["code"].as_str().unwrap_or_default());
        let possible = [(201, ""), (503, "outcome_unknown"), (503, "overloaded")];
        assert!(possible.contains(&came_to), "{body}: {came_to:?}");
        assert!(body != STRAW || answers_to_straw.contains(&came_to), "{body}: {came_to:?}");
        assert!(answer.status != 201 || is_kept(body), "{body} was acknowledged, and is lost: {kept:?}");
    }
    // Sent again, each is there once: either the first try was written after all, or the second one is new.
    for (body, again) in bodies.into_iter().zip(join_all(bodies.into_iter().enumerate().map(post)).await) {
        let again = again.expect("the server is back");
        assert_eq!(again.status, if is_kept(body) { 200 } else { 201 }, "{body}");
    }
    ada.posts(&room, "the end").await;
    // A reader who resumes at the last cursor and one who reads everything see the same log.
    let mut whole = bob.streams_from(&room, &before).await;
    assert_eq!(whole.hello().await["resumed"], true);
    let whole = until_said(&mut whole, "the end").await;
    assert_dense(&whole, &bob);
    assert_eq!(messages(&whole), history(&bob, &room).await);
    assert_eq!(whole.len(), bodies.len() + 2);
    let mut rest = bob.streams_from(&room, &resume).await;
    assert_eq!(rest.hello().await["resumed"], true);
    let rest = until_said(&mut rest, "the end").await;
    let seen = 1 + messages(&shown).len();
    assert_eq!(
        rest.iter().map(event).collect::<Vec<_>>(),
        whole[seen..].iter().map(event).collect::<Vec<_>>()
    );
}
