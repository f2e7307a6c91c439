"""Owns who is calling: signs in, sends the access token with every request, and renews it when the server says 401."""

from collections.abc import Generator
from typing import TypeVar, cast

import httpx
from parlor_client import AuthenticatedClient, Client
from parlor_client.api.sessions import login, refresh
from parlor_client.models import LoginInput, Problem, RefreshInput, SignIn
from parlor_client.types import Response

T = TypeVar("T")


class Refused(Exception):
    """A request that was refused. An answer that is not of this API, from a proxy perhaps, has no problem."""

    def __init__(self, status: int, problem: Problem | None) -> None:
        super().__init__(f"{problem.title} ({problem.code})" if problem else f"status {status}")
        self.status = status
        self.problem = problem


def given(answer: Response[T | Problem]) -> T:
    """What a call gave; a refusal is raised."""
    if answer.status_code >= 400:
        raise Refused(answer.status_code, answer.parsed if isinstance(answer.parsed, Problem) else None)
    return cast(T, answer.parsed)


class Session(httpx.Auth):
    """Somebody who signed in: `client` calls as them."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self._anonymous = Client(base_url)
        self._tokens: SignIn = given(login.sync_detailed(client=self._anonymous, body=LoginInput(username, password)))
        self.client = AuthenticatedClient(base_url, str(self._tokens.access_token), httpx_args={"auth": self})
        self.renewals = 0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        self._sign(request)
        response = yield request
        if response.status_code == 401:
            self._renew()
            self._sign(request)
            yield request

    def _sign(self, request: httpx.Request) -> None:
        request.headers["Authorization"] = f"Bearer {self._tokens.access_token}"

    def _renew(self) -> None:
        body = RefreshInput(self._tokens.refresh_token)
        self._tokens = given(refresh.sync_detailed(client=self._anonymous, body=body))
        self.renewals += 1
