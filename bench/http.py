"""Compare servers that speak the wire contract, by their base URLs alone.

    python -m bench.http http://one:8080 http://other:8080

Today's polls, a poll's results and votes in it are measured at each, in interleaved rounds, and
divided by the first one's. The votes stay: give servers that nobody else uses, with limits out of
the way. What is refused (429…) doesn't count as an answer, and is told.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

if not __package__:  # as a script: its folder, whose http.py is not Python's, gives way to the root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.polls import JSON_BODY, TODAY, listed, results, votes
from bench.rounds import Row, interleave, ratios, table
from bench.wrk import Load, Request, load, wrk


def main() -> None:
    arguments = parse()
    wrk()
    bases = [base.rstrip("/") for base in arguments.bases]
    questions = {base: questions_for(base, arguments.poll, arguments.read_only) for base in bases}
    for name in questions[bases[0]]:
        cells: dict[str, Callable[[], Load]] = {
            f"{number} {base}": partial(
                load, base, questions[base][name], arguments.seconds, headers=JSON_BODY
            )
            for number, base in enumerate(bases, 1)
        }
        interleave(cells, 1)
        rows = compare(interleave(cells, arguments.rounds))
        print(f"## {name}\n\n{table(rows)}\n", flush=True)


def questions_for(base: str, poll_id: str, read_only: bool) -> dict[str, list[Request]]:
    """Return what to ask a server, about one of its own polls of today."""
    polls = [poll for poll in listed(base) if poll_id in {"", poll["pollId"]}]
    if not polls:
        sys.exit(f"{base} has no such poll today")
    asked = {"today": [TODAY], "results": [results(polls[0])]}
    return asked if read_only else asked | {"vote": votes(polls[0])}


def compare(taken: dict[str, list[Load]]) -> list[Row]:
    """Return a row per server, its rates divided by the first one's, round by round."""
    rates = {name: [done.rate for done in loads] for name, loads in taken.items()}
    first = next(iter(rates.values()))
    if not all(first):
        sys.exit(f"the first server gives no good answers: {errors(next(iter(taken.values())))}")
    return [
        Row(
            name,
            ratios(rates[name], first),
            measured=(
                f"{median(rates[name]):,.0f} per s, "
                f"p99 {median(done.p99 for done in loads):.1f} ms{errors(loads)}"
            ),
        )
        for name, loads in taken.items()
    ]


def errors(loads: Sequence[Load]) -> str:
    refused, answers = sum(done.errors for done in loads), sum(done.answers for done in loads)
    return f", **{refused:,} of {answers:,} refused**" if refused else ""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bases", nargs="+", metavar="BASE", help="such as http://127.0.0.1:8080")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="per question, round and server")
    parser.add_argument("--poll", default="", help="a pollId; else the first poll of today")
    parser.add_argument("--read-only", action="store_true", help="cast no votes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
