"""How fast it is, beside what could be expected at best: bare Flask, raw WSGI, pgbench."""
