"""Two people in a room: everything that a client of Parlor needs, once. Usage: python example.py http://127.0.0.1:8080"""

import secrets
import sys
import time
from collections.abc import Generator

from follow import follow
from parlor_client import (
    AccountsApi,
    ApiClient,
    Configuration,
    LogoutInput,
    MembersApi,
    Message,
    MessageInput,
    MessagesApi,
    Registration,
    RoomInput,
    RoomsApi,
    ServerApi,
    SessionsApi,
    StreamEvent,
)
from parlor_client.exceptions import NotFoundException, UnauthorizedException
from session import Session, problem_of

base_url = sys.argv[1]
password = "correct horse battery staple"
unique = secrets.token_hex(4)

client = ApiClient(Configuration(host=base_url))
server = ServerApi(client).get_server()
print(f"{server.name} {server.version}, registration: {server.registration}")
anonymous = AccountsApi(client)
for username in (f"ada-{unique}", f"grace-{unique}"):
    user = anonymous.register_user(Registration(username=username, password=password))
    assert user.display_name == username
    print(f"registered {user.username} at {user.created_at:%H:%M:%S}")
ada = Session(base_url, f"ada-{unique}", password)
grace = Session(base_url, f"grace-{unique}", password)
print("both are signed in")

name = f"parlor-{unique}"
room = RoomsApi(ada).create_room(RoomInput(name=name, title="An example"))
joined = MembersApi(grace).join_room(name)
assert joined.user.username == f"grace-{unique}"
print(f"grace joined {room.name}")

here = str(room.id)
greeting = MessageInput(body="Good morning!", client_id=unique)
first = MessagesApi(ada).post_message_with_http_info(here, greeting)
second = MessagesApi(ada).post_message_with_http_info(here, greeting)
assert (first.status_code, second.status_code) == (201, 200)
assert first.data.id == second.data.id
print("posted once, though it was sent twice")


def post(text: str) -> Message:
    return MessagesApi(grace).post_message(here, MessageInput(body=text))


for text in ("two", "three", "four", "five"):
    post(text)
page = MessagesApi(ada).list_messages(here, limit=2)
cursor = page.cursor
history, pages = page.items, 1
while page.prev_cursor:
    page = MessagesApi(ada).list_messages(here, limit=2, before=page.prev_cursor)
    history, pages = page.items + history, pages + 1
assert [message.body for message in history] == ["Good morning!", "two", "three", "four", "five"]
print(f"read {len(history)} messages in {pages} pages")

try:
    RoomsApi(ada).get_room(f"no-{unique}")
    sys.exit("the room should not be there")
except NotFoundException as refused:
    problem = problem_of(refused)
    assert problem and problem.status == refused.status == 404
    print(f"met the problem {problem.code}: {problem.title}")


def next_message(events: Generator[StreamEvent, None, None]) -> tuple[Message, str]:
    """The next message that somebody posts; everything else that happens is passed over."""
    for event in events:
        if event.type == "message.posted":
            assert event.message and event.cursor
            return event.message, event.cursor
        if event.type == "reset":
            print(f"told to begin anew: {event.reason}")
    raise AssertionError("the stream is over")


live = follow(ada, here, cursor)
six = post("six")
heard, _ = next_message(live)
assert heard.id == six.id, "what was posted since the page is there, and the stream is open"
post("live")
heard, seen = next_message(live)
assert heard.body == "live"
print(f'heard "{heard.body}" as it was posted')

live.close()
missed = [post(text) for text in ("seven", "eight", "nine")]
resumed = follow(ada, here, seen)
for message in missed:
    got, _ = next_message(resumed)
    assert (got.id, got.seq) == (message.id, message.seq)
post("ten")
assert next_message(resumed)[0].body == "ten", "there is nothing after the three that were missed"
resumed.close()
print("away for three messages, and got exactly these")

before = ada.renewals
while ada.renewals == before:
    AccountsApi(ada).get_me()
    time.sleep(0.2)
print("the access token expired and was renewed")

SessionsApi(ada).logout(LogoutInput())
try:
    AccountsApi(ada).get_me()
    sys.exit("the token is still good")
except UnauthorizedException:
    pass
try:
    next_message(follow(ada, here))
    sys.exit("the stream goes on")
except UnauthorizedException:
    print("signed out: the token is refused")
