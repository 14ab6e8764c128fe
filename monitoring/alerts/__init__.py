"""Alerts: what happened, told to people: rows first, then messages, and a file when nobody can be reached."""
