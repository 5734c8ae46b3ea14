"""An authority of the test's own, and what it signed; made anew for each run by the openssl program."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@dataclass(frozen=True)
class Authority:
    folder: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder / "ca.pem")

    def server(self, name: str) -> ssl.SSLContext:
        """`name`: as in a certificate, such as `DNS:localhost` or `IP:127.0.0.1`."""
        stem = name.replace(":", "_")
        if not (self.folder / f"{stem}.pem").exists():
            (self.folder / f"{stem}.ext").write_text(f"subjectAltName={name}\n")
            _openssl(
                self.folder, "req", *_CURVE, "-keyout", f"{stem}.key", "-out", f"{stem}.csr", "-subj", "/CN=s"
            )
            _openssl(
                self.folder, "x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", f"{stem}.ext", "-out", f"{stem}.pem",
            )  # fmt: skip
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl program here to make certificates with")
    folder = tmp_path_factory.mktemp("authority")
    _openssl(
        folder, "req", "-x509", *_CURVE, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
        "-subj", "/CN=authority of a test",
    )  # fmt: skip
    return Authority(folder)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
