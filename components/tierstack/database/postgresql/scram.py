"""SCRAM-SHA-256 verifiers: what a server keeps of a password (RFC 5802, RFC 7677). Pure.

The server and the pooler get the verifier only. It proves who knows the password and lets nobody log in by itself;
the pooler passes on what a client has proven, because both keep the same salt and iterations (PgBouncer's manual,
`auth_file`).
"""

import base64
import hashlib
import hmac

ITERATIONS = 4096
"""PostgreSQL's default (scram_iterations). Ours are random passwords of 190 bits, which need no stretching."""


def salt_of(seed: str, role: str) -> bytes:
    """The salt of a role, from a seed that all roles share."""
    return hmac.digest(seed.encode(), role.encode(), "sha256")[:16]


def verifier(password: str, salt: bytes) -> str:
    """The verifier of `password` as PostgreSQL stores it (manual, "pg_authid", rolpassword)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    text = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${ITERATIONS}:{text[0]}${text[1]}:{text[2]}"
