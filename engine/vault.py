"""Personal data at rest: each person has a key of their own, wrapped by the master key.

Erasing a person destroys their key: what was sealed with it, in any table or backup made
afterwards, cannot be read again, while rows that only refer to the person stay whole.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.tables import Person

NONCE_BYTES = 12
KEY_BYTES = 32


class Erased(Exception):
    """This person's data was erased: there is no key any more."""


class WrongSecret(Exception):
    """The sealed bytes do not open: another DUNWELL_SECRET_KEY, or the bytes were changed."""


class Vault:
    """Seals and opens personal data.

    Args:
        secret_key: the secret of the settings; the master key is derived from it.
    """

    def __init__(self, secret_key: str) -> None:
        self._master = _derived(secret_key, b"dunwell persons 1")
        self._files = _derived(secret_key, b"dunwell files 1")

    def create_person(self, values: Mapping[str, Any]) -> Person:
        """Store a person (name, email, phone, address) sealed with a new key."""
        sealed, key_sealed = self.seal_anew(values)
        person: Person = Person.create(sealed=sealed, key_sealed=key_sealed)
        return person

    def seal_anew(self, values: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """Seal what is known of a person with a new key: both columns of their row."""
        key = AESGCM.generate_key(bit_length=8 * KEY_BYTES)
        return _seal(AESGCM(key), _encode(values)), _seal(self._master, key)

    def open_person(self, person: Person) -> dict[str, Any] | None:
        """What is known of a person, or None when they were erased."""
        if person.key_sealed is None:
            return None
        return self.open(person, person.sealed)

    def reseal_person(self, person: Person, values: Mapping[str, Any]) -> None:
        """Replace what is known of a person, under the same key."""
        Person.update(sealed=self.seal(person, values)).where(Person.id == person.id).execute()

    def seal(self, person: Person, values: Mapping[str, Any]) -> bytes:
        """Seal any JSON values (a message, for one) with the person's key.

        Raises:
            Erased: the person's key is gone.
        """
        return _seal(self._key(person), _encode(values))

    def open(self, person: Person, sealed: bytes) -> dict[str, Any]:
        """Open what ``seal`` gave.

        Raises:
            Erased: the person's key is gone.
            WrongSecret: the bytes or the secret are not the ones it was sealed with.
        """
        opened: dict[str, Any] = json.loads(_open(self._key(person), bytes(sealed)))
        return opened

    def seal_file(self, content: bytes) -> bytes:
        """Seal a file that is no person's own."""
        return _seal(self._files, content)

    def open_file(self, sealed: bytes, sha256: str) -> bytes:
        """Open what ``seal_file`` gave, and make sure that it is the file of that name.

        Raises:
            WrongSecret: it is sealed with another secret, or is another file.
        """
        content = _open(self._files, bytes(sealed))
        if hashlib.sha256(content).hexdigest() != sha256:
            raise WrongSecret("a kept file is not the one its name says")
        return content

    def erase(self, person: Person, at: int) -> None:
        """Destroy the person's key and what was sealed in their row."""
        Person.update(sealed=b"", key_sealed=None, erased_at=at).where(Person.id == person.id).execute()

    def _key(self, person: Person) -> AESGCM:
        if person.key_sealed is None:
            raise Erased(f"person {person.id} was erased")
        return AESGCM(_open(self._master, bytes(person.key_sealed)))


def _derived(secret_key: str, purpose: bytes) -> AESGCM:
    derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose)
    return AESGCM(derive.derive(secret_key.encode()))


def _encode(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, sort_keys=True).encode()


def _seal(key: AESGCM, plain: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, None)


def _open(key: AESGCM, sealed: bytes) -> bytes:
    try:
        return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
    except (InvalidTag, ValueError) as error:
        raise WrongSecret("sealed bytes do not open with this DUNWELL_SECRET_KEY") from error
