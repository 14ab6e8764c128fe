"""Adds the folder of the client an account is logged in at: several accounts may be at several brokers."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0003_journal_mark_of_a_claim")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="terminal_folder",
            field=models.CharField(
                blank=True,
                help_text="userdata_mini of the account's QMT client; empty: MINIQMT_QMT_PATH. The gateway reads it when it starts.",
                max_length=260,
                verbose_name="terminal folder",
            ),
        ),
    ]
