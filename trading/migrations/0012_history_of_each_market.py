"""Closes, daily bars and indicators are of one market: an invented one plays real codes, and days that are yet to come.

Whose a close is that was written before, is known where all accounts are of one market. Where both are, it may be
invented, and none is left to a real account: its first morning says that one is missing (EX_RIGHTS_UNVERIFIED). A bar
says where it came from. Indicators are counted again, from the bars of each market alone.
"""

from django.db import migrations, models
from django.db.models import Q

SIMULATED = ("demo", "paper")
FIELD = {
    "max_length": 16,
    "choices": [
        ("demo", "simulated market"),
        ("live", "real market"),
    ],
    "verbose_name": "market",
}
NAMES = {
    "close": "one_close_per_session",
    "dailybar": "one_bar_per_session",
    "dailyindicator": "one_indicator_per_session",
}


def _rows(apps, schema_editor, name):
    """The rows of the database that is migrated: a backup is, beside the one that is in use."""
    return apps.get_model("trading", name).objects.using(schema_editor.connection.alias)


def give_to_its_market(apps, schema_editor):
    accounts = _rows(apps, schema_editor, "Account")
    simulated = accounts.filter(mode__in=SIMULATED).exists()
    if accounts.exists() and not simulated:
        _rows(apps, schema_editor, "Close").update(environment="live")
    bars = _rows(apps, schema_editor, "DailyBar")
    invented = Q()
    for mode in SIMULATED:
        invented |= Q(source=f"quotes, {mode}")
    if not (simulated and not accounts.exclude(mode__in=SIMULATED).exists()):
        bars.exclude(invented).update(environment="live")
    _rows(apps, schema_editor, "DailyIndicator").delete()


def keep_the_real_one(apps, schema_editor):
    """Back again there is one row for a symbol and session: the real one, where any is."""
    for name in NAMES:
        rows = _rows(apps, schema_editor, name)
        if rows.filter(environment="live").exists():
            rows.exclude(environment="live").delete()


class Migration(migrations.Migration):
    dependencies = [("trading", "0011_calendar_days_by_source")]

    operations = [
        *(
            migrations.AddField(
                model_name=name,
                name="environment",
                field=models.CharField(default="demo", **FIELD),
                preserve_default=False,
            )
            for name in NAMES
        ),
        *(
            migrations.RemoveConstraint(model_name=name, name=constraint)
            for name, constraint in NAMES.items()
        ),
        *(
            migrations.AddConstraint(
                model_name=name,
                constraint=models.UniqueConstraint(
                    fields=("environment", "symbol", "on"), name=constraint
                ),
            )
            for name, constraint in NAMES.items()
        ),
        migrations.RunPython(give_to_its_market, keep_the_real_one),
    ]
