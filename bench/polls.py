"""Speaking the wire contract to any base URL: the polls of today, votes in them, their results."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from bench.wrk import Request

JSON_BODY = {"Content-Type": "application/json"}
ANSWER_SECONDS = 120
TODAY = Request("GET", "/polls/today")

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Sequence[tuple[str, str]]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str:
        return next((v for n, v in self.headers if n.lower() == name.lower()), "")


class Client:
    """A client that keeps its connection to a base URL, and no cookies."""

    def __init__(self, base: str) -> None:
        place = urlsplit(base)
        kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
        self.connection = kind(place.netloc, timeout=ANSWER_SECONDS)
        self.close = self.connection.close

    def send(self, request: Request, headers: Mapping[str, str] | None = None) -> Answer:
        """Return the answer, whatever its status."""
        sent = (JSON_BODY if request.body else {}) | dict(headers or {})
        self.connection.request(request.method, request.path, request.body or None, sent)
        with self.connection.getresponse() as answer:
            return Answer(answer.status, answer.getheaders(), answer.read().decode())


def send(base: str, request: Request, headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request on a connection of its own; any status is an answer."""
    with closing(Client(base)) as client:
        return client.send(request, headers)


def listed(base: str) -> list[Json]:
    """Return all polls of today; raise RuntimeError for what is not the contract's answer."""
    answer = send(base, TODAY)
    if answer.status != 200:
        raise RuntimeError(f"{base}{TODAY.path} answers {answer.status}: {answer.body[:200]}")
    return list(walk(answer.json["data"]["categories"]))


def walk(categories: Sequence[Json]) -> Iterator[Json]:
    for category in categories:
        yield from category["polls"]
        yield from walk(category["subCategories"])


def results(poll: Json) -> Request:
    return Request("GET", f"/polls/{poll['pollId']}/results")


def votes(*polls: Json) -> list[Request]:
    """Return one vote per option of each poll; as they name no voter, each is a new one's."""
    cast = [
        Request("POST", f"/polls/{poll['pollId']}/vote", json.dumps({"rankedChoices": choices}))
        for poll in polls
        for choices in ballots_of(poll)
    ]
    random.Random(len(cast)).shuffle(cast)
    return cast


def ballots_of(poll: Json) -> list[list[str]]:
    """Return some ballots: each option once, in a ranked poll as the first of up to three."""
    ids = [option["optionId"] for option in poll["options"]]
    ranks = min(3, poll["maxRank"] or len(ids)) if poll["pollType"] == "RANKED" else 1
    return [(ids[place:] + ids[:place])[:ranks] for place in range(len(ids))]
