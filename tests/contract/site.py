"""A browser on the public site and one on the admin portal, as seen by the server."""

import time
from dataclasses import dataclass
from datetime import date, datetime
from http.cookiejar import DefaultCookiePolicy
from http.cookies import Morsel, SimpleCookie
from secrets import token_hex
from typing import Any
from zoneinfo import ZoneInfo

import requests

from tests.contract.checks import Fault, Json, check, fits, same
from tests.contract.objects import ERROR

TIMEOUT = 90  # seconds; the context of a poll is written by a language model
MAX_WAITS = 3  # how often a rate limit is waited for
LONGEST_WAIT = 120
UNKNOWN = "00000000-0000-4000-8000-000000000000"  # an id of nothing
PAGES_ZONE = ZoneInfo("America/New_York")  # the pages' own, whatever the server's is


@dataclass
class Voter:
    """A browser's jar with the one cookie that counts."""

    cookie: str | None = None


class Kept(dict[str, Json]):
    """What steps made for later ones."""

    def __missing__(self, name: str) -> Json:
        raise Fault(f"there is no {name}: the step that makes it has failed")


class Site:
    """One walk: where to, as whom, and what it has made so far."""

    def __init__(
        self, base: str, key: str, origin: str, *, secure_cookie: bool, alone: bool
    ) -> None:
        self.base = base.rstrip("/")
        self.key = key
        self.origin = origin
        self.secure_cookie = secure_cookie
        self.alone = alone
        self.suffix = token_hex(4)
        self.today = datetime.now(PAGES_ZONE).date()
        self.may_change = False  # until the login shows that this is the place, and we its admin
        self.kept = Kept()
        self.templates: list[str] = []  # ids, to be deleted at the end
        self.ballots = 0
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.session.headers["User-Agent"] = f"contract-walk/{self.suffix}"

    def key_for(self, name: str) -> str:
        return f"walk-{self.suffix}-{name}"

    def ask(self, method: str, path: str, *, status: int | set[int], **request: Any) -> Any:
        """Send a request, wait where a limit says so, and check what holds for every answer."""
        for _ in range(MAX_WAITS):
            response = self.session.request(
                method, self.base + path, timeout=TIMEOUT, allow_redirects=False, **request
            )
            if response.status_code != 429:
                break
            self.check_answer(response, f"{method} {path}")
            time.sleep(min(int(response.headers.get("Retry-After", "60")), LONGEST_WAIT))
        expected = status if isinstance(status, set) else {status}
        what = f"{method} {path}"
        check(
            response.status_code in expected,
            f"{what} answers {response.status_code} {response.text[:200]!r}, not {show(expected)}",
        )
        self.check_answer(response, what)
        return response

    def check_answer(self, response: requests.Response, what: str) -> None:
        self.check_cors(response, what)
        if response.status_code >= 400:
            fits(body_of(response, what), ERROR, f"the answer to {what}")

    def check_cors(self, response: requests.Response, what: str) -> None:
        """Fail if a page would not get to see an answer, or a foreign one would."""
        origin = response.request.headers.get("Origin")
        allowed = response.headers.get("Access-Control-Allow-Origin")
        if origin != self.origin:
            check(allowed in {None, origin}, f"{what} lets {allowed} read, asked by {origin}")
            return
        same(allowed, origin, f"Access-Control-Allow-Origin of {what}")
        credentials = response.headers.get("Access-Control-Allow-Credentials")
        same(credentials, "true", f"Access-Control-Allow-Credentials of {what}")
        vary = response.headers.get("Vary", "").lower()
        check("origin" in vary, f"{what} lacks Vary: Origin")

    def page(self, method: str, path: str, *, status: int | set[int] = 200, **request: Any) -> Json:
        """Ask as the public site does; return the answer's body."""
        headers = {"Origin": self.origin} | request.pop("headers", {})
        response = self.ask(method, path, status=status, headers=headers, **request)
        return body_of(response, f"{method} {path}")

    def portal(
        self, method: str, path: str, body: object = None, *, status: int | set[int] = 200
    ) -> Json:
        """Ask as the admin portal does: without a body there is no Content-Type either."""
        check(self.may_change or method == "GET", "nothing is changed, as the login has failed")
        headers = {"Origin": self.origin, "x-admin-key": self.key}
        json = {} if body is None else {"json": body}
        path = f"/admin{path}"
        response = self.ask(method, path, status=status, headers=headers, **json)
        return body_of(response, f"{method} {path}")

    def vote(
        self,
        poll: Json,
        choices: object,
        *,
        voter: Voter | None = None,
        status: int = 200,
        headers: dict[str, str | None] | None = None,
        **fields: object,
    ) -> tuple[Json, "Morsel[str] | None"]:
        """Vote as a new voter unless one is given; return the body, and `vt` if it is set."""
        voter = voter or Voter()
        path = f"/polls/{poll['pollId']}/vote"
        sent = {"Origin": self.origin, "Cookie": voter.cookie and f"vt={voter.cookie}"}
        body = {"rankedChoices": choices} | fields
        response = self.ask("POST", path, status=status, json=body, headers=sent | (headers or {}))
        morsel = cookie_of(response)
        if morsel is not None:
            voter.cookie = morsel.value
        answer = body_of(response, f"POST {path}")
        if status == 200:
            fits(answer, {"ok": True})
            self.ballots += "deduped" not in answer
        return answer, morsel


def body_of(response: requests.Response, what: str) -> Json:
    kind = response.headers.get("Content-Type", "")
    check("json" in kind, f"{what} answers {response.status_code} as {kind or 'nothing'}, not JSON")
    try:
        body = response.json()
    except ValueError as error:
        raise Fault(f"{what} answers what is not JSON: {error}") from error
    check(isinstance(body, dict), f"{what} answers no object: {response.text[:200]}")
    return body


def cookie_of(response: requests.Response) -> "Morsel[str] | None":
    """Return the cookie `vt` that an answer sets, with its attributes."""
    for header in response.raw.headers.getlist("Set-Cookie"):
        cookies = SimpleCookie(header)
        if "vt" in cookies:
            return cookies["vt"]
    return None


def show(statuses: set[int]) -> str:
    return " or ".join(map(str, sorted(statuses)))


def ids(poll: Json, *labels: str) -> list[str]:
    """Return the option ids of labels, in their order."""
    known = {option["label"]: option["optionId"] for option in poll["options"]}
    missing = [label for label in labels if label not in known]
    check(not missing, f"{poll['title']} lacks the options {missing}: it has {list(known)}")
    return [known[label] for label in labels]


def day_after(day: date, days: int) -> str:
    return date.fromordinal(day.toordinal() + days).isoformat()
