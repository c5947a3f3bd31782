"""`python -m tests.contract --base URL --key KEY`: exit code 0 if the server keeps the contract."""

import argparse
import sys

from tests.contract import (
    categories,
    context,
    deletion,
    ground,
    history,
    imports,
    instances,
    operations,
    plans,
    presets,
    results,
    snapshots,
    templates,
    today,
    votes,
)
from tests.contract.site import Site
from tests.contract.walk import walk

SECTIONS = (
    ground,
    categories,
    templates,
    context,
    plans,
    presets,
    imports,
    today,
    votes,
    results,
    snapshots,
    instances,
    history,
    operations,
    deletion,
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("--base", required=True, help="address of the API, as the site's build has")
    parser.add_argument("--key", required=True, help="an admin key")
    parser.add_argument("--origin", default="http://localhost:3000", help="an allowed origin")
    parser.add_argument(
        "--plain-cookie", action="store_true", help="the server has COOKIE_SECURE=false"
    )
    parser.add_argument(
        "--alone",
        action="store_true",
        help="nobody else uses the server: also close all polls of today",
    )
    given = parser.parse_args()
    site = Site(
        given.base,
        given.key,
        given.origin,
        secure_cookie=not given.plain_cookie,
        alone=given.alone,
    )
    return 1 if walk([section.area for section in SECTIONS], site) else 0


if __name__ == "__main__":
    sys.exit(main())
