"""Votes: what the poll card sends, and what else a browser might be made to send."""

from http.cookies import Morsel
from urllib.parse import urlsplit

from tests.contract.checks import Json, check, fits, same
from tests.contract.site import UNKNOWN, Site, Voter, ids
from tests.contract.today import poll_of
from tests.contract.walk import Area

YEAR = 365 * 24 * 3600
SURVEY = {
    "ageRange": "65+",
    "gender": "Prefer not to say",
    "race": "Native Hawaiian or Other Pacific Islander",
    "ethnicity": "Not Hispanic/Latino",
    "state": "NY",
    "urbanRuralSuburban": "Suburban",
    "politicalParty": "Independent/Other",
    "politicalIdeology": "Somewhat conservative",
    "religion": "Spiritual but not religious",
    "educationLevel": "Bachelor's degree",
}
LENGTHS = {
    "ageRange": 20,
    "urbanRuralSuburban": 20,
    "gender": 50,
    "politicalParty": 50,
    "politicalIdeology": 50,
    "race": 100,
    "ethnicity": 100,
    "religion": 100,
    "educationLevel": 100,
    "state": 2,
}

area = Area()


def check_cookie(site: Site, morsel: "Morsel[str] | None") -> None:
    """Fail unless the answer set `vt` with all attributes that browsers and the site rely on."""
    check(morsel is not None, "the answer sets no cookie vt")
    if morsel is None:
        return
    check(morsel["httponly"], "vt lacks HttpOnly")
    same(morsel["samesite"].lower(), "lax", "SameSite of vt")
    same(morsel["path"], "/", "Path of vt")
    same(morsel["max-age"], str(YEAR), "Max-Age of vt")
    same(bool(morsel["secure"]), site.secure_cookie, "Secure of vt")
    host, domain = urlsplit(site.base).hostname or "", morsel["domain"].lstrip(".")
    check(f".{host}".endswith(f".{domain}") or not domain, f"vt is for {domain}, not for {host}")


@area.step
def give_no_cookie_to_readers(site: Site) -> None:
    """Who only reads gets no cookie."""
    answer = site.ask("GET", "/polls/today", status=200, headers={"Origin": site.origin})
    check("Set-Cookie" not in answer.headers, "GET /polls/today sets a cookie")


@area.step
def refuse_bad_single(site: Site) -> None:
    """A single choice of none, two, unknown or doubled options is 422, and uses up no attempt."""
    poll, other = poll_of(site, "single"), poll_of(site, "ranked")
    leek, pea = ids(poll, "Leek", "Pea")
    voter = Voter()
    for choices in ([], [leek, pea], [leek, leek], ids(other, "A"), ["none"], leek, None, [1]):
        site.vote(poll, choices, voter=voter, status=422)
    site.vote(poll, [leek], voter=voter)


@area.step
def refuse_bad_ranking(site: Site) -> None:
    """A ranking of one option is 422, and the voter who corrects it is counted; limits hold."""
    poll = poll_of(site, "short")
    a, b, c = ids(poll, "A", "B", "C")
    voter = Voter()
    for choices in ([a], [a, a], [a, b, c], [a, "none"]):
        site.vote(poll, choices, voter=voter, status=422)
    site.vote(poll, [b, a], voter=voter)


@area.step
def give_cookie(site: Site) -> None:
    """A first vote is told ok and sets the voter's cookie, with all its attributes."""
    poll, voter = poll_of(site, "single"), Voter()
    answer, morsel = site.vote(poll, ids(poll, "Pea"), voter=voter)
    same(answer["ok"], expected=True, what="ok")
    site.kept["voter"] = {"cookie": voter.cookie}
    check_cookie(site, morsel)


@area.step
def give_cookie_with_a_refusal(site: Site) -> None:
    """A refused first vote sets the cookie as well, so that the voter stays one."""
    poll = poll_of(site, "single")
    _, morsel = site.vote(poll, [], status=422)
    check_cookie(site, morsel)


@area.step
def refuse_second_vote(site: Site) -> None:
    """A second vote with the cookie is 409, for the same option or another."""
    poll = poll_of(site, "single")
    for label in ("Pea", "Leek"):
        voter = Voter(site.kept["voter"]["cookie"])
        site.vote(poll, ids(poll, label), voter=voter, status=409)


@area.step
def keep_identity(site: Site) -> None:
    """Who has a valid cookie votes in another poll with it, and gets no new one."""
    poll = poll_of(site, "planned")
    voter = Voter(site.kept["voter"]["cookie"])
    _, morsel = site.vote(poll, ids(poll, "Lentil"), voter=voter)
    check(morsel is None, "a valid cookie is replaced")
    site.vote(poll, ids(poll, "Beet"), voter=voter, status=409)


@area.step
def replace_bad_cookie(site: Site) -> None:
    """A cookie that is junk or tampered with makes a new voter."""
    poll = poll_of(site, "single")
    cookie = site.kept["voter"]["cookie"]
    for bad in ("junk", f"{cookie[:-3]}AAA", f"x{cookie}"):
        _, morsel = site.vote(poll, ids(poll, "Leek"), voter=Voter(bad))
        check_cookie(site, morsel)


@area.step
def refuse_foreign_pages(site: Site) -> None:
    """A page of another origin, look-alikes included, can't vote: 403."""
    poll = poll_of(site, "single")
    parts = urlsplit(site.origin)
    foreign = (
        "https://evil.example",
        f"{site.origin}.evil.example",
        f"{site.origin}0",
        f"{parts.scheme}://evil-{parts.netloc}",
        f"{parts.scheme}://{parts.netloc}@evil.example",
        "null",
    )
    for origin in foreign:
        site.vote(poll, ids(poll, "Pea"), status=403, headers={"Origin": origin})
    for page in (f"{foreign[0]}/?{site.origin}/", f"{foreign[1]}/polls"):
        headers = {"Origin": None, "Referer": page}
        site.vote(poll, ids(poll, "Pea"), status=403, headers=headers)


@area.step
def allow_what_is_no_browser(site: Site) -> None:
    """Without Origin the page is known by its Referer; without both it is no browser."""
    poll = poll_of(site, "single")
    for headers in ({"Referer": f"{site.origin}/polls/food"}, {}):
        site.vote(poll, ids(poll, "Corn"), headers={"Origin": None} | headers)


@area.step
def take_odd_headers(site: Site) -> None:
    """A vote counts whatever its place headers and its user agent hold."""
    poll = poll_of(site, "single")
    odd = {"cf-ipcountry": "USA", "cf-region": "x" * 40, "User-Agent": "x" * 400}
    site.vote(poll, ids(poll, "Corn"), headers=odd)


@area.step
def take_survey(site: Site) -> None:
    """The survey is taken with the page's own texts, and what it does not know is ignored."""
    poll = poll_of(site, "single")
    extras = {"region": "Northeast", "turnstileToken": "token", "emoji": "🥣"}
    site.vote(poll, ids(poll, "Leek"), **SURVEY, **extras)
    site.vote(poll, ids(poll, "Leek"), **dict.fromkeys(SURVEY))
    longest = {name: "x" * length for name, length in LENGTHS.items()}
    site.vote(poll, ids(poll, "Leek"), **longest)


@area.step
def refuse_long_survey(site: Site) -> None:
    """A survey field over its length, or of another type, is 422."""
    poll = poll_of(site, "single")
    for name, length in LENGTHS.items():
        site.vote(poll, ids(poll, "Leek"), status=422, **{name: "x" * (length + 1)})
    site.vote(poll, ids(poll, "Leek"), status=422, gender=["x"])


@area.step
def tell_retries(site: Site) -> None:
    """A repeated idempotencyKey is told deduped and counted once; a longer one is 422."""
    poll, voter = poll_of(site, "short"), Voter()
    vote: Json = {"voter": voter, "idempotencyKey": site.suffix * 16}
    first, _ = site.vote(poll, ids(poll, "C", "A"), **vote)
    check(not first.get("deduped"), "the first vote is told to be a repeat")
    again, _ = site.vote(poll, ids(poll, "C", "A"), **vote)
    fits(again, {"ok": True, "deduped": True})
    total = site.page("GET", f"/polls/{poll['pollId']}/results")["data"]["totalBallots"]
    same(total, 2, "totalBallots")
    site.vote(poll, ids(poll, "C", "A"), status=422, idempotencyKey="x" * 129)


@area.step
def refuse_unknown_poll(site: Site) -> None:
    """A vote for an unknown poll is 404."""
    poll = poll_of(site, "single")
    site.vote({"pollId": UNKNOWN}, ids(poll, "Leek"), status=404)
