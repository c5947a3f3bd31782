"""The schedule: what each day opens and closes, and which polls are open now."""
