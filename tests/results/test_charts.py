"""A poll's result as a picture: true to the counts, readable without colour, and harmless."""

import re
from collections import defaultdict
from xml.etree import ElementTree as ET

import pytest

from allthing.results import charts
from tests.support.api import Json
from tests.support.charts import CENTER_SQUEEZE, DOCUMENTED, FOLDER, HOSTILE, TIE, result_of
from tests.support.svg import NS, ballots_in, bars, ribbons, texts

HARMLESS = {"svg", "title", "desc", "style", "defs", "pattern", "g", "rect", "path", "line"}
HARMLESS |= {"text", "tspan"}
LONG = "A proposal to extend the opening hours of the library on weekends and holidays"
BATCH = {("A",): 40, ("B",): 38, ("C", "B"): 20, ("D", "C"): 2, ("E", "A"): 2, ("F",): 2}
LOT = {("A",): 6, ("B", "C"): 3, ("C", "B"): 3, ("D", "A"): 5}
MANY = {tuple(f"Option {n}" for n in range(first, 31)): 100 + first for first in range(1, 31)}

RESULTS = DOCUMENTED | {
    "batch": result_of(BATCH),
    "lot": result_of(LOT),
    "thirty options": result_of(MANY),
    "one round": result_of({("A", "B"): 3, ("B",): 1}),
    "ranked, no ballots": result_of({}, ("A", "B"), status="OPEN"),
    "single": result_of({("A",): 2, ("B",): 7}, ("A", "B", "C"), pollType="SINGLE"),
    "single, tied": result_of({("A",): 2, ("B",): 2}, pollType="SINGLE"),
    "single, no ballots": result_of({}, ("A", "B"), pollType="SINGLE"),
    "hostile": result_of({(HOSTILE, LONG): 3, (LONG,): 2, ("\x00\ufffe&#0;", LONG): 2}),
}

each_result = pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)


def drawn(result: Json) -> ET.Element:
    return ET.fromstring(charts.draw(result))


@each_result
def test_a_picture_has_nothing_that_runs_or_loads(result: Json) -> None:
    for part in drawn(result).iter():
        assert part.tag.removeprefix(NS) in HARMLESS
        for name, value in part.attrib.items():
            assert not name.startswith("on")
            assert "href" not in name
            assert "url(" not in value or value.startswith("url(#poll-example-texture")
    assert "@import" not in charts.draw(result)
    assert "url(" not in drawn(result).findtext(f"{NS}style", "")


@each_result
def test_a_picture_is_named_and_told_in_words(result: Json) -> None:
    picture = drawn(result)
    title, desc = picture.find(f"{NS}title"), picture.find(f"{NS}desc")

    assert picture.get("role") == "img"
    assert picture.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert result["title"] in title.text
    for entry in result.get("rounds", []):
        assert entry["text"].replace("\x00", "").replace("\ufffe", "") in desc.text
    for row in result.get("results", []):
        assert row["label"] in desc.text


@each_result
def test_every_option_is_written_beside_its_bar(result: Json) -> None:
    lines = texts(drawn(result))

    for option in result["options"]:
        beginning = option["label"].replace("\x00", "").replace("\ufffe", "")[:12]
        assert any(line.startswith(beginning) for line in lines), beginning


@each_result
def test_a_picture_knows_light_and_dark(result: Json) -> None:
    light, _, dark = (
        drawn(result).findtext(f"{NS}style", "").partition("@media (prefers-color-scheme:dark)")
    )
    used = {name for part in drawn(result).iter() for name in part.get("class", "").split()}

    for name in used & {"paper", "soft", "rest", "spent", *(f"hue{n}" for n in range(6))}:
        assert f".{name}{{fill:" in light
        assert f".{name}{{fill:" in dark


@each_result
def test_the_same_counts_make_the_same_picture(result: Json) -> None:
    shuffled = dict(reversed(result.items()))
    if "rounds" in result:  # PostgreSQL keeps the keys of JSON in an order of its own
        shuffled["rounds"] = [
            entry | {name: dict(sorted(entry[name].items())) for name in ("totals", "transfers")}
            for entry in result["rounds"]
        ]

    assert charts.draw(shuffled) == charts.draw(result)


@each_result
def test_nothing_stands_outside_the_picture(result: Json) -> None:
    picture = drawn(result)
    _, _, wide, high = map(float, picture.get("viewBox").split())

    for part in [*picture.iter(f"{NS}text"), *picture.iter(f"{NS}rect")]:
        if part.get("x") is not None:
            assert 0 <= float(part.get("x")) <= wide
            assert 0 <= float(part.get("y")) <= high


@pytest.mark.parametrize(
    ("name", "size"),
    [("single", "width"), ("one round", "width")]
    + [(name, "height") for name in ("center-squeeze.svg", "tie.svg", "batch", "lot")]
    + [("thirty options", "height")],
)
def test_bars_are_as_long_as_they_hold_ballots(name: str, size: str) -> None:
    lengths = bars(drawn(RESULTS[name]), size)
    scale = max(lengths.values()) / max(map(ballots_in, lengths))

    assert lengths
    for title, length in lengths.items():
        assert length == pytest.approx(ballots_in(title) * scale, abs=0.02), title


@pytest.mark.parametrize("name", ["center-squeeze.svg", "tie.svg", "batch", "lot"])
def test_all_ballots_of_an_eliminated_option_flow_on(name: str) -> None:
    result = RESULTS[name]
    labels = {option["optionId"]: option["label"] for option in result["options"]}
    picture = drawn(result)
    heights = bars(picture, "height")
    moved, high = defaultdict(int), defaultdict(float)
    for source, _, ballots, height in ribbons(picture):
        moved[source] += ballots
        high[source] += height

    for entry in result["rounds"]:
        for option in entry["eliminatedAll"]:
            held, label = entry["totals"][option], labels[option]
            assert moved[label] == held
            bar = f"Round {entry['round']}, {label}: {held} ballot{'' if held == 1 else 's'}"
            assert high[label] == pytest.approx(heights[bar] if held else 0, abs=0.05)
    assert sum(moved.values()) == sum(
        entry["totals"][o] for entry in result["rounds"] for o in entry["eliminatedAll"]
    )


@pytest.mark.parametrize("name", ["center-squeeze.svg", "tie.svg", "batch", "lot"])
def test_ribbons_lie_side_by_side_along_the_bars(name: str) -> None:
    picture = drawn(RESULTS[name])
    sides: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for path in picture.iter(f"{NS}path"):
        if path.get("class", "").startswith(("moves", "stays")):
            n = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d", ""))]
            sides[f"out {n[0]:g}"].append((n[1], n[-1]))
            sides[f"in {n[6]:g}"].append((n[7], n[8]))

    edges = [bar for bar in picture.iter(f"{NS}rect") if "bar" in bar.get("class", "")]
    for bar in edges:
        x, y, wide, high = (float(bar.get(key)) for key in ("x", "y", "width", "height"))
        for side in (f"in {x:g}", f"out {x + wide:g}"):
            beside = sorted(r for r in sides.get(side, []) if y - 1 < r[0] < y + high)
            ends = [y, *(end for _, end in beside)]
            if beside:
                assert ends[-1] == pytest.approx(y + high, abs=0.05)
            for (begin, _), end in zip(beside, ends, strict=False):
                assert begin == pytest.approx(end, abs=0.05)


def test_transfers_go_where_the_count_says() -> None:
    flows = {(source, heir): n for source, heir, n, _ in ribbons(drawn(result_of(CENTER_SQUEEZE)))}

    assert flows == {
        ("Pool", "Park"): 50,
        ("Pool", "Library"): 20,
        ("Pool", "Market hall"): 55,
        ("Pool", "exhausted"): 13,
        ("Market hall", "Park"): 153,
        ("Market hall", "Library"): 63,
        ("Market hall", "exhausted"): 45,
    }


def test_ends_are_marked_in_words() -> None:
    assert "Park 461 · winner" in texts(drawn(result_of(CENTER_SQUEEZE)))
    assert "Park 461 · ahead" in texts(drawn(result_of(CENTER_SQUEEZE, status="OPEN")))
    assert {"Park 7 · tie", "Museum 7 · tie"} <= set(texts(drawn(result_of(TIE))))
    assert "7 · 77.78% · winner" in texts(drawn(RESULTS["single"]))


def test_how_ties_for_fewest_were_settled_is_said() -> None:
    assert {"Library", "by look-back"} <= set(texts(drawn(result_of(TIE))))
    assert {"3 options", "together"} <= set(texts(drawn(RESULTS["batch"])))
    lines = texts(drawn(RESULTS["lot"]))
    assert "by lot" in lines
    assert any(line.startswith("A tie for fewest was drawn") for line in lines)


def test_an_option_that_more_prefer_to_each_other_is_named() -> None:
    note = "Compared in pairs, more ballots prefer Market hall to each other option."
    assert note in texts(drawn(result_of(CENTER_SQUEEZE)))


@pytest.mark.parametrize(
    ("status", "said"), [("OPEN", "No ballots yet."), ("CLOSED", "No ballots were cast.")]
)
@pytest.mark.parametrize("poll_type", ["SINGLE", "RANKED"])
def test_without_ballots_the_options_are_shown_all_the_same(
    poll_type: str, status: str, said: str
) -> None:
    lines = texts(drawn(result_of({}, ("Leek", "Pea"), pollType=poll_type, status=status)))

    assert {"Leek", "Pea", said} <= set(lines)


def test_a_long_label_is_cut_and_whole_for_the_pointer() -> None:
    picture = drawn(result_of({(LONG, "B"): 2, ("B", LONG): 2, ("C", "B"): 1}))

    assert LONG not in texts(picture)
    assert LONG in [text.findtext(f"{NS}title") for text in picture.iter(f"{NS}text")]


def test_options_that_share_a_colour_differ_in_pattern() -> None:
    labels = tuple(f"Option {n}" for n in range(30))
    ballots = {(label, labels[0]): 40 + place for place, label in enumerate(labels)}
    drawing = charts.draw(result_of(ballots, labels))
    first = re.findall(
        r'class="bar (hue\d)[^>]*><title>Round 1, (Option \d+):[^<]*</title></rect>'
        r'(?:<rect fill="(url[^"]*)")?',
        drawing,
    )

    assert len(first) == 30
    assert len({(hue, pattern) for hue, _, pattern in first}) == 30


@pytest.mark.parametrize("name", DOCUMENTED)
def test_pictures_of_the_documentation_are_as_drawn_now(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == charts.draw(DOCUMENTED[name])
