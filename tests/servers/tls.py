"""A certificate authority for tests, with a server's and a client's certificate, as PEM files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files.

    Attributes:
        authority: the certificate to trust (`SSL_CERT_FILE`).
        server: key and chain for localhost and 127.0.0.1 in one file, and apart as `server_key`, `server_chain`.
        client: key and chain of a client, in one file.
        stranger: an authority that signed none of them.
    """

    authority: Path
    server: Path
    server_key: Path
    server_chain: Path
    client: Path
    stranger: Path

    def server_context(self, *, client_certificate: bool = False) -> ssl.SSLContext:
        """To wrap a server's sockets; with `client_certificate` clients must show one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        if client_certificate:
            context.load_verify_locations(self.authority)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(self, *, client_certificate: bool = False) -> ssl.SSLContext:
        """To connect to such a server."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if client_certificate:
            context.load_cert_chain(self.client)
        return context


def make_certificates(directory: Path) -> Certificates:
    """Issue all of them into `directory`."""
    authority = trustme.CA()
    server, client = authority.issue_cert("localhost", "*.localhost", "127.0.0.1"), authority.issue_cert("client@test")
    files = Certificates(*(directory / f"{name}.pem" for name in (
        "authority", "server", "server-key", "server-chain", "client", "stranger")))
    authority.cert_pem.write_to_path(files.authority)
    server.private_key_and_cert_chain_pem.write_to_path(files.server)
    server.private_key_pem.write_to_path(files.server_key)
    for certificate in server.cert_chain_pems:
        certificate.write_to_path(files.server_chain, append=True)
    client.private_key_and_cert_chain_pem.write_to_path(files.client)
    trustme.CA().cert_pem.write_to_path(files.stranger)
    return files
