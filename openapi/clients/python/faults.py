"""What a caller sees when things go wrong, whichever layer says no. Usage: python faults.py http://127.0.0.1:8080"""

import secrets
import sys
from typing import TypeVar

from parlor_client import Client
from parlor_client.api.accounts import get_user, register_user
from parlor_client.api.sessions import login
from parlor_client.models import LoginInput, Problem, Registration
from parlor_client.types import Response
from session import Refused, given

T = TypeVar("T")

base_url = sys.argv[1]
anonymous = Client(base_url)
username = f"ada-{secrets.token_hex(4)}"


def refusal(answer: Response[T | Problem]) -> tuple[int, str | None]:
    """Why a call was refused: the status, and the code if there is a problem."""
    try:
        given(answer)
    except Refused as refused:
        return refused.status, refused.problem.code if refused.problem else None
    raise AssertionError("the call was not refused")


common = register_user.sync_detailed(client=anonymous, body=Registration(username, "password1234"))
assert refusal(common) == (422, "password_too_common")
assert isinstance(common.parsed, Problem) and common.parsed.errors
assert common.parsed.errors[0].pointer == "/password"
print(f"a rule: {common.parsed.title}")

wrong = LoginInput(username, "not the right one")
tried = login.sync_detailed(client=anonymous, body=wrong)
while refusal(tried) == (401, "wrong_credentials"):
    tried = login.sync_detailed(client=anonymous, body=wrong)
assert refusal(tried) == (429, "too_many_requests")
assert int(tried.headers["Retry-After"]) > 0
print(f"a limit: wait for {tried.headers['Retry-After']} s")

assert refusal(get_user.sync_detailed("a" * 9_000, client=anonymous)) == (414, "uri_too_long")
print("a long address: the problem says so")
assert refusal(get_user.sync_detailed("a" * 20_000, client=anonymous)) == (431, None)
print("one that is not even read: a status without a problem")

elsewhere = Client(f"{base_url}/elsewhere")
assert refusal(get_user.sync_detailed(username, client=elsewhere)) == (404, "not_found")
print("the wrong address: nothing is there")
