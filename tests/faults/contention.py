"""Votes that get in each other's way on PostgreSQL."""

import threading
import time
from dataclasses import dataclass
from typing import Self

import psycopg2
from itsdangerous import URLSafeSerializer

from tests.conftest import SECRET_KEY
from tests.faults.deployment import Deployment
from tests.faults.postgres_faults import execute
from tests.support.api import Json

DEADLOCK_SECONDS = 0.4  # after which PostgreSQL looks for one

TWIN = 'CREATE TEMP TABLE twin AS SELECT * FROM "voteBallots" WHERE "instanceId" = %s'
WAITING = """
    SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '"voteTallies"'::regclass
"""


@dataclass
class Timed:
    status: int
    seconds: float


class OneVoter:
    """A poll beside the one under load, a voter of it, and a session that gets in the way."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        cookie = URLSafeSerializer(SECRET_KEY, salt="voter-token").dumps({"t": "t" * 32})
        self.headers = {"Cookie": f"vt={cookie!s}"}

    def prepare(self) -> None:
        self.poll: Json = self.deployment.polls.open(title="Contended")
        self.session = psycopg2.connect(self.deployment.settings["database_url"])

    def vote(self) -> Timed:
        begun = time.monotonic()
        answer = self.deployment.server.post(
            f"/polls/{self.poll['pollId']}/vote",
            json={"rankedChoices": [self.poll["options"][0]["optionId"]]},
            headers=self.headers,
        )
        return Timed(answer.status_code, time.monotonic() - begun)


class TwinVote(OneVoter):
    """Somebody's vote is stored, but not committed, when it is sent once more."""

    def __enter__(self) -> Self:
        self.prepare()
        assert self.vote().status == 200
        execute(self.session, TWIN, self.poll["pollId"])
        execute(self.session, 'DELETE FROM "voteBallots" WHERE id IN (SELECT id FROM twin)')
        self.session.commit()
        execute(self.session, 'INSERT INTO "voteBallots" SELECT * FROM twin')
        self.thread = threading.Thread(target=self.vote_meanwhile)
        self.thread.start()
        return self

    def vote_meanwhile(self) -> None:
        self.while_open = self.vote()

    def __exit__(self, *_raised: object) -> None:
        self.thread.join()
        self.session.rollback()
        self.session.close()
        self.afterwards = self.vote()


class DeadlockedVote(OneVoter):
    """A vote waits for somebody who then waits for the vote."""

    def __enter__(self) -> Self:
        self.prepare()
        execute(self.session, "SET LOCAL deadlock_timeout = '1min'")  # so that the vote is chosen
        begun = time.monotonic()
        execute(self.session, 'LOCK TABLE "voteTallies" IN SHARE MODE')
        thread = threading.Thread(target=self.vote_meanwhile)
        thread.start()
        while not execute(self.session, WAITING)[0][0]:
            time.sleep(0.005)
        # Votes have it, until they give way. Whoever comes again has to wait in line behind us.
        execute(self.session, 'LOCK TABLE "pollInstances" IN ACCESS EXCLUSIVE MODE')
        self.waited = time.monotonic() - begun
        self.session.rollback()
        thread.join()
        return self

    def vote_meanwhile(self) -> None:
        self.answer = self.vote()

    def __exit__(self, *_raised: object) -> None:
        self.session.close()
