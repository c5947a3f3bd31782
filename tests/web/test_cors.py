"""Cross-origin rules: which pages may call and vote, and that they can read every answer."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import ADMIN_KEY, AppFactory
from tests.support.api import Json, Polls
from tests.support.routes import ORIGIN, assert_refused, contents, requests, store

ALLOWED = [f"{scheme}://localhost:{port}" for scheme in ("http", "https") for port in (3000, 5173)]
FOREIGN = [
    "null",
    "*",
    "http://localhost",
    "http://localhost:30000",
    "http://localhost:3000.evil.example",
    "http://localhost:3000@evil.example",
    "http://localhost:3000/",
    "http://localhost:3000 ",
    "http://localhost:3000, http://evil.example",
    "http://evil.example?http://localhost:3000",
    "http://evil-localhost:3000",
    "http://sub.localhost:3000",
    "http://127.0.0.1:3000",
    "ftp://localhost:3000",
    "//localhost:3000",
    "localhost:3000",
    "file://",
    "http://[::1",
    "\xff",
    "x" * 8000,
]
PATHS = ("/polls/today", "/polls/x/vote", "/healthz", "/admin/categories", "/no-such-path")


def shown(origin: str) -> str:
    return ascii(origin)[:30]


def preflight(client: FlaskClient, path: str, method: str = "POST", **others: str) -> TestResponse:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,x-admin-key",
    }
    return client.options(path, headers=asked | others)


def words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


def assert_readable(response: TestResponse, origin: str) -> None:
    """Assert that a page of this origin gets to see the answer, and may send its cookie."""
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in response.vary


def assert_unreadable(response: TestResponse) -> None:
    """Assert that no page of another origin gets to see the answer."""
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.vary


class TestPreflight:
    def test_every_route_answers_one_without_key_or_effect(self, app: Flask, polls: Polls) -> None:
        walked = requests(app, store(polls))
        before = contents(app)

        for request in walked:
            response = preflight(app.test_client(), request.path(), request.method)
            assert response.status_code == 204
            assert response.data == b""
            assert_readable(response, ORIGIN)
            assert response.headers["Access-Control-Max-Age"] == "600"
            methods = words(response.headers["Access-Control-Allow-Methods"])
            assert methods == {"get", "post", "put", "patch", "delete"}
            allowed = words(response.headers["Access-Control-Allow-Headers"])
            assert allowed == {"content-type", "idempotency-key", "x-admin-key"}

        assert contents(app) == before

    @pytest.mark.parametrize("origin", FOREIGN, ids=shown)
    def test_foreign_page_is_refused(self, app: Flask, origin: str) -> None:
        for path in PATHS:
            response = preflight(app.test_client(), path, Origin=origin)
            assert_refused(response, 400, origin=None)
            assert_unreadable(response)
            assert "Access-Control-Allow-Headers" not in response.headers

    def test_one_without_an_origin_is_refused(self, app: Flask) -> None:
        headers = {"Access-Control-Request-Method": "GET"}

        assert_refused(app.test_client().options("/polls/today", headers=headers), 400, origin=None)

    def test_it_is_free_of_limits_and_leaves_them_alone(self, make_app: AppFactory) -> None:
        limits = ("global_rate_limit", "vote_rate_limit", "admin_rate_limit")
        app = make_app(**dict.fromkeys(limits, "3 per day"))

        before = [preflight(app.test_client(), path).status_code for path in PATHS * 10]
        asked = [app.test_client().get("/").status_code for _ in range(4)]
        after = [preflight(app.test_client(), path).status_code for path in PATHS * 10]

        assert set(before + after) == {204}
        assert asked == [200, 200, 200, 429]


class TestAnswers:
    @pytest.mark.parametrize("origin", ALLOWED)
    def test_every_allowed_page_reads_every_answer(
        self, app: Flask, polls: Polls, origin: str
    ) -> None:
        for request in requests(app, store(polls)):
            if request.method == "GET":
                headers = {"Origin": origin, "x-admin-key": ADMIN_KEY}
                response = request.send(app.test_client(), headers=headers)
                assert response.status_code == request.example.status
                assert_readable(response, origin)

    @pytest.mark.parametrize("origin", FOREIGN, ids=shown)
    def test_foreign_page_reads_none(self, app: Flask, origin: str) -> None:
        for path in PATHS:
            headers = {"Origin": origin, "x-admin-key": ADMIN_KEY}
            assert_unreadable(app.test_client().get(path, headers=headers))

    def test_answers_to_no_page_vary_by_it_all_the_same(self, app: Flask) -> None:
        for path in PATHS:
            assert_unreadable(app.test_client().get(path))

    def test_configured_origins_replace_the_default_ones(self, make_app: AppFactory) -> None:
        app = make_app(cors_origins="https://Polls.example.org/, https://admin.example.org")
        client = app.test_client()

        for origin in ("https://polls.example.org", "https://admin.example.org"):
            assert_readable(client.get("/healthz", headers={"Origin": origin}), origin)
        for origin in ("http://polls.example.org", "https://polls.example.org:8443", ORIGIN):
            assert_unreadable(client.get("/healthz", headers={"Origin": origin}))

    def test_the_page_can_read_every_kind_of_refusal(
        self, polls: Polls, make_app: AppFactory
    ) -> None:
        app = make_app(vote_rate_limit="5 per day")
        app.add_url_rule("/broken", view_func=lambda: str(int("x")))
        ids = store(polls)
        client = app.test_client(use_cookies=False)
        page = {"Origin": ORIGIN}
        vote = f"/polls/{ids['poll_id']}/vote"
        admin = page | {"x-admin-key": ADMIN_KEY}
        category = {"key": "food", "name": "Food", "parentCategoryId": ids["template_id"]}

        assert_refused(client.get("/admin/categories", headers=page), 401)
        assert_refused(client.get("/no-such-path", headers=page), 404)
        assert_refused(client.post("/admin/categories", headers=admin, json=category), 404)
        assert_refused(client.delete("/polls/today", headers=page), 405)
        assert_refused(client.post(vote, headers=page), 415)
        assert_refused(client.post(vote, headers=page, json=["x" * 20_000]), 413)
        assert_refused(client.post(vote, headers=page, json={}), 422)
        cross_site = page | {"Sec-Fetch-Site": "cross-site"}
        assert_refused(client.post(vote, headers=cross_site, json={}), 403)
        assert_refused(
            client.post(vote, headers=page, data="{", content_type="application/json"), 400
        )
        assert_refused(client.post(vote, headers=page, json={}), 429)
        assert_refused(client.get("/broken", headers=page), 500)


class TestVotes:
    """A cookie votes only from our own pages; what names no page is no browser."""

    @pytest.fixture
    def ids(self, polls: Polls) -> Json:
        return store(polls)

    def vote(self, app: Flask, ids: Json, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"rankedChoices": [ids["option_id"]]}
        client = app.test_client()
        return client.post(f"/polls/{ids['poll_id']}/vote", json=body, headers=named)

    def test_our_pages_and_programs_may_vote(self, app: Flask, ids: Json) -> None:
        for headers in (
            *({"Origin": origin} for origin in ALLOWED),
            {"Referer": f"{ORIGIN}/polls/food/best-soup?x=1#top"},
            {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
            {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"},
            {"Origin": ORIGIN, "Referer": "http://evil.example/"},
            {},
        ):
            assert self.vote(app, ids, **headers).status_code == 200

    @pytest.mark.parametrize("origin", FOREIGN, ids=shown)
    def test_foreign_page_may_not(self, app: Flask, ids: Json, origin: str) -> None:
        before = contents(app)

        response = self.vote(app, ids, Origin=origin)

        assert_refused(response, 403, origin=None)
        assert_unreadable(response)
        assert contents(app) == before

    @pytest.mark.parametrize(
        "referer",
        [
            "http://evil.example/",
            "http://localhost:3000.evil.example/",
            "http://localhost:3000@evil.example/",
            "http://evil.example/http://localhost:3000/",
            "http://[::1",
            "about:blank",
            "junk",
            "\xff",
        ],
    )
    def test_page_that_only_its_referer_names_may_not(
        self, app: Flask, ids: Json, referer: str
    ) -> None:
        before = contents(app)

        assert_refused(self.vote(app, ids, Referer=referer), 403, origin=None)
        assert contents(app) == before

    def test_request_that_the_browser_calls_cross_site_may_not(self, app: Flask, ids: Json) -> None:
        before = contents(app)

        for headers in ({}, {"Origin": ORIGIN}, {"Referer": f"{ORIGIN}/"}):
            response = self.vote(app, ids, Sec_Fetch_Site="cross-site", **headers)
            assert_refused(response, 403, origin=headers.get("Origin"))

        assert contents(app) == before

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None],
    )
    def test_body_that_needs_no_preflight_is_refused(
        self, app: Flask, ids: Json, content_type: str | None
    ) -> None:
        body = f'{{"rankedChoices":["{ids["option_id"]}"]}}'
        path = f"/polls/{ids['poll_id']}/vote"

        response = app.test_client().post(
            path, data=body, content_type=content_type, headers={"Origin": ORIGIN}
        )

        assert_refused(response, 415)
