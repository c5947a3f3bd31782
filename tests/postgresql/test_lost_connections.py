"""Connections that PostgreSQL ends, and a deadlock that it resolves: nobody notices."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import requests
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class

from tests.postgresql.answers import ASK, KEY, new_category
from tests.postgresql.sessions import WAITING, execute, ours, terminate
from tests.support.api import Admin, Polls
from tests.support.served import ServedApp
from tests.support.stopwatch import until

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.timing,
]

CROWD = 16


class TestConnectionsLost:
    def test_all_of_them_between_two_requests_are_missed_by_nobody(
        self, server: ServedApp, observer: Connection
    ) -> None:
        with ThreadPoolExecutor(CROWD) as pool:
            list(pool.map(server.get, ["/hold?seconds=0.3"] * CROWD))
            assert ours(observer) > CROWD // 2

            terminate(observer)

            answers = list(pool.map(server.get, [ASK] * CROWD))
        assert {answer.status_code for answer in answers} == {200}

    def test_in_the_middle_of_a_request_is_made_good_by_running_it_again(
        self, server: ServedApp, observer: Connection, settings: dict[str, Any], admin: Admin
    ) -> None:
        with closing(psycopg2.connect(settings["database_url"])) as locker:
            execute(locker, 'LOCK TABLE "pollCategories"')
            with ThreadPoolExecutor(2) as pool:
                read = pool.submit(server.get, "/admin/categories", headers=KEY)
                change = pool.submit(new_category, server, "again")
                until(lambda: ours(observer, WAITING) == 2, 5)
                terminate(observer, WAITING)
                until(lambda: ours(observer, WAITING) == 2, 2)
                locker.rollback()
                assert (read.result().status_code, change.result().status_code) == (200, 200)
        created = change.result().json()["category"]["id"]
        assert [row["success"] for row in admin.audit() if row["entityId"] == created] == [True]

    def test_after_its_last_answer_spoils_nothing(self, server: ServedApp) -> None:
        assert [server.get("/lose").status_code for _ in range(4)] == [200] * 4


class TestDeadlock:
    """The test holds what the app wants second, and then asks for what the app took first."""

    def test_an_admin_action_is_done_once_on_the_second_try(
        self, server: ServedApp, observer: Connection, settings: dict[str, Any], polls: Polls
    ) -> None:
        poll = polls.open()
        path = f"/admin/instances/{poll['pollId']}/close"
        answer = self.provoke(
            settings, observer, lambda: server.post(path, headers=KEY), "pollResultSnapshots"
        )

        assert answer.status_code == 200, answer.text
        closed = [row for row in polls.admin.audit() if row["entityId"] == poll["pollId"]]
        assert [row["success"] for row in closed] == [True]

    @staticmethod
    def provoke(
        settings: dict[str, Any],
        observer: Connection,
        action: Callable[[], requests.Response],
        second: str,
    ) -> requests.Response:
        with (
            closing(psycopg2.connect(settings["database_url"])) as rival,
            ThreadPoolExecutor() as pool,
        ):
            execute(rival, "SET deadlock_timeout = '20s'")  # the app is to be the one that loses
            rival.commit()
            execute(rival, f'LOCK TABLE "{second}"')
            answer: Future[requests.Response] = pool.submit(action)
            until(lambda: ours(observer, WAITING) == 1, 5)
            # A table is queued up for: the second try can't take it before us, as it could a row.
            execute(rival, 'LOCK TABLE "pollInstances"')
            rival.commit()
            return answer.result()
