"""The API as tests speak it: an admin who builds polls, and voters who answer them."""

import itertools
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from allthing.config import Settings
from allthing.runtime import clock

ORIGIN = "http://localhost:3000"  # of a page that may ask
LATE_HOUR = 20

numbers = itertools.count()

Json = dict[str, Any]


class Admin:
    """An admin with a key; what it does by name must succeed."""

    def __init__(self, client: FlaskClient, key: str | None) -> None:
        self.client = client
        self.headers = {} if key is None else {"x-admin-key": key}

    def at(self, app: Flask) -> "Admin":
        """Return the same admin at another app."""
        return Admin(app.test_client(use_cookies=False), self.headers.get("x-admin-key"))

    def call(self, method: str, path: str, body: object = None, **arguments: Any) -> TestResponse:
        """Send a request below /admin; one without a body has no Content-Type, as the portal's."""
        json = {} if body is None else {"json": body}
        headers = self.headers | arguments.pop("headers", {})
        return self.client.open(
            f"/admin{path}", method=method, headers=headers, **json, **arguments
        )

    def done(self, method: str, path: str, body: object = None) -> Json:
        response = self.call(method, path, body)
        assert response.status_code == 200, response.text
        return response.json

    def category(self, key: str = "food", name: str = "Food", **fields: object) -> Json:
        return self.done("POST", "/categories", {"key": key, "name": name} | fields)["category"]

    def template(self, *, options: tuple[str, ...] = ("Leek", "Pea"), **fields: object) -> Json:
        """Add a template, by default a single choice in a category that is made for it."""
        if "categoryId" not in fields:
            fields["categoryId"] = self.category(key=f"category-{next(numbers)}")["id"]
        entries = [{"label": label, "sortOrder": n} for n, label in enumerate(options)]
        body = {"title": "Best soup", "pollType": "SINGLE", "options": entries}
        return self.done("POST", "/templates", body | fields)["template"]

    def plan(self, template_id: str, day: object, **fields: object) -> Json:
        body = {"pollDate": str(day)} | fields
        return self.done("PUT", f"/templates/{template_id}/plan", body)

    def plan_options(self, template_id: str, day: object, options: list[Json]) -> Json:
        body = {"pollDate": str(day), "options": options}
        return self.done("PUT", f"/templates/{template_id}/plan/options", body)

    def planned(self, template_id: str, day: object) -> Json | None:
        return self.done("GET", f"/templates/{template_id}/plan?pollDate={day}")["plan"]

    def rollover(self, day: object = None) -> Json:
        return self.done("POST", f"/rollover?pollDate={day or today()}")

    def close(self, instance_id: str) -> Json:
        return self.done("POST", f"/instances/{instance_id}/close")

    def audit(self, **filters: object) -> list[Json]:
        """Return audit rows, newest first."""
        response = self.call("GET", "/audit-logs", query_string=filters)
        assert response.status_code == 200, response.text
        return response.json["auditLogs"]


class Polls:
    """Polls of today and their voters."""

    def __init__(self, app: Flask, admin: Admin) -> None:
        self.app = app
        self.admin = admin

    def open(self, **fields: Any) -> Json:
        """Open a poll today; return it as the public sees it."""
        template = self.admin.template(**fields)
        self.admin.rollover()
        return next(p for p in self.listed() if p["templateId"] == template["id"])

    def closed(self, *ballots: tuple[str, ...], **fields: Any) -> Json:
        """Open a poll today, let a new voter cast each of the ballots, close it."""
        poll = self.open(**fields)
        for ballot in ballots:
            assert self.vote(poll, *ballot).status_code == 200
        self.admin.close(poll["pollId"])
        return poll

    def listed(self) -> list[Json]:
        """Return all polls of today, in the order of the tree."""
        response = self.app.test_client().get("/polls/today")
        assert response.status_code == 200, response.text
        return list(walk(response.json["data"]["categories"]))

    def vote(self, poll: Json, *labels: str, voter: FlaskClient | None = None) -> TestResponse:
        """Vote for options by label, best first; as a new voter unless one is given."""
        ids = {option["label"]: option["optionId"] for option in poll["options"]}
        voter = voter or self.app.test_client()
        choices = [ids.get(label, label) for label in labels]
        return voter.post(f"/polls/{poll['pollId']}/vote", json={"rankedChoices": choices})

    def results(self, poll: Json) -> Json:
        response = self.app.test_client().get(f"/polls/{poll['pollId']}/results")
        assert response.status_code == 200, response.text
        return response.json["data"]


def ask(app: Flask, path: str, times: int, **arguments: Any) -> list[int]:
    """Ask this often as a page, without cookies; return the status of each answer."""
    client = app.test_client(use_cookies=False)
    page = {"Origin": ORIGIN}
    return [client.get(path, headers=page, **arguments).status_code for _ in range(times)]


def walk(categories: list[Json]) -> Any:
    for category in categories:
        yield from category["polls"]
        yield from walk(category["subCategories"])


def lasting_zone() -> ZoneInfo:
    """Return a zone for the polls in which the day won't end while the tests run."""
    default = ZoneInfo(Settings.model_fields["poll_timezone"].default)
    is_late = clock.now().astimezone(default).hour >= LATE_HOUR
    return ZoneInfo("Asia/Tokyo") if is_late else default


POLL_ZONE = lasting_zone()  # of all apps that no test puts in another one


def today() -> str:
    """Return the poll day, for apps that run in another process too."""
    return clock.now().astimezone(POLL_ZONE).date().isoformat()
