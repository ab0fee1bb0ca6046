"""What MySQL keeps of a password, so that the server is never given the password itself. Pure.

`caching_sha2_password` stores `$A$005$`, a salt of 20 characters and the SHA-256 crypt of the password in 5,000 rounds
(MySQL source, `sql/auth/sha2_password.cc`; Drepper, "Unix crypt using SHA-256 and SHA-512").
"""

import hashlib

ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ROUNDS, SALT_LENGTH = 5000, 20
# Which bytes of the digest make each four characters (Drepper, step 22 e).
_ORDER = (
    *((0, 10, 20), (21, 1, 11), (12, 22, 2), (3, 13, 23), (24, 4, 14)),
    *((15, 25, 5), (6, 16, 26), (27, 7, 17), (18, 28, 8), (9, 19, 29)),
)


def verifier(password: str, salt: str) -> str:
    """What `CREATE USER … IDENTIFIED WITH caching_sha2_password AS` takes for a password. `salt`: of `salt_of`."""
    return f"$A${ROUNDS // 1000:03}${salt}{sha256_crypt(password.encode(), salt.encode())}"


def salt_of(seed: str, user: str) -> str:
    """A salt for each user, from one secret seed: the same in each update, so that nothing changes by itself."""
    digest = hashlib.sha256(f"{seed}/{user}".encode()).digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:SALT_LENGTH])


def sha256_crypt(password: bytes, salt: bytes) -> str:
    """The 43 characters of SHA-256 crypt, in Drepper's steps."""
    inner = hashlib.sha256(password + salt + password).digest()
    first = hashlib.sha256(password + salt + _filled(inner, len(password)))
    bits = len(password)
    while bits:
        first.update(inner if bits & 1 else password)
        bits >>= 1
    digest = first.digest()
    secret = _filled(hashlib.sha256(password * len(password)).digest(), len(password))
    salted = _filled(hashlib.sha256(salt * (16 + digest[0])).digest(), len(salt))
    for index in range(ROUNDS):
        odd = index & 1
        text = (secret if odd else digest) + (salted if index % 3 else b"") + (secret if index % 7 else b"")
        digest = hashlib.sha256(text + (digest if odd else secret)).digest()
    found = "".join(_characters(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _ORDER)
    return found + _characters(digest[31] << 8 | digest[30], 3)


def _filled(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _characters(value: int, count: int) -> str:
    return "".join(ALPHABET[value >> 6 * index & 63] for index in range(count))
