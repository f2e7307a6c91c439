"""Owns who is calling: signs in, sends the access token with every request, and renews it when the server says 401."""

import threading
import time
from collections.abc import Generator, Mapping
from typing import TypeVar, cast

import httpx
from parlor_client import AuthenticatedClient, Client
from parlor_client.api.sessions import login
from parlor_client.models import LoginInput, Problem, RefreshInput, SignIn
from parlor_client.types import Response, Unset

T = TypeVar("T")


class Refused(Exception):
    """A request that was refused. An answer that is not of this API, from a proxy perhaps, has no problem."""

    def __init__(self, status: int, problem: Problem | None, headers: Mapping[str, str]) -> None:
        super().__init__(f"{problem.title} ({problem.code})" if problem else f"status {status}")
        self.status = status
        self.problem = problem
        seconds = headers.get("Retry-After", "")
        self.retry_after = float(seconds) if seconds.isdecimal() else 0.0


def given(answer: Response[T | Problem]) -> T:
    """What a call gave; a refusal is raised."""
    if answer.status_code >= 400:
        problem = answer.parsed if isinstance(answer.parsed, Problem) else None
        raise Refused(answer.status_code, problem, answer.headers)
    return cast(T, answer.parsed)


def check(response: httpx.Response) -> None:
    """Raises a refusal that no generated call read."""
    if response.is_error:
        raise Refused(response.status_code, Problem.from_dict(response.json()), response.headers)


def refuse_bare(response: httpx.Response) -> None:
    """Raises a refusal without a problem: generated calls would take its body, empty or a proxy's, for JSON."""
    if response.is_error and response.headers.get("Content-Type") != "application/problem+json":
        raise Refused(response.status_code, None, response.headers)


HOOKS = {"response": [refuse_bare]}


def anonymous_at(base_url: str) -> Client:
    """A client without a session."""
    return Client(base_url, httpx_args={"event_hooks": HOOKS})


class Session(httpx.Auth):
    """Somebody who signed in: `client` calls as them."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self._anonymous = anonymous_at(base_url)
        self._tokens: SignIn = given(login.sync_detailed(client=self._anonymous, body=LoginInput(username, password)))
        signed = {"auth": self, "event_hooks": HOOKS}
        self.client = AuthenticatedClient(base_url, str(self._tokens.access_token), httpx_args=signed)
        self.renewals = 0
        self._renewing = threading.Lock()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._tokens.access_token
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            self._renew(token)
            request.headers["Authorization"] = f"Bearer {self._tokens.access_token}"
            yield request

    def _renew(self, refused: str | Unset) -> None:
        # Requests that meet a 401 at the same time share one renewal: a refresh token is good for one use.
        with self._renewing:
            if self._tokens.access_token != refused:
                return
            try:
                self._tokens = self._ask()
            except Refused as busy:
                if not busy.retry_after:
                    raise
                # The server is too busy for now, and the refresh token is still good: try once more.
                time.sleep(busy.retry_after)
                self._tokens = self._ask()
            self.renewals += 1

    def _ask(self) -> SignIn:
        body = RefreshInput(self._tokens.refresh_token).to_dict()
        answer = self._anonymous.get_httpx_client().post("/v1/refresh", json=body)
        check(answer)
        return SignIn.from_dict(answer.json())
