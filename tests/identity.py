"""Stands in for what Azure gives an app with an identity: tokens, and storage that takes them."""

import base64
import http.server
import json
import threading
import time
import urllib.parse
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from imaginem.host import Emulator


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 and its key; return both files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def unsigned_token(audience: str, seconds: int = 3600) -> str:
    """Return a token with the claims of Entra ID, and a wrong signature."""
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
        "iat": now,
        "nbf": now,
        "exp": now + seconds,
        "oid": "23657296-5cd5-45b0-a809-d972a7f4dfe1",
        "tid": "ab1f708d-50f6-404c-a006-d71b2ac7a606",
        "ver": "1.0",
    }
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return f"{encoded[0].decode()}.{encoded[1].decode()}.c2lnbmF0dXJl"


class IdentityEndpoint:
    """The token endpoint of App Service.

    Attributes:
        asked: audiences that tokens were issued for.
        clients: client ids that tokens were asked for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.clients: set[str] = set()
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                audience = query["resource"][0]
                trusted = self.headers["X-IDENTITY-HEADER"] == "x"
                endpoint.asked += [audience] if trusted else []
                endpoint.clients |= set(query.get("client_id", []))
                body = json.dumps(
                    {
                        "access_token": unsigned_token(audience),
                        "expires_on": str(int(time.time()) + 3600),
                        "resource": audience,
                        "token_type": "Bearer",
                    }
                ).encode()
                if not trusted:
                    body = b'{"statusCode": 401, "message": "Unauthorized"}'
                self.send_response(200 if trusted else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/msi/token"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class TokenEmulator(Emulator):
    """Azurite over https, which accepts tokens instead of a key."""

    certificate: tuple[Path, Path]

    def _command(self) -> list[str]:
        files = [str(path) for path in self.certificate]
        return [*super()._command(), "--oauth", "basic", "--cert", files[0], "--key", files[1]]
