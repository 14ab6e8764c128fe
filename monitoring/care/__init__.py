"""Data care: backups, restoring, export, what may be forgotten, and the database file at night."""
