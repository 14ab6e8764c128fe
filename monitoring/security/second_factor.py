"""The second factor: a six-digit code of an authenticator app, or one of eight recovery codes, each good once."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

_CODES, _LENGTH = 8, 10
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that is read as another
#: A row of `StaticToken` holds so many characters: 64 bits of a keyed digest.
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Secret:
    """What the app is told: an address for those that take one, else the key, typed in groups of four."""

    address: str
    groups: Sequence[str]


def is_on(user: Any) -> bool:
    """Whether this user has set it up."""
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def begin(user: User) -> Secret:
    """Return the secret that is being set up, the same until it is confirmed."""
    device = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    if device is None:
        device = TOTPDevice.objects.create(user=user, confirmed=False, name="app")
    key = b32encode(device.bin_key).decode().rstrip("=")
    return Secret(device.config_url, [key[at : at + 4] for at in range(0, len(key), 4)])


def confirm(user: User, code: str) -> list[str] | None:
    """Switch it on with the first code of the app; returns the recovery codes, which nobody can read later.

    None: the code is wrong, or too many were.
    """
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
        if device is None or not device.verify_token(_plain(code)):
            return None
        TOTPDevice.objects.filter(user=user).exclude(pk=device.pk).delete()
        device.confirmed = True
        device.save()
        return _new_codes(user)


def renew_codes(user: User) -> list[str]:
    """Return new recovery codes; the old ones are void."""
    with transaction.atomic():
        return _new_codes(user)


def verify(user: User, code: str) -> bool:
    """Whether the code is right. Each works once, and wrong ones make the next wait longer (django-otp)."""
    said = _plain(code)
    kind = TOTPDevice if said.isdecimal() and len(said) == 6 else StaticDevice
    with (
        transaction.atomic()
    ):  # two requests with one code: the second one waits, and finds it used
        device = kind.objects.select_for_update().filter(user=user, confirmed=True).first()
        told = said if kind is TOTPDevice else _digest(user, said)
        return device is not None and bool(device.verify_token(told))


def codes_left(user: User) -> int:
    """Return how many recovery codes were not used yet."""
    return sum(one.token_set.count() for one in StaticDevice.objects.filter(user=user))


def remove(user: User) -> bool:
    """Switch it off: the app and the codes are lost. False when it was off."""
    with transaction.atomic():
        gone, _ = TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
    return bool(gone)


def _new_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery")
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(_CODES)]
    for code in codes:
        device.token_set.create(token=_digest(user, code))
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _digest(user: User, code: str) -> str:
    """Only this is kept: who reads the database cannot type it."""
    said = f"miniqmt.recovery:{user.pk}:{code}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), said, sha256).hexdigest()[:_DIGEST]


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()
