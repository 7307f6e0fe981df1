"""HTTP: one door to an engine, closed to whoever has no key to it. Needs `makegood[http]`."""

from __future__ import annotations

from makegood.http.application import application
from makegood.http.keys import ApiKey, KeyFile, Keys, made_key
from makegood.http.runs import RunView

__all__ = [
    "ApiKey",
    "KeyFile",
    "Keys",
    "RunView",
    "application",
    "made_key",
]
