"""Sync models of dj-stripe with an empty SQLite database, as its own management command does.

Run with dj-stripe on PYTHONPATH: `djstripe_sync.py URL KEY MODEL...`. Prints for each model the identifiers
that are in the database after, or what went wrong.
"""

import importlib
import io
import json
import sys
from typing import Any


def prepare(url: str, key: str) -> Any:  # Any: Django is not among the packages of the tests
    """Return the management commands, over tables that are made anew: dj-stripe's migrations take minutes."""
    settings: Any = importlib.import_module("django.conf").settings
    settings.configure(
        SECRET_KEY="secret of a test",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "djstripe"],
        MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "djstripe")),
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
        STRIPE_LIVE_MODE=False,
        STRIPE_TEST_SECRET_KEY=key,
    )
    stripe: Any = importlib.import_module("stripe")
    stripe.api_base = url
    django: Any = importlib.import_module("django")
    django.setup()
    management: Any = importlib.import_module("django.core.management")
    management.call_command("migrate", run_syncdb=True, verbosity=0)
    return management


def sync(management: Any, name: str) -> dict[str, object]:
    """Sync one model."""
    errors = io.StringIO()
    try:
        management.call_command(
            "djstripe_sync_models", name, fail_on_error=True, stdout=io.StringIO(), stderr=errors
        )
    except management.CommandError as error:
        return {"error": f"{errors.getvalue()}{error}"}
    model = getattr(importlib.import_module("djstripe.models"), name)
    return {"ids": sorted(model.objects.values_list("id", flat=True))}


if __name__ == "__main__":
    url, key, *names = sys.argv[1:]
    commands = prepare(url, key)
    sys.stdout.write(json.dumps({name: sync(commands, name) for name in names}))
