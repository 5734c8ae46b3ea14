"""Fixtures of the tests of call policies."""

from tests.gateway.http.authority import authority

__all__ = ["authority"]
