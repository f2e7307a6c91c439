"""Owns following a room: one endless series of events over as many connections as it takes."""

import random
import time
from collections.abc import Generator

import httpx
from httpx_sse import connect_sse
from parlor_client.models import StreamEvent
from parlor_client.types import Unset
from session import Refused, Session, check

LONGEST_WAIT = 30.0
FIRST_PATIENCE = 120.0
"""How long a connection may be silent before `hello` has told how often the server gives a sign of life."""


def follow(session: Session, room: str, after: str | None = None) -> Generator[StreamEvent, None, None]:
    """The events of a room after a cursor, from now without one.

    It ends when the server says not to come back, or with the refusal that is final. A `reset` among the events says
    that some cannot be had any more: fetch what you show anew.
    """
    http = session.client.get_httpx_client()
    retry, patience, failures = 3.0, FIRST_PATIENCE, 0
    while True:
        wait: float | None = None
        least_wait = 0.0
        try:
            params = {"after": after} if after else {}
            # A ping comes when nothing else does: without one for so long the connection is dead.
            timeout = httpx.Timeout(10, read=patience)
            with connect_sse(http, "GET", f"/v1/rooms/{room}/events", params=params, timeout=timeout) as stream:
                if stream.response.is_error:
                    stream.response.read()
                    check(stream.response)
                for frame in stream.iter_sse():
                    if frame.retry:
                        retry = frame.retry / 1000
                    if not frame.data:
                        continue
                    event = StreamEvent.from_dict(frame.json())
                    after = frame.id or after
                    failures = 0
                    if event.heartbeat_seconds:
                        patience = 2.0 * event.heartbeat_seconds
                    if event.type_ == "bye":
                        if isinstance(event.retry_seconds, Unset):
                            return
                        wait = event.retry_seconds
                    if frame.event in ("message", "reset"):
                        yield event
        except Refused as refused:
            # A 401 after a renewal means that the session is over; 403 and 404, that the caller may not follow this room.
            if refused.status != 429 and refused.status < 500:
                raise
            least_wait = refused.retry_after
        except httpx.TransportError:
            pass
        # The wait is random in part: after a restart not all readers should come back at the same moment.
        if wait is None:
            wait = max(min(retry * 2**failures, LONGEST_WAIT) * random.uniform(0.5, 1), least_wait)
            failures += 1
        time.sleep(wait)
