"""Two people in a room: everything that a client of Parlor needs, once. Usage: python example.py http://127.0.0.1:8080"""

import secrets
import sys
import time
from collections.abc import Generator

from follow import follow
from parlor_client.api.accounts import get_me, register_user
from parlor_client.api.members import join_room
from parlor_client.api.messages import list_messages, post_message
from parlor_client.api.rooms import create_room, get_room
from parlor_client.api.server import get_server
from parlor_client.api.sessions import logout
from parlor_client.models import LogoutInput, Message, MessageInput, Problem, Registration, RoomInput, StreamEvent
from parlor_client.types import Unset
from session import Refused, Session, anonymous_at, given

base_url = sys.argv[1]
password = "correct horse battery staple"
unique = secrets.token_hex(4)

anonymous = anonymous_at(base_url)
server = given(get_server.sync_detailed(client=anonymous))
print(f"{server.name} {server.version}, registration: {server.registration}")
for username in (f"ada-{unique}", f"grace-{unique}"):
    user = given(register_user.sync_detailed(client=anonymous, body=Registration(username, password)))
    assert user.display_name == username
    print(f"registered {user.username} at {user.created_at:%H:%M:%S}")
ada = Session(base_url, f"ada-{unique}", password)
grace = Session(base_url, f"grace-{unique}", password)
print("both are signed in")

name = f"parlor-{unique}"
room = given(create_room.sync_detailed(client=ada.client, body=RoomInput(name, title="An example")))
joined = given(join_room.sync_detailed(name, client=grace.client))
assert joined.user.username == f"grace-{unique}"
print(f"grace joined {room.name}")

here = str(room.id)
greeting = MessageInput("Good morning!", client_id=unique)
first = post_message.sync_detailed(here, client=ada.client, body=greeting)
second = post_message.sync_detailed(here, client=ada.client, body=greeting)
assert (first.status_code, second.status_code) == (201, 200)
assert given(first).id == given(second).id
print("posted once, though it was sent twice")


def post(text: str) -> Message:
    return given(post_message.sync_detailed(here, client=grace.client, body=MessageInput(text)))


for text in ("two", "three", "four", "five"):
    post(text)
page = given(list_messages.sync_detailed(here, client=ada.client, limit=2))
cursor = page.cursor
history, pages = page.items, 1
while not isinstance(page.prev_cursor, Unset):
    page = given(list_messages.sync_detailed(here, client=ada.client, limit=2, before=page.prev_cursor))
    history, pages = page.items + history, pages + 1
assert [message.body for message in history] == ["Good morning!", "two", "three", "four", "five"]
print(f"read {len(history)} messages in {pages} pages")

refused = get_room.sync_detailed(f"no-{unique}", client=ada.client)
assert isinstance(refused.parsed, Problem)
assert refused.status_code == refused.parsed.status == 404
print(f"met the problem {refused.parsed.code}: {refused.parsed.title}")


def next_message(events: Generator[StreamEvent, None, None]) -> tuple[Message, str]:
    """The next message that somebody posts; everything else that happens is passed over."""
    for event in events:
        if event.type_ == "message.posted":
            assert isinstance(event.message, Message) and isinstance(event.cursor, str)
            return event.message, event.cursor
        if event.type_ == "reset":
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
    given(get_me.sync_detailed(client=ada.client))
    time.sleep(0.2)
print("the access token expired and was renewed")

given(logout.sync_detailed(client=ada.client, body=LogoutInput()))
try:
    get_me.sync_detailed(client=ada.client)
    sys.exit("the token is still good")
except Refused as over:
    assert over.status == 401
try:
    next_message(follow(ada, here))
    sys.exit("the stream goes on")
except Refused as over:
    assert over.status == 401
print("signed out: the token is refused")
