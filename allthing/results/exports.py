"""The ballots of a closed poll as files that other people's counting programs read.

Ballots leave grouped by ranking and sorted, so that nothing tells who voted when, and not at all
while they are few: among few, a rare ranking may name its voter. Each file has its own idea of
which characters a name may have; every writer here sees to that itself.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from allthing.config import settings
from allthing.database import find
from allthing.errors import Conflict
from allthing.models import PollInstance
from allthing.results.counting import grouped_rankings
from allthing.results.tally import Rankings
from allthing.results.tally.preferences import EXHAUSTED

FORMULA = ("=", "+", "-", "@")  # how a cell begins that spreadsheets would compute


@dataclass(frozen=True)
class GroupedBallots:
    """The ballots of one poll: each ranking, options by number from 1, and how many cast it.

    The rankings that most cast come first; `day` is the last one of the poll.
    """

    title: str
    day: str
    labels: tuple[str, ...]
    groups: tuple[tuple[tuple[int, ...], int], ...]

    @property
    def total(self) -> int:
        return sum(count for _, count in self.groups)


def group_ballots(
    title: str, day: str, options: dict[str, str], rankings: Rankings
) -> GroupedBallots:
    """Sort grouped rankings; `options` maps the ids in them to labels, in ballot order."""
    numbers = {option: number for number, option in enumerate(options, 1)}
    groups = [(tuple(numbers[option] for option in r), count) for r, count in rankings.items()]
    groups.sort(key=lambda group: (-group[1], group[0]))
    return GroupedBallots(title, day, tuple(options.values()), tuple(groups))


def closed_ballots(instance_id: str) -> GroupedBallots:
    """Return the ballots of a closed poll.

    Raises `NotFound`, and `Conflict` while it is open or has too few.
    """
    instance = find(PollInstance, instance_id)
    rankings = grouped_rankings(instance)
    refuse_early(instance.status, sum(rankings.values()))
    labels = {option.id: option.label for option in instance.options}
    return group_ballots(instance.title, instance.close_date.isoformat(), labels, rankings)


def refuse_early(status: str, ballots: int) -> None:
    """Raise `Conflict` for a poll that is open or has fewer ballots than may be published."""
    if status != "CLOSED":
        raise Conflict("this poll is still open: it can be recounted when it is closed")
    if ballots < settings().export_min_ballots:
        raise Conflict(
            f"this poll has fewer than {settings().export_min_ballots} ballots: "
            "so few could name their voters"
        )


def blt(ballots: GroupedBallots) -> str:
    """Write the file of OpaVote, OpenTally and others: numbers, and names in quotes.

    The format knows no escape: in names a double quote becomes a single one, and a backslash, at
    which some readers skip a character, a slash.
    """
    lines = [f"{len(ballots.labels)} 1"]
    lines += [f"{count} {' '.join(map(str, ranking))} 0" for ranking, count in ballots.groups]
    names = [one_line(name).replace('"', "'").replace("\\", "/") for name in ballots.labels]
    title = one_line(ballots.title).replace('"', "'").replace("\\", "/")
    return as_text([*lines, "0", *(f'"{name}"' for name in [*names, title])])


def soi(ballots: GroupedBallots) -> str:
    """Write PrefLib's file of strict, incomplete orders; a name ends with its line."""
    head = {
        "FILE NAME": "",
        "TITLE": one_line(ballots.title),
        "DESCRIPTION": "",
        "DATA TYPE": "soi",
        "MODIFICATION TYPE": "original",
        "RELATES TO": "",
        "RELATED FILES": "",
        "PUBLICATION DATE": ballots.day,
        "MODIFICATION DATE": ballots.day,
        "NUMBER ALTERNATIVES": len(ballots.labels),
        "NUMBER VOTERS": ballots.total,
        "NUMBER UNIQUE ORDERS": len(ballots.groups),
    }
    lines = [f"# {name}: {value}".rstrip() for name, value in head.items()]
    for number, label in enumerate(ballots.labels, 1):
        lines.append(f"# ALTERNATIVE NAME {number}: {one_line(label)}")
    lines += [f"{count}: {','.join(map(str, ranking))}" for ranking, count in ballots.groups]
    return as_text(lines)


def rctab_csv(ballots: GroupedBallots) -> str:
    """Write RCTab's generic CSV: a column per option, a row per ballot, in each cell its rank.

    A spreadsheet must not compute a name: one that looks like a formula gets an apostrophe.
    """
    names = [
        f"'{name}" if name.startswith(FORMULA) else name for name in map(one_line, ballots.labels)
    ]
    text = StringIO()
    table = csv.writer(text)
    table.writerow(distinct(names))
    for ranking, count in ballots.groups:
        row = [ranking.index(n) + 1 if n in ranking else "" for n in range(1, len(names) + 1)]
        table.writerows([row] * count)
    return text.getvalue()


def rctab_summary(result: dict[str, Any]) -> dict[str, Any]:
    """Retell the result of a closed ranked poll as RCTab's summary, which RCVis shows.

    Counts are texts, as there; the threshold is that of the last round. Raises `Conflict` as the
    ballots do, and for a single choice.
    """
    if result["pollType"] != "RANKED":
        raise Conflict("this poll is a single choice: it has no rounds")
    refuse_early(result["status"], result["totalBallots"])
    labels = [one_line(option["label"]) for option in result["options"]]
    ids = [option["optionId"] for option in result["options"]]
    names = dict(zip(ids, distinct(labels, EXHAUSTED), strict=True)) | {EXHAUSTED: EXHAUSTED}
    rounds = result["rounds"]
    return {
        "config": {
            "contest": one_line(result["title"]),
            "jurisdiction": "",
            "office": "",
            "date": result["pollDate"],
            "threshold": str(rounds[-1]["threshold"]),
        },
        "results": [rctab_round(this, result["winnerOptionId"], names) for this in rounds],
    }


def rctab_round(this: dict[str, Any], winner: str | None, names: dict[str, str]) -> dict[str, Any]:
    """Retell a round; the winner is elected in the last one, where nobody is eliminated."""
    done: list[dict[str, Any]] = [
        {"eliminated": names[option], "transfers": as_tally(this["transfers"][option], names)}
        for option in this["eliminatedAll"]
    ]
    if not done and winner is not None:
        done = [{"elected": names[winner], "transfers": {}}]
    return {
        "round": this["round"],
        "tally": as_tally(this["totals"], names),
        "tallyResults": done,
    }


def as_tally(counts: dict[str, int], names: dict[str, str]) -> dict[str, str]:
    return {names[option]: str(count) for option, count in counts.items()}


def as_text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def one_line(text: str) -> str:
    """Join the lines of a text, whatever ends them."""
    return " ".join(text.split())


def distinct(names: Iterable[str], *taken: str) -> list[str]:
    """Number a name that is there already: files that go by name must tell options apart."""
    found: list[str] = list(taken)
    for name in names:
        number, candidate = 1, name
        while candidate in found:
            number += 1
            candidate = f"{name} ({number})"
        found.append(candidate)
    return found[len(taken) :]
