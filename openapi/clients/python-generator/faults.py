"""What a caller sees when a request fails, whichever layer refuses it.

Usage: python faults.py http://127.0.0.1:8080 BARE_URL, which is the address that ../bare.mjs prints.
"""

import secrets
import sys
from collections.abc import Callable
from typing import Any

from parlor_client import (
    AccountsApi,
    ApiClient,
    Configuration,
    LoginInput,
    Registration,
    SessionsApi,
)
from parlor_client.exceptions import ApiException, UnprocessableEntityException
from session import problem_of

base_url, bare_url = sys.argv[1:]
anonymous = ApiClient(Configuration(host=base_url))
username = f"ada-{secrets.token_hex(4)}"


def refusal(call: Callable[..., object], *arguments: Any) -> ApiException:
    """Why a call was refused."""
    try:
        call(*arguments)
    except ApiException as refused:
        return refused
    raise AssertionError("the call was not refused")


def code_of(refused: ApiException) -> tuple[int, str | None]:
    """The status, and the code if there is a problem."""
    problem = problem_of(refused)
    assert refused.status
    return refused.status, problem.code if problem else None


common = refusal(AccountsApi(anonymous).register_user, Registration(username=username, password="password1234"))
assert isinstance(common, UnprocessableEntityException)
assert code_of(common) == (422, "password_too_common")
problem = problem_of(common)
assert problem and problem.errors and problem.errors[0].pointer == "/password"
print(f"a rule: {problem.title}")

wrong = LoginInput(username=username, password="not the right one")
tried = refusal(SessionsApi(anonymous).login, wrong)
while code_of(tried) == (401, "wrong_credentials"):
    tried = refusal(SessionsApi(anonymous).login, wrong)
assert code_of(tried) == (429, "too_many_requests")
assert tried.headers and int(tried.headers["Retry-After"]) > 0
print(f"a limit: wait for {tried.headers['Retry-After']} s")

assert code_of(refusal(AccountsApi(anonymous).get_user, "a" * 9_000)) == (414, "uri_too_long")
print("a long address: the problem says so")
assert code_of(refusal(AccountsApi(anonymous).get_user, "a" * 20_000)) == (431, None)
print("one that is not even read: a status without a problem")

elsewhere = AccountsApi(ApiClient(Configuration(host=f"{base_url}/elsewhere")))
assert code_of(refusal(elsewhere.get_user, username)) == (404, "not_found")
print("the wrong address: nothing is there")

bare = AccountsApi(ApiClient(Configuration(host=bare_url)))
for status in (400, 414, 431):
    assert code_of(refusal(bare.get_user, str(status))) == (status, None)
assert code_of(refusal(bare.get_user, "500")) == (500, "internal")
print("an empty answer is its status; a server that broke is a problem")
