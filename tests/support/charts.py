"""Results to draw; `python -m tests.support.charts` draws those that the documentation shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from allthing.models import PollInstance, PollInstanceOption
from allthing.results import charts
from allthing.results.counting import count_ranked, count_single, option_json
from tests.support.api import Json

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
Ballots = Mapping[tuple[str, ...], int]
HOSTILE = '</text><script>alert("1")</script>'  # as a label

CENTER_SQUEEZE = {
    ("Park", "Market hall", "Library"): 171,
    ("Park", "Library", "Market hall"): 31,
    ("Park",): 56,
    ("Library", "Market hall", "Park"): 146,
    ("Library", "Park", "Market hall"): 42,
    ("Library",): 107,
    ("Market hall", "Park", "Library"): 98,
    ("Market hall", "Library", "Park"): 63,
    ("Market hall",): 45,
    ("Pool", "Market hall", "Park"): 55,
    ("Pool", "Park", "Market hall"): 50,
    ("Pool", "Library"): 20,
    ("Pool",): 13,
}
TIE = {
    ("Park", "Museum"): 5,
    ("Museum", "Park"): 5,
    ("Library", "Park"): 2,
    ("Café", "Library", "Museum"): 2,
    ("Library",): 1,
}


def result_of(ballots: Ballots, options: Sequence[str] = (), **fields: str) -> Json:
    """Return the result of a poll whose option ids are o-1, o-2, ... in the order of `options`."""
    labels = options or list(dict.fromkeys(label for ranking in ballots for label in ranking))
    ids = {label: f"o-{number}" for number, label in enumerate(labels, 1)}
    poll = PollInstance(id="example", poll_type=fields.get("pollType", "RANKED"))
    poll.options = [
        PollInstanceOption(id=ids[label], label=label, sort_order=place)
        for place, label in enumerate(labels)
    ]
    rankings = {tuple(ids[label] for label in ranking): n for ranking, n in ballots.items()}
    count = count_single if poll.poll_type == "SINGLE" else count_ranked
    shown = {"title": "Example", "pollType": "RANKED", "pollDate": "2026-11-03", "status": "CLOSED"}
    shown |= {"pollId": poll.id, "options": [option_json(option) for option in poll.options]}
    return shown | fields | count(poll, rankings)


DOCUMENTED = {
    "center-squeeze.svg": result_of(CENTER_SQUEEZE, title="What should the town build first?"),
    "tie.svg": result_of(TIE, title="Where shall we meet?"),
}


def draw_all() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, result in DOCUMENTED.items():
        (FOLDER / name).write_text(charts.draw(result), encoding="utf-8")


if __name__ == "__main__":
    draw_all()
