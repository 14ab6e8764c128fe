"""The lease that makes one gateway of an account the submitter (order-protocol §4.4), in the database's own time.

A claim of an order names the epoch and that the lease has not run out, in the same UPDATE: a gateway that was frozen
claims nothing when it is thawed. A lease without an end belongs to one process that nobody could compete with, such
as a replay.
"""

from __future__ import annotations

import hashlib
import os
import platform
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

from trading.errors import StandDown
from trading.models import GatewayLease
from trading.models.prepared import Prepared

#: How long a lease lasts, how often it is renewed, and after which silence its holder ends itself: before it runs out.
TTL, RENEW, END_AFTER = timedelta(seconds=10), timedelta(seconds=2), timedelta(seconds=7)

#: Characters of a machine's name that fit into the owner's column.
_NAME = 24


class Lease:
    """The lease of one account, for one holder. `place`: where the operating system's lock keeps gateways apart;
    `machine`: how people call it."""

    def __init__(
        self, account_id: int, place: str = "", ttl: timedelta | None = None, machine: str = ""
    ) -> None:
        self._account_id, self._place, self._ttl = account_id, place, ttl
        self._owner = f"{place}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        if machine:
            self._owner += f":{machine[:_NAME]}"

    def take(self) -> GatewayLease:
        """Take the lease with the next epoch, inside the caller's transaction.

        Raises StandDown while a gateway elsewhere holds it. One of this very place is dead, or we had no lock.
        """
        GatewayLease.objects.get_or_create(account_id=self._account_id)
        free = ~unexpired() | Q(expires_at=None) | Q(owner__startswith=f"{self._place}:")
        # The UPDATE takes the row until the commit: of two that start at once the second sees the first.
        rows = GatewayLease.objects.filter(free, account_id=self._account_id).update(
            epoch=F("epoch") + 1, owner=self._owner, expires_at=self._end()
        )
        lease = GatewayLease.objects.get(account_id=self._account_id)
        if not rows:
            where = machine_of(lease.owner)
            raise StandDown(
                f"another gateway holds the lease (epoch {lease.epoch}){where and f' on {where}'}"
            )
        return lease

    def renew(self, epoch: int) -> None:
        """Make it last from now on. Raises StandDown when another gateway has taken it."""
        if not self._mine(epoch).update(expires_at=self._end()):
            raise StandDown(f"another gateway has taken the lease of epoch {epoch}")

    def release(self, epoch: int) -> None:
        """Let it run out now, so that another may start at once."""
        self._mine(epoch).update(expires_at=Now())

    def _mine(self, epoch: int) -> Any:
        return GatewayLease.objects.filter(
            account_id=self._account_id, epoch=epoch, owner=self._owner
        )

    def _end(self) -> Any:
        if self._ttl is None:
            return None
        return ExpressionWrapper(Now() + self._ttl, output_field=DateTimeField())


def still_leased(account_id: int, epoch: int) -> bool:
    """Whether the lease has this epoch; inside the caller's transaction, and nobody takes it over before its end."""
    return bool(_LEASED(account_id, epoch))


#: Locked, where the database can; SQLite has one writer.
_LEASED = Prepared(
    lambda account, epoch: (
        GatewayLease.objects.select_for_update()
        .filter(account_id=account, epoch=epoch)
        .values_list("pk")
    )
)


def machine_of(owner: str) -> str:
    """Return the name of the machine of a lease's holder, empty where it did not say."""
    return ":".join(owner.split(":")[3:])


def unexpired() -> Q:
    """Select leases that have not run out, by the database's time."""
    return Q(expires_at__isnull=True) | Q(expires_at__gt=Now())


def place_of(home: Path) -> str:
    """Name this machine and data directory: two gateways of one account there exclude each other by a lock."""
    return hashlib.sha256(f"{platform.node()}|{home.resolve()}".encode()).hexdigest()[:16]
