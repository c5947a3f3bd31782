"""Ballots by the million, written in bulk: how many polls with as many ballots come to be."""

import random
from collections.abc import Sequence
from itertools import permutations

from bench.polls import Json
from bench.stage import Product, query

SAMPLE = 10_000
BATCH = 20_000  # as counters move on with each ballot, one huge transaction would crawl
POPULARITY = (8, 5, 3, 2, 1, 1)  # by option; in real polls few are favourites
LENGTHS = {2: 5, 3: 3, 4: 1, 5: 1, 6: 2}  # in real polls few voters rank all

INSERT = """
INSERT INTO "voteBallots" (id, "instanceId", "voterTokenHash", "ipHash", "userAgentHash",
    "firstChoiceOptionId", ranking, "createdAt")
SELECT gen_random_uuid()::text, %s, digest, digest, digest, options[1 + split_part(r, '.', 1)::int],
    r, now()
FROM (
    SELECT drawn.ranking AS r, md5(n::text) || md5(random()::text) AS digest
    FROM generate_series(1, %s) AS n
    CROSS JOIN LATERAL (SELECT (%s::text[])[1 + (random() * (n * 0 + %s))::int] AS ranking) AS drawn
) AS ballots, (SELECT %s::text[] AS options) AS given
"""


def seed(product: Product, poll: Json, ballots: int, *, uniform: bool = False) -> None:
    """Store so many ballots in a poll, drawn as voters are or each ranking equally likely.

    They are written as rows, not cast; what the database does for each by itself is done.
    """
    ids = [option["optionId"] for option in poll["options"]]
    drawn = sample(len(ids), poll["pollType"] == "RANKED", uniform)
    for start in range(0, ballots, BATCH):
        size = min(BATCH, ballots - start)
        query(product.database_url, INSERT, poll["pollId"], size, drawn, SAMPLE - 1, ids)


def settle(product: Product) -> None:
    """Leave no work behind for autovacuum or a checkpoint to do while something is measured."""
    query(product.database_url, "VACUUM (ANALYZE)")
    query(product.database_url, "CHECKPOINT")


def sample(options: int, is_ranked: bool, uniform: bool) -> list[str]:
    """Draw rankings as ballots store them: places of options, best first, as in `2.0.1`."""
    chance = random.Random(f"{options} {is_ranked} {uniform}")
    lengths = range(2, options + 1) if is_ranked else [1]
    distinct = [r for length in lengths for r in permutations(range(options), length)]
    drawn = (
        chance.choices(distinct, k=SAMPLE)
        if uniform
        else [draw(chance, options, is_ranked) for _ in range(SAMPLE)]
    )
    return [".".join(map(str, ranking)) for ranking in drawn]


def draw(chance: random.Random, options: int, is_ranked: bool) -> Sequence[int]:
    """Draw one voter's ranking: favourites first, by their popularity (Plackett and Luce)."""
    length = chance.choices(list(LENGTHS), list(LENGTHS.values()))[0] if is_ranked else 1
    left = dict(zip(range(options), POPULARITY, strict=False))
    ranking: list[int] = []
    for _ in range(length):
        ranking += chance.choices(list(left), list(left.values()))
        del left[ranking[-1]]
    return ranking
