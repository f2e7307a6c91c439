"""Owns who is calling: signs in, sends the access token with every request, and renews it when the server says 401."""

import threading
import time
from typing import Any

from parlor_client import ApiClient, Configuration, LoginInput, Problem, RefreshInput, SessionsApi, SignIn
from parlor_client.exceptions import ApiException
from parlor_client.rest import RESTResponse


class Session(ApiClient):
    """Somebody who signed in: operations that are given this client are called as them."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self._anonymous = SessionsApi(ApiClient(Configuration(host=base_url)))
        self._tokens: SignIn = self._anonymous.login(LoginInput(username=username, password=password))
        super().__init__(Configuration(host=base_url, access_token=self._tokens.access_token))
        self.renewals = 0
        self._renewing = threading.Lock()

    def call_api(self, method: str, url: str, header_params: Any = None, *rest: Any, **named: Any) -> RESTResponse:
        response = super().call_api(method, url, header_params, *rest, **named)
        if response.status != 401:
            return response
        response.read()
        self._renew(header_params.get("Authorization"))
        signed = header_params | {"Authorization": f"Bearer {self._tokens.access_token}"}
        return super().call_api(method, url, signed, *rest, **named)

    def _renew(self, refused: str | None) -> None:
        # Requests that meet a 401 at the same time share one renewal: a refresh token is good for one use.
        with self._renewing:
            if f"Bearer {self._tokens.access_token}" != refused:
                return
            newest = RefreshInput(refresh_token=self._tokens.refresh_token)
            try:
                self._tokens = self._anonymous.refresh(newest)
            except ApiException as busy:
                if not retry_after(busy):
                    raise
                # The server is too busy for now, and the refresh token is still good: try once more.
                time.sleep(retry_after(busy))
                self._tokens = self._anonymous.refresh(newest)
            self.configuration.access_token = self._tokens.access_token
            self.renewals += 1


def problem_of(refused: ApiException) -> Problem | None:
    """Why a request was refused. An answer that is not of this API, from a proxy perhaps, has no problem."""
    return refused.data if isinstance(refused.data, Problem) else None


def retry_after(refused: ApiException) -> float:
    """How many seconds the server asks to wait before another try."""
    seconds = refused.headers.get("Retry-After", "") if refused.headers else ""
    return float(seconds) if seconds.isdecimal() else 0.0
