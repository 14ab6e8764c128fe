"""Monitoring as Celery tasks: the health tick, and reports, which are made up for when they were missed."""

from __future__ import annotations

from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from monitoring.alerts.round import look_after_alerts
from monitoring.audit import chain
from monitoring.care.round import care
from monitoring.console.report_file import keep_report_files
from monitoring.log_rows import collect
from monitoring.services.curves import record_curves
from monitoring.services.day_report import make_day_reports
from monitoring.services.health import check_health
from monitoring.services.heartbeat import beat
from monitoring.services.premarket import check_before_the_open
from monitoring.services.shadow_days import compare_shadow_days
from trading.services.shared_quotes import quotes_of_thread
from trading.tasks import close_broken_connections


@shared_task(name="monitoring.health")
def health() -> None:
    """Whether ticks, gateway, quotes, orders, settings, calendar and disk are as they should be."""
    try:
        check_health(quotes_of_thread(), timezone.now, Path(settings.HOME))
    finally:
        close_broken_connections()


@shared_task(
    name="monitoring.day_report", autoretry_for=(DatabaseError,), retry_backoff=5, max_retries=5
)
def day_report() -> None:
    """Make the reports of sessions whose books are closed, and keep them as files; missed ones are made up for."""
    try:
        compare_shadow_days(timezone.now())
        make_day_reports(timezone.now())
        keep_report_files(Path(settings.HOME), timezone.now())
    finally:
        close_broken_connections()


@shared_task(
    name="monitoring.premarket", autoretry_for=(DatabaseError,), retry_backoff=5, max_retries=2
)
def premarket() -> None:
    """Before the open: whether terminal, account, calendar, quotes and settings let a session begin."""
    try:
        check_before_the_open(timezone.now(), quotes_of_thread(), Path(settings.HOME))
    finally:
        close_broken_connections()


@shared_task(
    name="monitoring.backup", autoretry_for=(DatabaseError,), retry_backoff=5, max_retries=2
)
def backup() -> None:
    """The backups of the day when they are due, then what may be forgotten, then the database's file."""
    try:
        care(Path(settings.HOME), timezone.now)
    finally:
        close_broken_connections()


@shared_task(
    name="monitoring.audit", autoretry_for=(DatabaseError,), retry_backoff=5, max_retries=2
)
def audit() -> None:
    """New audit rows get their links in the chain; once a day the chain's end is written down."""
    try:
        chain.extend(timezone.now())
        chain.write_anchor(Path(settings.HOME), timezone.now())
    finally:
        close_broken_connections()


@shared_task(
    name="monitoring.alerts", autoretry_for=(DatabaseError,), retry_backoff=5, max_retries=2
)
def alerts() -> None:
    """What happened becomes alerts; a process of its own sends them, for nothing here waits for the network."""
    try:
        look_after_alerts(timezone.now(), Path(settings.HOME))
    finally:
        close_broken_connections()


@shared_task(name="monitoring.curves")
def curves() -> None:
    """This minute of each account's money and of its symbols' prices; a minute that was missed stays empty."""
    try:
        record_curves(timezone.now(), quotes_of_thread())
    finally:
        close_broken_connections()


@shared_task(name="monitoring.heartbeat")
def heartbeat() -> None:
    """Tell the monitor outside, where there is one, that everything works, or what does not."""
    try:
        beat(timezone.now(), settings.MINIQMT_HEARTBEAT_URL)
    finally:
        close_broken_connections()


@shared_task(
    name="monitoring.log_lines", autoretry_for=(DatabaseError,), retry_backoff=5, max_retries=2
)
def log_lines() -> None:
    """What the processes warned of since the last time, as rows to search in."""
    try:
        collect(Path(settings.HOME))
    finally:
        close_broken_connections()
