"""API keys by scope. A key is shown once; the store has its SHA-256, which is enough for 256 random bits."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, select, update

from serve.clock import now
from serve.store import writing
from serve.tables import api_key

SCOPES = ("read", "write", "simulate")
PREFIX = "carbonray"


class KeyFormatError(ValueError):
    """Something that is no key."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key as the store has it."""

    id: str
    name: str
    scopes: tuple[str, ...]
    sha256: str
    created_us: int
    revoked_us: int | None


def create(engine: Engine, name: str, scopes: Sequence[str]) -> str:
    """Make a key and store its hash.

    Returns:
        the key, which nobody can find again.
    """
    id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    values = {"id": id, "name": name, "scopes": ",".join(scopes), "sha256": _hash(secret), "created_us": now()}
    with writing(engine) as connection:
        connection.execute(api_key.insert().values(**values))
    return f"{PREFIX}_{id}_{secret}"


def take(engine: Engine, name: str, given: str) -> None:
    """Store a key of all scopes that was made elsewhere, such as a secret of a cluster; nothing if it came before.

    Raises:
        KeyFormatError: if it has another form than the keys made here.
    """
    if not re.fullmatch(rf"{PREFIX}_[0-9a-f]{{12}}_[A-Za-z0-9_-]{{32,}}", given):
        raise KeyFormatError(
            f"a key is {PREFIX}_ID_SECRET: 12 hexadecimal digits, and 32 letters, digits, - or _ or more"
        )
    _, id, secret = given.split("_", 2)
    values = {"id": id, "name": name, "scopes": ",".join(SCOPES), "sha256": _hash(secret), "created_us": now()}
    with writing(engine) as connection:
        if connection.execute(select(api_key.c.id).where(api_key.c.id == id)).first() is None:
            connection.execute(api_key.insert().values(**values))


def revoke(engine: Engine, id: str) -> bool:
    """End a key; whether there was one that had not ended."""
    ended = update(api_key).where(api_key.c.id == id, api_key.c.revoked_us.is_(None)).values(revoked_us=now())
    with writing(engine) as connection:
        return bool(connection.execute(ended).rowcount)


def listed(engine: Engine) -> list[Key]:
    """All keys, the oldest first."""
    with engine.connect() as connection:
        found = connection.execute(select(api_key).order_by(api_key.c.created_us)).all()
    return [Key(**{**row._mapping, "scopes": tuple(row.scopes.split(","))}) for row in found]


def any_valid(engine: Engine) -> bool:
    """Whether anybody has a key."""
    return any(key.revoked_us is None for key in listed(engine))


class Keyring:
    """Keys as a replica remembers them for some seconds."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        """Nothing remembered."""
        self._engine, self._seconds = engine, seconds
        self._keys: Mapping[str, Key] = {}
        self._ever = False
        self._read = -float("inf")

    @property
    def stale(self) -> bool:
        """Whether the store should be asked again."""
        return time.monotonic() - self._read > self._seconds

    def refresh(self) -> None:
        """Ask the store.

        Raises:
            SQLAlchemyError: if it does not answer.
        """
        keys = listed(self._engine)
        self._keys = {key.id: key for key in keys if key.revoked_us is None}
        self._ever, self._read = bool(keys), time.monotonic()

    @property
    def open(self) -> bool:
        """Whether no key was ever made, so that anybody on this machine may do anything."""
        return not self._ever

    def find(self, given: str) -> Key | None:
        """The valid key that was given."""
        prefix, _, rest = given.partition("_")
        id, _, secret = rest.partition("_")
        key = self._keys.get(id) if prefix == PREFIX else None
        return key if key is not None and hmac.compare_digest(key.sha256, _hash(secret)) else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
