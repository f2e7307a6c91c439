"""What a caller sees when a request fails, whichever layer refuses it.

Usage: python faults.py http://127.0.0.1:8080 BARE_URL, which is the address that ../bare.mjs prints.
"""

import secrets
import sys
from collections.abc import Callable
from typing import Any

from parlor_client.api.accounts import get_user, register_user
from parlor_client.api.sessions import login
from parlor_client.models import LoginInput, Registration
from parlor_client.types import Response
from session import Refused, anonymous_at, given

base_url, bare_url = sys.argv[1:]
anonymous = anonymous_at(base_url)
username = f"ada-{secrets.token_hex(4)}"


def refusal(call: Callable[..., Response[Any]], *arguments: Any, **named: Any) -> Refused:
    """Why a call was refused."""
    try:
        given(call(*arguments, **named))
    except Refused as refused:
        return refused
    raise AssertionError("the call was not refused")


def code_of(refused: Refused) -> tuple[int, str | None]:
    """The status, and the code if there is a problem."""
    return refused.status, refused.problem.code if refused.problem else None


common = refusal(register_user.sync_detailed, client=anonymous, body=Registration(username, "password1234"))
assert code_of(common) == (422, "password_too_common")
assert common.problem and common.problem.errors
assert common.problem.errors[0].pointer == "/password"
print(f"a rule: {common}")

wrong = LoginInput(username, "not the right one")
tried = refusal(login.sync_detailed, client=anonymous, body=wrong)
while code_of(tried) == (401, "wrong_credentials"):
    tried = refusal(login.sync_detailed, client=anonymous, body=wrong)
assert code_of(tried) == (429, "too_many_requests")
assert tried.retry_after > 0
print(f"a limit: {tried}, for {tried.retry_after:.0f} s")

long = refusal(get_user.sync_detailed, "a" * 9_000, client=anonymous)
assert code_of(long) == (414, "uri_too_long")
print(f"a long address: {long}")
longer = refusal(get_user.sync_detailed, "a" * 20_000, client=anonymous)
assert code_of(longer) == (431, None)
print(f"one that is not even read: {longer}")

elsewhere = refusal(get_user.sync_detailed, username, client=anonymous_at(f"{base_url}/elsewhere"))
assert code_of(elsewhere) == (404, "not_found")
print(f"the wrong address: {elsewhere}")

bare = anonymous_at(bare_url)
for status in (400, 414, 431):
    assert code_of(refusal(get_user.sync_detailed, str(status), client=bare)) == (status, None)
broken = refusal(get_user.sync_detailed, "500", client=bare)
assert code_of(broken) == (500, "internal")
print(f"an empty answer is its status; a server that broke: {broken}")
