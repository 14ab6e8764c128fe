"""People for the tests of security: with a role, a second factor, a confirmation just made."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from monitoring.security.roles import Role

PASSWORD = "quite a long password"


def somebody(name: str, *roles: Role, superuser: bool = False) -> Any:
    """A user of the admin."""
    user = get_user_model().objects.create_user(
        name, password=PASSWORD, is_staff=True, is_superuser=superuser
    )
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def browser(user: Any = None, language: str = "en", **more: Any) -> Client:
    """A browser, in which the user is logged in."""
    client = Client(headers={"accept-language": language}, **more)
    if user is not None:
        client.force_login(user)
    return client


def phone(user: Any, *, confirmed: bool = True) -> TOTPDevice:
    """An authenticator app that knows the user's key."""
    made: TOTPDevice = TOTPDevice.objects.create(user=user, confirmed=confirmed, name="app")
    return made


def code_of(device: TOTPDevice, later: int = 0) -> str:
    """What the app shows now, or so many codes later."""
    clock = TOTP(device.bin_key, drift=later)
    clock.time = timezone.now().timestamp()
    return f"{clock.token():06d}"


def confirmed(client: Client, user: Any) -> None:
    """Let the user have said again who they are, with a code, in this browser."""
    phone(user)
    session = client.session
    session["confirmed_at"] = timezone.now().isoformat()
    session["confirmed_by_factor"] = True
    session.save()


def everything() -> dict[str, list[Any]]:
    """Every row of every table but the sessions: what a request must not have changed."""
    found = {}
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            if not model._meta.managed or model._meta.label == "sessions.Session":
                continue
            if model._meta.label == "trading.TradingDay":
                continue  # thousands, and nobody's
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}" ORDER BY 1')
            found[model._meta.label] = cursor.fetchall()
    return found
