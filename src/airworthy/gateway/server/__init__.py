"""The gateway over HTTP: routes, keys, bounds, counters and a server that stops gently; asks the core for the rest."""

from airworthy.gateway.server._uvicorn import HttpServer
from airworthy.gateway.server.asgi import Doorway, GatewayApp, ServerRules, Surroundings
from airworthy.gateway.server.listening import Address, CannotListen, address, address_of, bound
from airworthy.gateway.server.metrics import Gauge, Metrics

__all__ = [
    "Address",
    "CannotListen",
    "Doorway",
    "GatewayApp",
    "Gauge",
    "HttpServer",
    "Metrics",
    "ServerRules",
    "Surroundings",
    "address",
    "address_of",
    "bound",
]
