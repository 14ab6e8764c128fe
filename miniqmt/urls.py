"""The web's addresses."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

admin.autodiscover()  # only here: seven other processes need none of it

urlpatterns = [
    path("", include("monitoring.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]
