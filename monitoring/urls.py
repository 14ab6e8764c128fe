"""The console's addresses."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from monitoring import acting_views, record_views, security_views, views

urlpatterns = [
    path("", views.console, name="console"),
    path("board/", views.board, name="console-board"),
    path("orders/", record_views.orders, name="orders"),
    path("signals/", record_views.signals, name="signals"),
    path("holding/<int:pk>/", record_views.holding, name="holding"),
    path("trade/", acting_views.trade, name="trade"),
    path("act/done/<str:token>/", acting_views.done, name="act-done"),
    path("act/<str:name>/<int:pk>/", acting_views.act, name="act"),
    path("stream/", views.no_stream, name="console-stream"),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("confirm/", security_views.confirm, name="confirm"),
    path("second-factor/", security_views.second_factor_page, name="second-factor"),
]
