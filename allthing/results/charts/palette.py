"""The palette: colours for light and dark, and the patterns that tell options apart without them.

The hues are those of Okabe and Ito, which colour-blind readers tell apart, lighter in the dark.
An option's paint depends on its place on the ballot alone. Where the hues are used up they come
again with a pattern on top: 6 hues and 5 textures make 30 paints.
"""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from allthing.results.charts.svg import element

HUES = {
    "light": ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"),
    "dark": ("#2f8fd6", "#f2b233", "#1fbf92", "#dd8fbc", "#f07a28", "#9bd3f7"),
}
GROUNDS = {
    "light": {
        "paper": "#ffffff",
        "ink": "#1b1f24",
        "soft": "#57606a",
        "rest": "#a9b8c6",
        "spent": "#8c959f",
    },
    "dark": {
        "paper": "#14171c",
        "ink": "#f0f3f6",
        "soft": "#a3adb8",
        "rest": "#4a5a6a",
        "spent": "#6e7681",
    },
}
TEXTURES = {
    1: "M-2 2L2 -2M0 8L8 0M6 10L10 6",
    2: "M2 2h2.5v2.5h-2.5zM6 6h2.5v2.5h-2.5z",
    3: "M0 0L8 8M8 0L0 8",
    4: "M0 2H8M0 6H8",
}
SHAPES = """\
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;\
font-variant-numeric:tabular-nums}
.heading{font-size:16px;font-weight:600}.strong{font-weight:700}
.name{unicode-bidi:isolate}.end{text-anchor:end}.middle{text-anchor:middle}
.halo{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}
.bar{stroke-width:1}.best{stroke-width:2.5}
.stays{opacity:.22}.moves{opacity:.6}
.majority{fill:none;stroke-width:1.5;stroke-dasharray:4 3}.axis{stroke-width:1}
.texture{stroke-width:1.6;fill:none;opacity:.75}
"""


@dataclass(frozen=True)
class Paint:
    """A colour, by its CSS class, and the number of the pattern on top of it, 0 for none."""

    hue: str
    texture: int = 0


BEST = Paint("hue0")
REST = Paint("rest")
SPENT = Paint("spent", 1)


def paint_at(place: int) -> Paint:
    """Return the paint of the option at a place of the ballot, from 0."""
    again, hue = divmod(place, len(HUES["light"]))
    return Paint(f"hue{hue}", again % (len(TEXTURES) + 1))


def add_palette(root: ET.Element, prefix: str) -> None:
    """Add the style sheet and the patterns, whose ids begin with `prefix`."""
    dark = f"@media (prefers-color-scheme:dark){{\n{colours('dark')}}}\n"
    element(root, "style", f"{SHAPES}{colours('light')}{dark}")
    definitions = element(root, "defs")
    for number, path in TEXTURES.items():
        pattern = element(
            definitions,
            "pattern",
            id=f"{prefix}-texture{number}",
            width=8,
            height=8,
            patternUnits="userSpaceOnUse",
        )
        element(pattern, "path", d=path, class_="texture")


def colours(scheme: str) -> str:
    ground = GROUNDS[scheme]
    rules = [f".hue{place}{{fill:{hue}}}" for place, hue in enumerate(HUES[scheme])]
    rules += [
        f".paper{{fill:{ground['paper']}}}",
        f".rest{{fill:{ground['rest']}}}.spent{{fill:{ground['spent']}}}",
        f"text{{fill:{ground['ink']}}}.soft{{fill:{ground['soft']}}}",
        f".halo,.texture{{stroke:{ground['paper']}}}",
        f".bar,.majority,.axis{{stroke:{ground['ink']}}}",
    ]
    return "\n".join(rules) + "\n"


def add_bar(
    parent: ET.Element,
    box: tuple[float, float, float, float],
    paint: Paint,
    title: str,
    *,
    prefix: str,
    best: bool,
) -> None:
    """Add a bar (x, y, width, height); the best have a thicker outline."""
    x, y, wide, high = box
    size: dict[str, float] = {"x": x, "y": y, "width": wide, "height": high}
    bar = element(parent, "rect", class_=f"bar {paint.hue}{' best' * best}", **size)
    element(bar, "title", title)
    if paint.texture:
        element(parent, "rect", fill=f"url(#{prefix}-texture{paint.texture})", **size)
