"""HTTP/1.1 to providers: connections kept open, every wait and every size bounded. Knows no model and no protocol."""

from airworthy.gateway.http.address import Address
from airworthy.gateway.http.client import HttpClient
from airworthy.gateway.http.upstream import HttpUpstream

__all__ = ["Address", "HttpClient", "HttpUpstream"]
