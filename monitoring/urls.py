"""The console's addresses."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from monitoring import record_views, views

urlpatterns = [
    path("", views.console, name="console"),
    path("board/", views.board, name="console-board"),
    path("orders/", record_views.orders, name="orders"),
    path("signals/", record_views.signals, name="signals"),
    path("holding/<int:pk>/", record_views.holding, name="holding"),
    path("stream/", views.no_stream, name="console-stream"),
    path("api/v1/", include("monitoring.api.urls")),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
