from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from refunds.providers.http.transport import tls_context

HOST = "localhost"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def folder_of_roots(folder: Path, authority: trustme.CA) -> Path:
    """As the layer's build makes it: a root under the name OpenSSL looks for."""
    certificate = folder / "root.pem"
    authority.cert_pem.write_to_path(str(certificate))
    openssl = shutil.which("openssl")
    assert openssl is not None, "the layer's build needs openssl"
    command = [openssl, "x509", "-noout", "-subject_hash", "-in", str(certificate)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    roots = folder / "roots"
    roots.mkdir()
    certificate.rename(roots / f"{name}.0")
    return roots


@contextmanager
def server(authority: trustme.CA) -> Iterator[int]:
    """A TLS server for one connection; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except ssl.SSLError:
                    return  # the client does not trust it

        thread = threading.Thread(target=accept)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def connect(port: int, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        context.wrap_socket(connection, server_hostname=HOST),
    ):
        pass


def test_root_in_the_folder(authority: trustme.CA, tmp_path: Path) -> None:
    """A server whose root is in the folder is trusted."""
    context = tls_context(folder_of_roots(tmp_path, authority))
    with server(authority) as port:
        connect(port, context)


def test_root_not_in_the_folder(authority: trustme.CA, tmp_path: Path) -> None:
    """A server with another root is refused."""
    context = tls_context(folder_of_roots(tmp_path, trustme.CA()))
    with server(authority) as port, pytest.raises(ssl.SSLCertVerificationError):
        connect(port, context)


def test_without_a_folder(authority: trustme.CA, tmp_path: Path) -> None:
    """Without the folder the roots are certifi's, and a made-up authority is not among them."""
    context = tls_context(tmp_path / "roots")
    assert len(context.get_ca_certs()) > 50
    with server(authority) as port, pytest.raises(ssl.SSLCertVerificationError):
        connect(port, context)


def test_verification_is_on(tmp_path: Path) -> None:
    """Whichever way the roots are read, certificate and host name are checked."""
    (tmp_path / "roots").mkdir()
    for context in (tls_context(tmp_path / "roots"), tls_context(tmp_path / "none")):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
