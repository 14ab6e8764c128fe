"""The console's addresses."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import include, path, register_converter

from monitoring import (
    acting_views,
    alert_views,
    care_views,
    configuration_views,
    figure_views,
    grid_views,
    health_views,
    operator_views,
    record_views,
    security_views,
    stage_views,
    views,
)
from monitoring.figure_views import Day

register_converter(Day, "day")

urlpatterns = [
    path("", views.console, name="console"),
    path("board/", views.board, name="console-board"),
    path("orders/", record_views.orders, name="orders"),
    path("signals/", record_views.signals, name="signals"),
    path("holding/<int:pk>/", record_views.holding, name="holding"),
    path("trade/", acting_views.trade, name="trade"),
    path("act/done/<str:token>/", acting_views.done, name="act-done"),
    path("act/<str:name>/<int:pk>/", acting_views.act, name="act"),
    path("going-live/", stage_views.going_live, name="going-live"),
    path("going-live/<int:pk>/", stage_views.path, name="going-live-path"),
    path("going-live/<int:pk>/caps/", stage_views.caps, name="going-live-caps"),
    path("configuration/", configuration_views.configuration, name="configuration"),
    path(
        "configuration/<int:pk>/history/",
        configuration_views.history,
        name="configuration-history",
    ),
    path(
        "configuration/<int:pk>/compare/",
        configuration_views.compare,
        name="configuration-compare",
    ),
    path(
        "configuration/<int:pk>/back/<int:version>/",
        configuration_views.roll_back,
        name="configuration-back",
    ),
    path("grids/", grid_views.grids, name="grids"),
    path("grids/start/", grid_views.start, name="grid-start"),
    path("grid/<int:pk>/", grid_views.grid, name="grid"),
    path("me/", operator_views.me, name="me"),
    path("results/", figure_views.results, name="results"),
    path("reports/", figure_views.reports, name="reports"),
    path("report/<day:on>/", figure_views.report, name="report"),
    path("alerts/", alert_views.alerts, name="alerts"),
    path("alerts/acknowledge/", alert_views.acknowledge, name="alerts-acknowledge"),
    path("backups/", care_views.backups, name="backups"),
    path("backups/make/", care_views.make_backup, name="backups-make"),
    path("logs/", care_views.logs, name="logs"),
    path("healthz", health_views.alive, name="alive"),
    path("readyz", health_views.ready, name="ready"),
    path("metrics", health_views.measured, name="metrics"),
    path("stream/", views.no_stream, name="console-stream"),
    path("api/v1/", include("monitoring.api.urls")),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("confirm/", security_views.confirm, name="confirm"),
    path("second-factor/", security_views.second_factor_page, name="second-factor"),
]
