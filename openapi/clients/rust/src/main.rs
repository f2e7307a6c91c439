//! Two people in a room: everything that a client of Parlor needs, once. Its argument is the address of a server.

mod follow;
mod session;

/// The client, made of the document.
mod parlor {
    progenitor::generate_api!(
        spec = "../../openapi.json",
        interface = Builder,
        inner_type = crate::session::Tokens,
    );
}

use std::time::Duration;

use follow::Follow;
use parlor::types::{LogoutInput, Message, MessageInputClientId, Problem, StreamEvent};
use parlor::{Client, ClientInfo, Error};
use session::{anonymous, sign_in};

const PASSWORD: &str = "correct horse battery staple";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error<Problem>> {
    let url = std::env::args().nth(1).expect("usage: parlor-example http://127.0.0.1:8080");
    let unique = format!("{:08x}", fastrand::u32(..));
    let server = anonymous(&url).get_server().send().await?;
    println!("{} {}, registration: {}", server.name, server.version, server.registration);

    let (ada, grace) = (format!("ada-{unique}"), format!("grace-{unique}"));
    for name in [&ada, &grace] {
        let anonymous = anonymous(&url);
        let registration =
            anonymous.register_user().body_map(|new| new.username(name.as_str()).password(PASSWORD));
        let user = registration.send().await?;
        assert_eq!(&user.display_name, name);
        println!("registered {} at {}", user.username, user.created_at);
    }
    let (ada, grace) = (sign_in(&url, &ada, PASSWORD).await?, sign_in(&url, &grace, PASSWORD).await?);
    println!("both are signed in");

    let name = format!("parlor-{unique}");
    let title = Some("An example".parse().unwrap());
    let room = ada.create_room().body_map(|new| new.name(name.as_str()).title(title)).send().await?;
    let joined = grace.join_room().room(&room.name).send().await?;
    assert_eq!(joined.user.username, format!("grace-{unique}"));
    println!("grace joined {}", room.name);

    let room = room.id.to_string();
    let client_id: MessageInputClientId = unique.parse().unwrap();
    let greet = || {
        let client_id = client_id.clone();
        ada.post_message().room(&room).body_map(|new| new.body("Good morning!").client_id(client_id))
    };
    let (first, second) = (greet().send().await?, greet().send().await?);
    assert_eq!([first.status().as_u16(), second.status().as_u16()], [201, 200]);
    assert_eq!(first.id, second.id);
    println!("posted once, though it was sent twice");

    for body in ["two", "three", "four", "five"] {
        post(&grace, &room, body).await?;
    }
    let newest = ada.list_messages().room(&room).limit(2).send().await?.into_inner();
    let mut pages = vec![newest.items];
    let mut prev = newest.prev_cursor;
    while let Some(before) = prev {
        let page = ada.list_messages().room(&room).limit(2).before(before).send().await?.into_inner();
        pages.insert(0, page.items);
        prev = page.prev_cursor;
    }
    let history: Vec<&str> = pages.iter().flatten().map(|message| message.body.as_str()).collect();
    assert_eq!(history, ["Good morning!", "two", "three", "four", "five"]);
    println!("read {} messages in {} pages", history.len(), pages.len());

    match ada.get_room().room(format!("no-{unique}")).send().await {
        Err(Error::ErrorResponse(problem)) if problem.status() == 404 => {
            assert_eq!(problem.status, 404);
            println!("met the problem {}: {}", problem.code, problem.title);
        }
        other => panic!("a room that is not there is a problem: {other:?}"),
    }

    let mut events = Follow::new(&ada, &room, Some(newest.cursor));
    let six = post(&grace, &room, "six").await?;
    assert_eq!(next_message(&mut events).await?.0, six.id);
    let live = post(&grace, &room, "live").await?;
    let (id, seen) = next_message(&mut events).await?;
    assert_eq!(id, live.id);
    println!("heard {:?} as it was posted", live.body);

    drop(events);
    let mut missed = Vec::new();
    for body in ["seven", "eight", "nine"] {
        missed.push(post(&grace, &room, body).await?.id);
    }
    let mut events = Follow::new(&ada, &room, seen.cursor);
    for message in missed {
        assert_eq!(next_message(&mut events).await?.0, message);
    }
    let ten = post(&grace, &room, "ten").await?;
    assert_eq!(
        next_message(&mut events).await?.0,
        ten.id,
        "there is nothing after the three that were missed"
    );
    drop(events);
    println!("away for three messages, and got exactly these");

    let before = ada.inner().renewals();
    while ada.inner().renewals() == before {
        ada.get_me().send().await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("the access token expired and was renewed");

    ada.logout().body(LogoutInput::default()).send().await?;
    let refused = ada.get_me().send().await.expect_err("whoever signed out is not let in");
    assert_eq!(refused.status().map(|status| status.as_u16()), Some(401));
    let lost = Follow::new(&ada, &room, None).next().await.expect_err("nor do they hear anything");
    assert_eq!(lost.status().map(|status| status.as_u16()), Some(401));
    println!("signed out: the token is refused");
    Ok(())
}

async fn post(client: &Client, room: &str, body: &str) -> Result<Message, Error<Problem>> {
    let posted = client.post_message().room(room).body_map(|new| new.body(body)).send().await?;
    Ok(posted.into_inner())
}

/// The id of the next message that somebody posts, and its event; everything else that happens is passed over.
async fn next_message(events: &mut Follow<'_>) -> Result<(uuid::Uuid, StreamEvent), Error<Problem>> {
    loop {
        let event = events.next().await?.expect("the stream goes on");
        if let Some(message) = event.message.as_ref().filter(|_| event.type_ == "message.posted") {
            return Ok((message.id, event));
        }
        if event.type_ == "reset" {
            println!("told to begin anew: {}", event.reason.unwrap_or_default());
        }
    }
}
