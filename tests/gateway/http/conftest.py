"""What the tests of connections share."""

from tests.gateway.http.authority import authority

__all__ = ["authority"]
