"""Django settings: one file, driven by environment variables (each one is documented in `.env.example`)."""

from __future__ import annotations

import os
import platform
import secrets
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from miniqmt import postgres, schedule
from monitoring import log_files
from monitoring.processes import exit_with_parent, show_what_the_console_can
from monitoring.redaction import known_secrets
from monitoring.run_file import redis_url
from monitoring.security import transport

# Here, because every process of the system reads its settings: a child of `up` ends with it.
exit_with_parent()
show_what_the_console_can()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
_env_file = BASE_DIR / ".env"
# Tests and replays must not depend on the operator's own .env (failure row 168).
if _env_file.is_file() and env.bool("MINIQMT_READ_DOTENV", default=True):
    environ.Env.read_env(_env_file, encoding="utf-8")

#: Everything the program writes: database, secret key, locks. Only its owner may read it.
HOME = Path(env.str("MINIQMT_HOME", default=str(BASE_DIR / "var"))).resolve()


def _private_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _secret_key() -> str:
    """Return DJANGO_SECRET_KEY, or the key kept in HOME, made on the first start."""
    given = env.str("DJANGO_SECRET_KEY", default="")
    if given:
        return str(given)
    path = _private_folder(HOME) / "secret_key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    key = secrets.token_urlsafe(48)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(key)
    return key


SECRET_KEY = _secret_key()
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])

#: Whether everybody reaches the web over HTTPS: what faces the network must (monitoring/security/exposure.py).
HTTPS = env.bool("MINIQMT_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
#: On this computer alone nothing travels, and there is no certificate: these ask for HTTPS (docs/security.md).
SILENCED_SYSTEM_CHECKS = (
    [] if HTTPS else ["security.W004", "security.W008", "security.W012", "security.W016"]
)

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",  # its pages are read by the process that serves them: miniqmt/urls.py
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "simple_history",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "trading",
    "grid",
    "monitoring",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "monitoring.security.middleware.OwnContentOnly",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "monitoring.security.middleware.SessionLimits",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",  # the last one: it answers for a login that was refused
]

ROOT_URLCONF = "miniqmt.urls"
WSGI_APPLICATION = "miniqmt.wsgi.application"
ASGI_APPLICATION = "miniqmt.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


#: The root certificate by which PostgreSQL and Redis on other computers are known.
CA = env.str("MINIQMT_CA", default="")


def _database() -> dict[str, Any]:
    url = env.str("DATABASE_URL", default="")
    config: dict[str, Any] = (
        env.db_url_config(url)
        if url
        else {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(_private_folder(HOME) / "miniqmt.sqlite3"),
        }
    )
    config["ATOMIC_REQUESTS"] = False
    config["CONN_MAX_AGE"] = 60  # seconds; opening one costs more than most of what is asked
    if config["ENGINE"] == "django.db.backends.sqlite3":
        # IMMEDIATE: read-then-write never meets "database is locked". FULL: a power cut keeps every commit.
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON",
        }
    elif config["ENGINE"] == "django.db.backends.postgresql":
        config["ENGINE"] = "miniqmt.postgres"
        config["CONN_HEALTH_CHECKS"] = True
        config["OPTIONS"] = postgres.options(transport.postgres_of(config.get("OPTIONS", {}), CA))
    else:
        raise ImproperlyConfigured(
            f"DATABASE_URL: neither SQLite nor PostgreSQL: {config['ENGINE']}"
        )
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

#: One backend, so that whoever asks for "users with this permission" needs not name it.
AUTHENTICATION_BACKENDS = ["monitoring.security.backend.LockingBackend"]
#: Five wrong passwords of a user from one address: nobody logs in as this user from there for a quarter of an hour,
#: and no longer, however often it is tried meanwhile. The address is the connection's own, no header's.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "monitoring.security.lockout.refused"
AXES_ENABLE_ADMIN = False  # the page of users lifts a lock
AXES_VERBOSE = False

#: A session ends this long after its last page was opened, and this long after the login whatever happens.
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
MINIQMT_SESSION_AGE = timedelta(days=7)

OTP_TOTP_ISSUER = "miniqmt"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
#: Asked before what costs most on a live account; trading's pages import nothing of monitoring.
MINIQMT_STEP_UP = "monitoring.security.step_up"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "console"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
TIME_ZONE = "Asia/Shanghai"  # the exchange's; not a setting
USE_I18N = True
FORMAT_MODULE_PATH = "miniqmt.formats"  # times with their seconds
USE_TZ = True

STATIC_URL = "static/"
#: Where `up` collects styles and scripts, named by their content and compressed (monitoring/static_files.py).
STATIC_ROOT = _private_folder(HOME / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "monitoring.static_files.CollectedFiles"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_USE_FINDERS = (
    True  # plain names are served from where they lie: no step before the first start
)
WHITENOISE_AUTOREFRESH = False

#: How fast the simulated market runs; `up --speed` tells all its processes. Live accounts live in real time.
MINIQMT_SPEED = Decimal(str(env.float("MINIQMT_SPEED", default=1.0)))

#: What this machine is called where several share a database, and which processes `up` runs here; empty: all of them.
MINIQMT_MACHINE = env.str("MINIQMT_MACHINE", default="") or platform.node()
MINIQMT_RUNS = env.str("MINIQMT_RUNS", default="")

#: The second source of quotes: `mootdx`, or none.
FALLBACK_QUOTES = env.str("FALLBACK_QUOTES", default="")
#: TDX (docs/mootdx.md): the servers, each `IP:port`, else mootdx's own list; the folder of a local installation.
MINIQMT_MOOTDX_SERVERS = env.list("MINIQMT_MOOTDX_SERVERS", default=[])
MINIQMT_MOOTDX_FOLDER = env.str("MINIQMT_MOOTDX_FOLDER", default="")

#: A folder on another disk or machine that every backup is copied to; empty: none.
MINIQMT_BACKUP_COPY = env.str("MINIQMT_BACKUP_COPY", default="")

#: MB that each process of `up` may hold for long; 0: any number, None: what is usual for its kind (monitoring/stack.py).
MINIQMT_MEMORY_CEILING_MB = env.int("MINIQMT_MEMORY_CEILING_MB", default=None)

#: What programs show to read /readyz and /metrics; empty: only a person who is logged in may.
MINIQMT_METRICS_TOKEN = env.str("MINIQMT_METRICS_TOKEN", default="")
#: A monitor outside that is told every minute that everything works; empty: none.
MINIQMT_HEARTBEAT_URL = env.str("MINIQMT_HEARTBEAT_URL", default="")
#: The JSON API (docs/api.md): requests a second of one token or user; whether tokens may act on live accounts.
MINIQMT_API_RATE = env.int("MINIQMT_API_RATE", default=50)
MINIQMT_API_TRADES_LIVE = env.bool("MINIQMT_API_TRADES_LIVE", default=False)

#: Sessions with clean books before each step of the path to live (docs/live-qmt.md).
MINIQMT_PAPER_SESSIONS = env.int("MINIQMT_PAPER_SESSIONS", default=5)
MINIQMT_SHADOW_SESSIONS = env.int("MINIQMT_SHADOW_SESSIONS", default=5)
MINIQMT_CAPPED_SESSIONS = env.int("MINIQMT_CAPPED_SESSIONS", default=5)

#: Broker of messages: the given one, else the one `up` runs. Without any, the commands that need one say so.
REDIS_URL = transport.redis_of(env.str("REDIS_URL", default="") or redis_url(HOME), CA)
for _hole in transport.plain_lines(DATABASES["default"], REDIS_URL):
    raise ImproperlyConfigured(f"{_hole.id}: {_hole.text.en} {_hole.text.zh}")
CELERY_BROKER_URL = REDIS_URL or None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = TIME_ZONE
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None  # there are none, so nothing cleans them up
# Ticks are never redelivered or repeated: the next one is the retry (docs/adr/0002).
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = schedule.TICKS
CELERY_TASK_QUEUES: dict[str, dict[str, str]] = {
    schedule.TICKS: {},
    schedule.SLOW: {},
}  # a worker without -Q takes both
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = True  # Flower shows what runs
CELERY_TASK_SEND_SENT_EVENT = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 2
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
#: Opening a connection costs more than most ticks: one serves so many tasks.
CELERY_DB_REUSE_MAX = 500
CELERY_BEAT_SCHEDULER = "miniqmt.beat:MarketScheduler"
CELERY_BEAT_SCHEDULE = schedule.at_speed(MINIQMT_SPEED)
# Seconds. With ASKED_EVERY of miniqmt/beat.py: until a change made in the admin is seen.
CELERY_BEAT_MAX_LOOP_INTERVAL = 3
CELERY_BEAT_CRON_STARTING_DEADLINE = 60

#: What reads the lock file of packages, for `manage.py doctor`: nothing imports this folder.
MINIQMT_PINNED = "miniqmt.lockfile.pinned"

#: Strategies in order of precedence; each is called once per strategy tick.
MINIQMT_STRATEGIES = ["trading.strategy.exit_signals", "trading.strategy.add_on_signals"]
#: Strategy plug-ins by dotted path (docs/strategies.md); each is called once per tick of theirs.
MINIQMT_PLUG_INS = env.list("MINIQMT_PLUG_INS", default=[])
#: What other apps plug into trading, which imports none of them: ticks of their own beside the strategy tick (run by
#: replays; the worker's are in miniqmt/schedule.py), symbols whose quotes they need, shares kept from the exits.
MINIQMT_TICKS = ["grid.strategy.GRID", "trading.services.plug_ins.PLUG_INS"]
MINIQMT_INTERESTS = ["grid.selectors.symbols_of_interest"]
MINIQMT_KEPT_SHARES = ["grid.selectors.kept_from_exits"]
#: What other apps add to `manage.py replay` (trading/replay/guests.py).
MINIQMT_REPLAY_GUESTS = ["grid.replay.GRIDS"]

#: Plain lines for the console from LOG_LEVEL on; each process that runs all day also keeps a file (monitoring/log_files.py).
LOGGING = log_files.configuration(
    HOME,
    sys.argv,
    env.str("LOG_LEVEL", default="WARNING"),
    {SECRET_KEY, *known_secrets(HOME, os.environ)},
)
