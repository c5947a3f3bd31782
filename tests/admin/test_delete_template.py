"""Deleting a template: refused while it has polls, unless all of them may go with it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import func, select

from allthing.database import Base, db
from tests.support.api import Admin, Json, Polls, today
from tests.support.queries import engine_of, statements
from tests.support.uncommitted_votes import commit_when_waited_for, uncommitted_vote

GREENS = [{"label": "Kale"}, {"label": "Chard"}]
RANKED = {"pollType": "RANKED", "options": ("Leek", "Pea", "Corn")}
HANGING_ON_TEMPLATES = (
    "pollTemplates",
    "pollTemplateOptions",
    "pollPlans",
    "pollPlanOptions",
    "pollInstances",
    "pollInstanceOptions",
    "pollResultSnapshots",
    "voteBallots",
    "voteTallies",
)


def rows(app: Flask) -> dict[str, int]:
    """Return how many rows are stored in each table that hangs on templates."""
    with app.app_context():
        tables = [Base.metadata.tables[name] for name in HANGING_ON_TEMPLATES]
        return {
            table.name: db.session.scalar(select(func.count()).select_from(table)) or 0
            for table in tables
        }


def used_template(polls: Polls, admin: Admin, votes: int = 2, **fields: object) -> str:
    """Make a template with a plan, a replaced poll with snapshot and votes, and an open one."""
    poll = polls.open(**fields)
    admin.plan_options(poll["templateId"], "2031-05-04", GREENS)
    admin.done("POST", f"/instances/{poll['pollId']}/snapshot")
    for _ in range(votes):
        assert polls.vote(poll, *(["Pea", "Leek"] if fields else ["Pea"])).status_code == 200
    admin.done("POST", f"/instances/{poll['pollId']}/replace")
    return poll["templateId"]


def delete(admin: Admin, template_id: str) -> Json:
    return admin.done("DELETE", f"/templates/{template_id}?force=true")


@pytest.mark.parametrize("query", ["", "?force=false"])
def test_a_template_with_polls_is_kept_unless_forced(
    polls: Polls, admin: Admin, app: Flask, query: str
) -> None:
    template_id = used_template(polls, admin)
    before = rows(app)

    response = admin.call("DELETE", f"/templates/{template_id}{query}")

    assert response.status_code == 409
    assert "force" in response.json["detail"]
    assert rows(app) == before


def test_a_template_without_polls_goes_with_its_plans(admin: Admin, app: Flask) -> None:
    template = admin.template()
    admin.plan_options(template["id"], "2031-05-04", GREENS)

    answer = admin.done("DELETE", f"/templates/{template['id']}")

    assert answer["ok"] is True
    assert answer["deletedTemplate"] == {name: template[name] for name in ("id", "title", "key")}
    expected = {"instances": 0, "plans": 1, "votes": 0, "snapshots": 0}
    assert answer["cascadeDeleted"] == expected
    assert set(rows(app).values()) == {0}
    assert admin.call("GET", f"/templates/{template['id']}").status_code == 404


@pytest.mark.parametrize("fields", [{}, RANKED], ids=["single", "ranked"])
def test_force_deletes_all_that_hangs_on_it(
    polls: Polls, admin: Admin, app: Flask, fields: dict
) -> None:
    template_id = used_template(polls, admin, **fields)

    answer = delete(admin, template_id)

    expected = {"instances": 2, "plans": 1, "votes": 2, "snapshots": 2}
    assert answer["cascadeDeleted"] == expected
    assert set(rows(app).values()) == {0}


def test_other_templates_keep_everything(polls: Polls, admin: Admin, app: Flask) -> None:
    used_template(polls, admin)
    before = rows(app)

    delete(admin, used_template(polls, admin, **RANKED))

    assert rows(app) == before


def test_its_polls_are_gone_from_public_reads_at_once(polls: Polls, admin: Admin) -> None:
    template_id = used_template(polls, admin)
    (poll,) = polls.listed()
    polls.results(poll)

    delete(admin, template_id)

    assert polls.listed() == []
    results = polls.app.test_client().get(f"/polls/{poll['pollId']}/results")
    assert results.status_code == 404
    assert polls.vote(poll, "Pea").status_code == 404


@pytest.mark.postgresql
def test_a_vote_under_way_is_waited_for_and_deleted_as_well(
    polls: Polls, admin: Admin, app: Flask
) -> None:
    poll = polls.open()
    with ThreadPoolExecutor(1) as pool, uncommitted_vote(app, poll) as vote:
        deleting = pool.submit(delete, admin, poll["templateId"])
        commit_when_waited_for(app, vote)

    assert deleting.result()["cascadeDeleted"]["votes"] == 1


def test_a_deleted_templates_key_is_free_again(admin: Admin) -> None:
    template = admin.template()
    delete(admin, template["id"])

    again = admin.template(categoryId=template["categoryId"])

    assert again["key"] == template["key"]
    assert admin.rollover(today())["createdCount"] == 1


def test_unknown_template_is_not_found_and_junk_in_force_is_refused(admin: Admin) -> None:
    template = admin.template()

    assert admin.call("DELETE", "/templates/nope?force=true").status_code == 404
    assert admin.call("DELETE", f"/templates/{template['id']}?force=maybe").status_code == 422
    admin.done("DELETE", f"/templates/{template['id']}")
    assert admin.call("DELETE", f"/templates/{template['id']}").status_code == 404


def test_the_audit_keeps_what_was_deleted(polls: Polls, admin: Admin) -> None:
    template_id = used_template(polls, admin)
    template = admin.done("GET", f"/templates/{template_id}")["template"]
    answer = delete(admin, template_id)

    (row,) = admin.audit(action="template_deleted")

    assert (row["entityType"], row["entityId"]) == ("template", template_id)
    kept = {name: value for name, value in template.items() if value is not None}
    assert row["changes"] == {"before": kept, "after": None}
    assert row["metadata"]["force"] is True
    assert row["metadata"]["cascadeDeleted"] == answer["cascadeDeleted"]


def test_more_votes_and_polls_take_no_more_statements(
    polls: Polls, admin: Admin, app: Flask
) -> None:
    sent = []
    for votes in (1, 5):
        template_id = used_template(polls, admin, votes=votes)
        for _ in range(votes):
            (poll,) = polls.listed()
            admin.done("POST", f"/instances/{poll['pollId']}/replace")
        with statements(engine_of(app)) as seen:
            delete(admin, template_id)
        sent.append(len(seen))

    assert sent[0] == sent[1]
