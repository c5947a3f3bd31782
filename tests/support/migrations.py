"""Check the migrations on both databases: up, no drift from the models, down to nothing, up again.

`python -m tests.support.migrations` runs the `flask db` commands an operator would run.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from allthing.config import Settings
from tests.support.servers import postgres_server

COMMANDS = (["upgrade"], ["check"], ["downgrade", "base"], ["upgrade"], ["check"])


def check(url: str) -> None:
    """Run the cycle on the database at `url`; exit with the first failure."""
    foreign = {name.upper() for name in Settings.model_fields}
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    environment |= {
        "DATABASE_URL": url,
        "SECRET_KEY": "only-for-the-check-of-the-migrations",
        "ADMIN_KEY": "only-for-the-check",
        "FLASK_APP": "wsgi",
    }
    for command in COMMANDS:
        print(f"{url.partition(':')[0]}: flask db {' '.join(command)}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "flask", "db", *command], env=environment, check=False
        )
        if done.returncode:
            sys.exit(f"flask db {' '.join(command)} failed on {url.partition(':')[0]}")


def main() -> None:
    with postgres_server() as server:
        check(server.create_database("migrations"))
    with tempfile.TemporaryDirectory() as folder:
        check(f"sqlite:///{Path(folder) / 'migrations.db'}")


if __name__ == "__main__":
    main()
