"""The console's addresses."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from monitoring import alert_views, health_views, record_views, views

urlpatterns = [
    path("", views.console, name="console"),
    path("board/", views.board, name="console-board"),
    path("orders/", record_views.orders, name="orders"),
    path("signals/", record_views.signals, name="signals"),
    path("holding/<int:pk>/", record_views.holding, name="holding"),
    path("alerts/", alert_views.alerts, name="alerts"),
    path("alerts/acknowledge/", alert_views.acknowledge, name="alerts-acknowledge"),
    path("healthz", health_views.alive, name="alive"),
    path("readyz", health_views.ready, name="ready"),
    path("metrics", health_views.measured, name="metrics"),
    path("stream/", views.no_stream, name="console-stream"),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
