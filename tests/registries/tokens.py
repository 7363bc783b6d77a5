"""A token server: Docker's token authentication and its OAuth2 form, with tokens that docker-registry accepts."""

import base64
import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.registries.certificates import Authority, Pair, openssl
from tests.registries.servers import serving

ISSUER, SERVICE = "tests-issuer", "tests-registry"


@dataclass
class TokenServer:
    """`users`: name -> password; `""` may not pull what is `private` (prefixes of repositories).  `identities`: token -> user."""

    folder: Path
    users: dict[str, str]
    private: tuple[str, ...] = ("private/",)
    identities: dict[str, str] = field(default_factory=dict)
    life_s: int = 300
    asked: list[tuple[str, str, list[str]]] = field(default_factory=list)  # method, user, scopes
    realm: str = ""
    fail_next: list[int] = field(default_factory=list)  # statuses of the answers to come

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        authority = Authority(self.folder / "tokens")
        self.key, self.certificate = self.folder / "token.key", self.folder / "token.pem"
        openssl("genrsa", "-out", self.key, "2048")
        openssl("req", "-new", "-key", self.key, "-subj", "/CN=tokens", "-out", self.folder / "token.csr")
        openssl(
            "x509", "-req", "-in", self.folder / "token.csr", "-CA", authority.certificate, "-CAkey", authority.key,
            "-CAcreateserial", "-days", "2", "-out", self.certificate,
        )  # fmt: skip
        self.bundle = authority.certificate

    @property
    def settings(self) -> str:
        """For docker-registry's `auth.token`."""
        return (
            f"    realm: {self.realm}\n    service: {SERVICE}\n    issuer: {ISSUER}\n    rootcertbundle: {self.bundle}"
        )

    async def answer(self, request: web.Request) -> web.Response:
        if self.fail_next:
            return web.Response(status=self.fail_next.pop(0), text="not now")
        if request.method == "POST":
            form = await request.post()
            scopes = str(form.get("scope", "")).split()
            user = self.identities.get(str(form.get("refresh_token", "")))
            if form.get("grant_type") != "refresh_token" or user is None:
                return refused()
        else:
            scopes = request.query.getall("scope", [])
            user = ""
            header = request.headers.get("Authorization", "")
            if header:
                user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
                if self.users.get(user) != password:
                    self.asked.append((request.method, user, scopes))
                    return refused()
        self.asked.append((request.method, user, scopes))
        doc: dict[str, object] = {"token": self.token(user, scopes), "expires_in": self.life_s}
        if request.query.get("offline_token") == "true":
            identity = f"identity-of-{user}"
            self.identities[identity] = user
            doc["refresh_token"] = identity
        return web.json_response(doc)

    def token(self, user: str, scopes: list[str]) -> str:
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            allowed = [a for a in actions.split(",") if user or (a == "pull" and not name.startswith(self.private))]
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        claims = {
            "iss": ISSUER, "sub": user, "aud": SERVICE, "exp": now + self.life_s, "nbf": now - 10, "iat": now,
            "jti": str(time.monotonic_ns()), "access": access,
        }  # fmt: skip
        chain = [base64.b64encode(openssl("x509", "-in", self.certificate, "-outform", "DER")).decode()]
        signed = f"{packed({'typ': 'JWT', 'alg': 'RS256', 'x5c': chain})}.{packed(claims)}"
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self.key)],
            input=signed.encode(),
            capture_output=True,
            check=True,
        )
        return f"{signed}.{base64.urlsafe_b64encode(done.stdout).rstrip(b'=').decode()}"


def packed(doc: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(doc).encode()).rstrip(b"=").decode()


def refused() -> web.Response:
    return web.json_response({"details": "incorrect username or password"}, status=401)


@asynccontextmanager
async def token_server(
    folder: Path, users: dict[str, str], *, host: str = "127.0.0.1", tls: Pair | None = None
) -> AsyncIterator[TokenServer]:
    server = TokenServer(folder, users)
    async with serving(server.answer, tls=tls) as url:
        server.realm = f"{url}/token"
        yield server
