"""The API as tests speak it: an admin who builds polls, and voters who answer them."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from allthing import clock

Json = dict[str, Any]


class Admin:
    """An admin with a key; what it does by name must succeed."""

    def __init__(self, client: FlaskClient, key: str | None) -> None:
        self.client = client
        self.headers = {} if key is None else {"x-admin-key": key}

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
            number = len(self.done("GET", "/categories")["categories"])
            fields["categoryId"] = self.category(key=f"category-{number}")["id"]
        entries = [{"label": label, "sortOrder": n} for n, label in enumerate(options)]
        body = {"title": "Best soup", "pollType": "SINGLE", "options": entries}
        return self.done("POST", "/templates", body | fields)["template"]

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


def walk(categories: list[Json]) -> Any:
    for category in categories:
        yield from category["polls"]
        yield from walk(category["subCategories"])


def today() -> str:
    """Return the poll day in the default zone, for apps that run in another process too."""
    return clock.now().astimezone(ZoneInfo("America/New_York")).date().isoformat()
