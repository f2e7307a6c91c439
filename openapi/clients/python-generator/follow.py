"""Owns following a room: one endless series of events over as many connections as it takes."""

import random
import time
from collections.abc import Generator

from parlor_client import EventsApi, StreamEvent
from parlor_client.exceptions import ApiException
from session import Session, retry_after
from sseclient import SSEClient
from urllib3.exceptions import HTTPError

RETRY = 3.0
LONGEST_WAIT = 30.0
FIRST_PATIENCE = 120.0
"""How long a connection may be silent before `hello` has told how often the server gives a sign of life."""


def follow(session: Session, room: str, after: str | None = None) -> Generator[StreamEvent, None, None]:
    """The events of a room after a cursor, from now without one.

    It ends when the server says not to come back, or with the refusal that is final. A `reset` among the events says
    that some cannot be had any more: fetch what you show anew.
    """
    events = EventsApi(session)
    patience, failures = FIRST_PATIENCE, 0
    while True:
        wait: float | None = None
        least_wait = 0.0
        response = None
        try:
            # A ping comes when nothing else does: without one for so long the connection is dead.
            response = events.stream_room_events_without_preload_content(
                room, after=after, _request_timeout=(10.0, patience)
            )
            if response.status >= 400:
                raise ApiException(http_resp=response)
            for frame in SSEClient(response).events() if response.status == 200 else ():
                event = StreamEvent.from_json(frame.data)
                assert event
                after = frame.id or after
                failures = 0
                if event.heartbeat_seconds:
                    patience = 2.0 * event.heartbeat_seconds
                if event.type == "bye":
                    if event.retry_seconds is None:
                        return
                    wait = event.retry_seconds
                if frame.event in ("message", "reset"):
                    yield event
        except ApiException as refused:
            # A 401 after a renewal means that the session is over; 403 and 404, that the caller may not follow this room.
            if refused.status and refused.status != 429 and refused.status < 500:
                raise
            least_wait = retry_after(refused)
        except HTTPError:
            pass
        finally:
            if response:
                response.close()
        # The wait is random in part: after a restart not all readers should come back at the same moment.
        if wait is None:
            wait = max(min(RETRY * 2**failures, LONGEST_WAIT) * random.uniform(0.5, 1), least_wait)
            failures += 1
        time.sleep(wait)
