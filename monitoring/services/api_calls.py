"""A change with a key is done once: claimed by a row before it is done, and its answer kept for whoever asks again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from monitoring.models import ApiCall

#: How long answers are kept; a key may be used anew after that.
KEPT_FOR = timedelta(days=7)
#: So many old ones go with every new one.
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Before:
    """What a key was used for before. `same`: for this very request; `status` None: it has no answer (yet)."""

    same: bool
    status: int | None
    answer: str
    at: datetime


def claim(user_id: int, key: str, digest: str, now: datetime) -> ApiCall | Before:
    """Claim a key for a request at `now` (real time): the row to answer with later, or what it was used for before."""
    old = ApiCall.objects.filter(at__lt=now - KEPT_FOR).order_by("at")
    ApiCall.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_BATCH])).delete()
    try:
        with transaction.atomic():
            return ApiCall.objects.create(user_id=user_id, key=key, digest=digest, at=now)
    except IntegrityError:
        row = ApiCall.objects.get(user_id=user_id, key=key)
        return Before(row.digest == digest, row.status, row.answer, row.at)


def answer(call: ApiCall, status: int, text: str) -> None:
    """Keep what a claimed request was answered."""
    ApiCall.objects.filter(pk=call.pk).update(status=status, answer=text)


def release(call: ApiCall) -> None:
    """Give a key back: its request could not be done at all, and is to be corrected."""
    ApiCall.objects.filter(pk=call.pk).delete()
