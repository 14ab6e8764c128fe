"""The console's addresses."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path, register_converter

from monitoring import figure_views, record_views, views
from monitoring.figure_views import Day

register_converter(Day, "day")

urlpatterns = [
    path("", views.console, name="console"),
    path("board/", views.board, name="console-board"),
    path("orders/", record_views.orders, name="orders"),
    path("signals/", record_views.signals, name="signals"),
    path("holding/<int:pk>/", record_views.holding, name="holding"),
    path("results/", figure_views.results, name="results"),
    path("reports/", figure_views.reports, name="reports"),
    path("report/<day:on>/", figure_views.report, name="report"),
    path("stream/", views.no_stream, name="console-stream"),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
