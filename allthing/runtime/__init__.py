"""What the process runs on: the clock, deadlines, logs, and the gunicorn worker."""
