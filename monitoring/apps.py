"""Django's name for this package."""

from __future__ import annotations

from django.apps import AppConfig


class MonitoringApp(AppConfig):
    """监控"""

    name = "monitoring"
    verbose_name = "监控"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from monitoring.audit.triggers import put_up
        from monitoring.security import checks
        from monitoring.security.roles import make_roles

        checks.register_all()
        # Here and not in a migration: the rights they are made of exist only when all migrations are through.
        post_migrate.connect(make_roles, sender=self)
        post_migrate.connect(put_up, sender=self)
