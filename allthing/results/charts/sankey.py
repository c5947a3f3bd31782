"""The rounds of a ranked count as a Sankey diagram; `layout` says where everything stands."""

from typing import Any
from xml.etree import ElementTree as ET

from allthing.results.charts import layout
from allthing.results.charts.data import ChartData, ballots
from allthing.results.charts.layout import BAR, EXHAUSTED, GAP, LINE, Layout, Ribbon
from allthing.results.charts.palette import SPENT, Paint, add_bar, paint_at
from allthing.results.charts.svg import element, label, width, write

NAMED_PITCH = 140.0  # with less, only the outer columns have names, and the footer is aslant
SLANT = 30.0
SLANTED_ROOM = 150.0
SLANTED_HEIGHT = 70.0
BRACKET = 9.0  # how far left of its bar
CAPTION = "A bar as long as the bracket has a majority."
HOW = {"lot": "by lot", "lookback": "by look-back", "batch": "together"}


def draw(parent: ET.Element, data: ChartData) -> tuple[float, float]:
    """Add the diagram to `parent`; return how wide and high it is."""
    placed = layout.lay_out(data)
    rounds = range(len(data.rounds))
    for number in rounds[1:]:
        for ribbon in layout.ribbons(data, placed, number):
            add_ribbon(parent, data, ribbon)
    for number in rounds:
        add_bars(parent, data, placed, number)
        add_bracket(parent, data, placed, number)
        add_heading(parent, data, placed, number)
        add_departure(parent, data, placed, number)
    add_row_names(parent, placed)
    footer = 2 * LINE if placed.pitch >= NAMED_PITCH else SLANTED_HEIGHT
    high = placed.floor + 2 * LINE + footer
    label(parent, CAPTION, 0, high, style="soft")
    return width_of(data, placed), high + GAP


def width_of(data: ChartData, placed: Layout) -> float:
    """Return how wide the diagram is, with what stands right of its last column."""
    entry = data.rounds[-1]
    last = layout.order_in(placed.order, entry)
    names = layout.names_width(data, last) if last else 0
    counts = max(width(count_of(data, entry, option)) for option in [*last, EXHAUSTED])
    return placed.columns[-1][EXHAUSTED].x + BAR + 4 * GAP + 1.1 * (names + counts)


def add_ribbon(parent: ET.Element, data: ChartData, ribbon: Ribbon) -> None:
    """Add a ribbon: level where it leaves and arrives, and equally high all the way."""
    half = (ribbon.x + ribbon.to_x) / 2
    low, lower = ribbon.y + ribbon.height, ribbon.to_y + ribbon.height
    steps: list[tuple[str, list[float]]] = [
        ("M", [ribbon.x, ribbon.y]),
        ("C", [half, ribbon.y, half, ribbon.to_y, ribbon.to_x, ribbon.to_y]),
        ("V", [lower]),
        ("C", [half, lower, half, low, ribbon.x, low]),
        ("Z", []),
    ]
    path = "".join(step + " ".join(map(write, numbers)) for step, numbers in steps)
    hue = paint_of(data, ribbon.source).hue
    kind = "moves" if ribbon.moves else "stays"
    drawn = element(parent, "path", class_=f"{kind} {hue}", d=path)
    if ribbon.moves:
        source, heir = [data.labels.get(o, EXHAUSTED) for o in (ribbon.source, ribbon.heir)]
        element(drawn, "title", f"{source} → {heir}: {ballots(ribbon.ballots)}")


def paint_of(data: ChartData, option: str) -> Paint:
    return SPENT if option == EXHAUSTED else paint_at(data.places[option])


def add_bars(parent: ET.Element, data: ChartData, placed: Layout, number: int) -> None:
    """Add the bars of a round and their labels."""
    entry = data.rounds[number]
    for option, bar in placed.columns[number].items():
        count = entry["exhausted"] if option == EXHAUSTED else entry["totals"][option]
        name = data.labels.get(option, "Exhausted")
        is_best = is_end(entry) and option in data.best
        if count:
            box = (bar.x, bar.y, BAR, bar.height)
            title = f"Round {entry['round']}, {name}: {ballots(count)}"
            paint = paint_of(data, option)
            add_bar(parent, box, paint, title, prefix=data.prefix, best=is_best)
        add_label(parent, data, placed, number, option)


def add_label(
    parent: ET.Element, data: ChartData, placed: Layout, number: int, option: str
) -> None:
    """Write what a bar is: its name left of the first column, then right where there is room."""
    entry, bar = data.rounds[number], placed.columns[number][option]
    x, y = bar.x + BAR + GAP, bar.middle + 4
    said = count_of(data, entry, option)
    if option == EXHAUSTED:
        label(parent, said, x, y, style="halo soft")
        return
    name = data.labels[option]
    if number == 0:
        before = bar.x - BRACKET - GAP
        label(parent, name, before, y, room=before, style="end")
    style = f"halo{' strong' * (is_end(entry) and option in data.best)}"
    if is_end(entry):
        label(parent, name, x, y, room=layout.NAMES[1], after=f" {said}", style=style)
    elif number and placed.pitch >= NAMED_PITCH:
        room = placed.pitch - BAR - BRACKET - 2 * GAP - width(f" {said}")
        label(parent, name, x, y, room=room, after=f" {said}", style=style)
    else:
        label(parent, said, x, y, style=style)


def count_of(data: ChartData, entry: dict[str, Any], option: str) -> str:
    """Say how many ballots a bar holds and, without colour, how it fares."""
    if option == EXHAUSTED:
        return f"{entry['exhausted']:,}"
    said = f"{entry['totals'][option]:,}"
    if option in entry["eliminatedAll"]:
        return f"{said} ×"
    return f"{said} · {data.mark}" if is_end(entry) and option in data.best else said


def is_end(entry: dict[str, Any]) -> bool:
    return not entry["eliminatedAll"]


def add_bracket(parent: ET.Element, data: ChartData, placed: Layout, number: int) -> None:
    """Add the majority: a bracket from the top of the top bar to where it would have one."""
    top = next(iter(placed.columns[number].values()))
    end = top.y + data.rounds[number]["threshold"] * placed.scale
    x, right = top.x - BRACKET, top.x + BAR + GAP / 2
    path = f"M{write(top.x)} {write(top.y)}H{write(x)}V{write(end)}H{write(right)}"
    element(parent, "path", class_="majority", d=path)


def add_heading(parent: ET.Element, data: ChartData, placed: Layout, number: int) -> None:
    entry, x = data.rounds[number], placed.columns[number][EXHAUSTED].x
    label(parent, str(entry["round"]), x, LINE - GAP, style="strong")
    label(parent, f"{entry['threshold']:,}", x, 2 * LINE - GAP, style="soft")


def add_departure(parent: ET.Element, data: ChartData, placed: Layout, number: int) -> None:
    """Say below a round who leaves and how a tie for that was settled."""
    entry, x = data.rounds[number], placed.columns[number][EXHAUSTED].x
    names = [data.labels[option] for option in entry["eliminatedAll"]]
    if not names:
        return
    is_slanted = placed.pitch < NAMED_PITCH
    turn = f" rotate({SLANT:g})" if is_slanted else ""
    place = f"translate({write(x)} {write(placed.floor + 2 * LINE)}){turn}"
    group = element(parent, "g", transform=place)
    said = names[0] if len(names) == 1 else f"{len(names)} options"
    label(group, said, 0, 0, room=SLANTED_ROOM if is_slanted else placed.pitch - GAP)
    how = HOW.get(entry.get("tieBreak", {}).get("method"))
    if how is not None:
        label(group, how, 0, LINE, style="soft")


def add_row_names(parent: ET.Element, placed: Layout) -> None:
    """Say on the left what the lines above and below the columns are."""
    lines = {
        "Round": LINE - GAP,
        "To win": 2 * LINE - GAP,
        "Exhausted": placed.columns[0][EXHAUSTED].middle + 4,
        "Eliminated": placed.floor + 2 * LINE,
    }
    for name, y in lines.items():
        label(parent, name, placed.left - BRACKET - GAP, y, style="end soft")
