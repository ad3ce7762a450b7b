"""A certificate for 127.0.0.1 and its authority, made by trustme or by the openssl program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_EXTENSIONS = "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n"


def issue(directory: Path) -> str:
    """Write server.pem, server.key and ca.pem; return the path of ca.pem."""
    try:
        import trustme
    except ImportError:
        _by_openssl(directory)
    else:
        authority = trustme.CA()
        leaf = authority.issue_cert("127.0.0.1", "localhost")
        leaf.private_key_pem.write_to_path(directory / "server.key")
        (directory / "server.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        authority.cert_pem.write_to_path(directory / "ca.pem")
    return str(directory / "ca.pem")


def _by_openssl(directory: Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise RuntimeError("TLS wants the package trustme or the program openssl")

    def openssl(*arguments: str) -> None:
        subprocess.run([program, *arguments], cwd=directory, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=benchmarks", "-days", "30")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    (directory / "server.ext").write_text(_EXTENSIONS)
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "30", "-extfile", "server.ext", "-out", "server.pem")
