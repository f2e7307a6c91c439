//! More writes than the journal's queue has room for, while another program holds the database: the writes beyond the queue are
//! answered 503, and every write in the queue gets its answer.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::http1::Connection;
use crate::support::log::history;
use crate::support::{Server, wait_for};

/// More than the queue (4,096) and one batch (256) hold.
const WRITERS: usize = 4_096 + 256 + 50;

#[tokio::test]
async fn a_full_queue_refuses_what_does_not_fit_and_answers_all_the_rest() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if maximum.is_some_and(|maximum| maximum < 2 * WRITERS as u64) {
        println!("skipped: {maximum:?} descriptors are too few for {WRITERS} connections");
        return;
    }
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the hard limit");
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    ada.posts(&room, "first").await;
    let request = |n: usize| {
        let body = format!(r#"{{"body":"{n}"}}"#);
        format!(
            "POST /v1/rooms/{}/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            room.id,
            ada.token(),
            body.len()
        )
    };
    let mut connections = Vec::with_capacity(WRITERS);
    for _ in 0..WRITERS {
        let socket = tokio::net::TcpStream::connect(server.address()).await.expect("the server listens");
        connections.push(Connection::new(socket));
    }

    let lock = server.is_locked_by_another().await;
    for (n, connection) in connections.iter_mut().enumerate() {
        connection.send(request(n).as_bytes()).await;
    }
    let answers = connections.into_iter().map(|mut connection| {
        tokio::spawn(async move {
            let head = connection.head().await;
            (head.status, head.headers.iter().any(|(name, value)| name == "retry-after" && value == "1"))
        })
    });
    let answers: Vec<_> = answers.collect();
    wait_for("the first ones are refused", || async {
        answers.iter().filter(|answer| answer.is_finished()).count() >= 50
    })
    .await;
    drop(lock);

    let (mut made, mut refused) = (0, 0);
    for answer in answers {
        match answer.await.expect("an answer") {
            (201, _) => made += 1,
            (503, true) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(made + refused, WRITERS);
    assert!(refused >= 50 && made >= 4_096 - 256, "{made} made, {refused} refused");
    assert_eq!(history(&ada, &room).await.len(), made + 1, "exactly the acknowledged ones are there");
    ada.posts(&room, "all is well").await;
}
