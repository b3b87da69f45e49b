"""Push tokens: JWTs signed with the server's own key, and the certificate that verifies them.

Source: https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions#jwt_format
"""

import hashlib
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ISSUER = "https://accounts.google.com"
CERTS_PATH = "/oauth2/v1/certs"
CERTS_MAX_AGE_S = 3_600
LIFETIME_S = 3_600
USED_AGAIN_S = 1_800
"""How long a token is sent again before a new one is made; the real service has up to an hour."""


@dataclass(frozen=True)
class _Identity:
    signer: crypt.RSASigner
    key_id: str
    certificate: str


class Signer:
    """Makes tokens. The key is made when it is first needed. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._identity: _Identity | None = None
        self._tokens: dict[tuple[str, str], tuple[float, str]] = {}

    def token(self, account: str, audience: str) -> str:
        """A token of service account `account` for `audience`, valid for half an hour at least."""
        now = time.time()
        with self._lock:
            made_at, token = self._tokens.get((account, audience), (0.0, ""))
            if now - made_at >= USED_AGAIN_S:
                token = self._made(account, audience, int(now))
                self._tokens[account, audience] = (now, token)
            return token

    def certificates(self) -> dict[str, str]:
        """The certificates, in PEM, that verify the tokens, by key id."""
        with self._lock:
            identity = self._known()
            return {identity.key_id: identity.certificate}

    def _made(self, account: str, audience: str, now: int) -> str:
        number = str(int(hashlib.sha256(account.encode()).hexdigest(), 16) % 10**21).zfill(21)
        claims = {
            "aud": audience,
            "azp": number,
            "email": account,
            "email_verified": True,
            "exp": now + LIFETIME_S,
            "iat": now,
            "iss": ISSUER,
            "sub": number,
        }
        token: bytes = jwt.encode(self._known().signer, claims)  # type: ignore[no-untyped-call]
        return token.decode("ascii")

    def _known(self) -> _Identity:
        if self._identity is None:
            self._identity = _new_identity()
        return self._identity


def certificates_app(signer: Signer) -> Starlette:
    """Serves the certificates in the shape of https://www.googleapis.com/oauth2/v1/certs."""

    def answer(_: Request) -> JSONResponse:
        cache = f"public, max-age={CERTS_MAX_AGE_S}, must-revalidate, no-transform"
        return JSONResponse(signer.certificates(), headers={"Cache-Control": cache})

    return Starlette(routes=[Route(CERTS_PATH, answer)])


def _new_identity() -> _Identity:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    public = key.public_key()
    public_bytes = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key_id = hashlib.sha256(public_bytes).hexdigest()[:40]
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "federated-signon.lab.invalid")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=15))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
    signer = crypt.RSASigner(key, key_id=key_id)  # type: ignore[no-untyped-call]
    return _Identity(signer, key_id, pem)
