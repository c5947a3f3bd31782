"""The context of a poll, written by a language model where one is configured."""

from tests.contract.checks import fits, is_sentence
from tests.contract.objects import OK
from tests.contract.site import UNKNOWN, Site
from tests.contract.templates import path_of, show
from tests.contract.walk import Area

area = Area()


@area.step
def generate_context(site: Site) -> None:
    """A context is written but not stored, or the answer says that nothing can write it."""
    before = show(site, "single")
    path = f"{path_of(site, 'single')}/generate-context"
    answer = site.portal("POST", path, status={200, 500, 502, 503})
    if "detail" not in answer:
        fits(answer, OK | {"contextText": is_sentence})
    fits(show(site, "single"), {"contextText": before["contextText"]}, "the template")


@area.step
def refuse_unknown_template(site: Site) -> None:
    """No context is written for an unknown template: 404, or 503 without a model."""
    site.portal("POST", f"/templates/{UNKNOWN}/generate-context", status={404, 503})
