"""A small OpenID Connect provider over real HTTP on loopback, which can be told to misbehave."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from airworthy.core.clock import US_PER_S, ManualClock

CLIENT, SECRET = "airworthy", "s3cret & more"


def key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


@dataclass
class Simulated:
    """`claims`: what every token says beside what it must. `down`: every answer is a fault.

    `forge`: "" or how the next tokens are wrong: none, hs256, other_key, unknown_kid.
    """

    clock: ManualClock
    issuer: str = ""
    claims: dict[str, Any] = field(
        default_factory=lambda: {"email": "dana@example.com", "email_verified": True}
    )
    forge: str = ""
    down: bool = False
    discovery: dict[str, Any] = field(default_factory=dict)
    keys: list[ECKey] = field(default_factory=lambda: [key("one")])
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def consent(self, url: str) -> dict[str, str]:
        """What a person at the provider's page says yes to: the query that leads back."""
        query = dict(parse_qsl(urlsplit(url).query))
        assert (query["response_type"], query["client_id"]) == ("code", CLIENT)
        assert query["code_challenge_method"] == "S256"
        code = f"code{len(self.codes)}"
        self.codes[code] = query
        return {"code": code, "state": query["state"], "iss": self.issuer}

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys", **self.discovery,
        }  # fmt: skip

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form.get("code", ""), None)  # A code is good once.
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        proof = (
            base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
            .rstrip(b"=")
            .decode()
        )
        right = (name, dict(parse_qsl(f"x={secret}"))["x"]) == (CLIENT, SECRET)
        if asked is None or not right or proof != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        assert form["redirect_uri"] == asked["redirect_uri"]
        return 200, {"id_token": self._signed(asked["nonce"]), "access_token": "x", "token_type": "Bearer"}

    def _signed(self, nonce: str) -> str:
        now_s = self.clock.now_us() // US_PER_S
        said = {
            "iss": self.issuer, "aud": CLIENT, "sub": "u1", "iat": now_s, "exp": now_s + 300, "nonce": nonce,
            **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in said.items() if value is not None}
        match self.forge:
            case "none":
                return f"{_part({'alg': 'none', 'kid': 'one'})}.{_part(claims)}."
            case "hs256":
                told = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(claims)}"
                public = self.keys[0].as_pem(private=False)
                return f"{told}.{_base64(hmac.digest(public, told.encode(), 'sha256'))}"
            case "other_key":
                return jwt.encode({"alg": "ES256", "kid": "one"}, claims, key("one"))
            case "unknown_kid":
                return jwt.encode({"alg": "ES256", "kid": "stranger"}, claims, key("stranger"))
            case _:
                return jwt.encode({"alg": "ES256", "kid": self.keys[-1].kid}, claims, self.keys[-1])


def _part(value: object) -> str:
    return _base64(json.dumps(value).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@contextlib.contextmanager
def provider(clock: ManualClock) -> Iterator[Simulated]:
    simulated = Simulated(clock)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            match urlsplit(self.path).path:
                case "/.well-known/openid-configuration":
                    self._answer(200, simulated.document())
                case "/keys":
                    self._answer(200, {"keys": [each.as_dict(private=False) for each in simulated.keys]})
                case _:
                    self._answer(404, {})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(raw).items()}
            self._answer(*simulated.token(form, self.headers.get("authorization", "")))

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            simulated.asked.append(self.path)
            body = json.dumps(document).encode()
            self.send_response(503 if simulated.down else status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        simulated.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield simulated
        finally:
            server.shutdown()
            thread.join()
