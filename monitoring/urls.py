"""The console's addresses."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from monitoring import views

urlpatterns = [
    path("", views.console, name="console"),
    path("board/", views.board, name="console-board"),
    path("stream/", views.no_stream, name="console-stream"),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
