"""A close is of one market: an invented one plays real codes, and days that are yet to come.

Whose a row is that was written before, is known where all accounts are of one market. Where both are, the rows may be
invented, and none is left to a real account: its first morning says that a close is missing (EX_RIGHTS_UNVERIFIED).
"""

from django.db import migrations, models

SIMULATED = ("demo", "paper")


def give_to_the_only_market(apps, schema_editor):
    accounts = apps.get_model("trading", "Account").objects
    if accounts.exists() and not accounts.filter(mode__in=SIMULATED).exists():
        apps.get_model("trading", "Close").objects.update(environment="live")


def keep_one_of_each_day(apps, schema_editor):
    """Back again there is one row for a symbol and day: the real one."""
    closes = apps.get_model("trading", "Close").objects
    if closes.filter(environment="live").exists():
        closes.exclude(environment="live").delete()


class Migration(migrations.Migration):
    dependencies = [("trading", "0011_calendar_days_by_source")]

    operations = [
        migrations.AddField(
            model_name="close",
            name="environment",
            field=models.CharField(default="demo", max_length=16),
            preserve_default=False,
        ),
        migrations.RemoveConstraint(model_name="close", name="one_close_per_session"),
        migrations.AddConstraint(
            model_name="close",
            constraint=models.UniqueConstraint(
                fields=("environment", "symbol", "on"), name="one_close_per_session"
            ),
        ),
        migrations.RunPython(give_to_the_only_market, keep_one_of_each_day),
    ]
