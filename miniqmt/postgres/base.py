"""Django's PostgreSQL backend; every transaction first waits for its turn, as `BEGIN IMMEDIATE` does in SQLite.

Services read, decide and write in one transaction. Under READ COMMITTED two of them could read the same cash, or the
same holding, and both act on it. An isolation level that refuses one of them would need a retry around every service;
waiting needs nothing, and is what all of them are written and tested for (docs/adr/0004).
"""

from __future__ import annotations

from django.db.backends.postgresql import base

#: The lock's number ("miniqmt" in ASCII). It is one of this database, and ends with the transaction.
TURN = int.from_bytes(b"miniqmt", "big")


class DatabaseWrapper(base.DatabaseWrapper):
    """`ENGINE` of a `DATABASE_URL=postgres://…`."""

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # Django's stubs leave it out
        if not autocommit:
            self._take_turn()

    def _take_turn(self) -> None:
        """Begin the transaction with the lock. Raises OperationalError after 20 s; the next use connects anew."""
        try:
            with self.wrap_database_errors, self.connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", (TURN,))
        except BaseException:
            self.close()
            raise
