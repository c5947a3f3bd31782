"""The picture of a poll's result over HTTP: as the results are now, and harmless in a browser."""

from xml.etree import ElementTree as ET

from flask.testing import FlaskClient

from allthing.results import charts
from tests.support.api import Admin, Polls
from tests.support.charts import HOSTILE
from tests.support.svg import bars, ribbons, texts


def test_picture_is_served_as_an_image_that_can_do_nothing(
    polls: Polls, client: FlaskClient
) -> None:
    poll = polls.open(options=(HOSTILE, "Pea"))
    polls.vote(poll, HOSTILE)

    response = client.get(f"/polls/{poll['pollId']}/results.svg")

    assert response.status_code == 200
    assert response.content_type == "image/svg+xml"
    assert (
        response.headers["Content-Security-Policy"]
        == "default-src 'none'; style-src 'unsafe-inline'"
    )
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.text == charts.draw(polls.results(poll))
    assert "<script" not in response.text


def test_a_vote_changes_the_picture_at_once(polls: Polls, client: FlaskClient) -> None:
    poll = polls.open(pollType="RANKED", options=("Leek", "Pea"))
    path = f"/polls/{poll['pollId']}/results.svg"
    assert "No ballots yet." in client.get(path).text

    polls.vote(poll, "Pea", "Leek")

    assert "Pea wins with every active ballot" in client.get(path).text


def test_a_closed_poll_keeps_its_picture(polls: Polls, admin: Admin, client: FlaskClient) -> None:
    poll = polls.open(pollType="RANKED", options=("Park", "Museum", "Library", "Café"))
    for ranking, count in {
        ("Park", "Museum"): 3,
        ("Museum", "Park"): 2,
        ("Café", "Museum"): 2,
    }.items():
        for _ in range(count):
            polls.vote(poll, *ranking)
    path = f"/polls/{poll['pollId']}/results.svg"
    before = ET.fromstring(client.get(path).text)

    admin.close(poll["pollId"])

    after = ET.fromstring(client.get(path).text)
    assert ribbons(after) == ribbons(before) != []
    assert bars(after, "height") == bars(before, "height")
    assert [text.replace("ahead", "winner").replace(" so far", "") for text in texts(before)] == (
        texts(after)
    )


def test_an_unknown_poll_has_no_picture(client: FlaskClient) -> None:
    response = client.get("/polls/unknown/results.svg")

    assert response.status_code == 404
    assert response.content_type == "application/problem+json"
