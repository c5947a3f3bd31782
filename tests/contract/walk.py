"""The runner: steps in their order, a line for each, and how many passed and failed."""

import inspect
from collections.abc import Callable, Sequence

import requests

from tests.contract.checks import Fault
from tests.contract.site import Site

Step = Callable[[Site], None]


class Area:
    """Steps about one thing; the docstring of a step is its name."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def step(self, function: Step) -> Step:
        self.steps.append(function)
        return function


def walk(areas: Sequence[Area], site: Site) -> int:
    """Take every step, whatever became of the ones before; return how many failed."""
    passed = failed = 0
    for step in (step for area in areas for step in area.steps):
        name = " ".join((inspect.getdoc(step) or step.__name__).rstrip(".").split())
        fault = take(step, site)
        say(f"FAIL {name}: {fault}" if fault else f"ok   {name}")
        passed, failed = passed + (not fault), failed + bool(fault)
    say(f"{passed} passed, {failed} failed")
    return failed


def say(line: str) -> None:
    print(line, flush=True)


def take(step: Step, site: Site) -> str | None:
    """Return what is wrong, on one line; None if all is well."""
    try:
        step(site)
    except Fault as fault:
        return " ".join(str(fault).split())
    except requests.RequestException as error:
        return f"no answer: {error}"
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, StopIteration) as error:
        return f"the answer can't be read: {type(error).__name__} {error}"
    return None
