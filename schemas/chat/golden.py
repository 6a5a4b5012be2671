#!/usr/bin/env python3
"""Makes the golden bytes of the chat's sealed copies and key file a second time, from their description alone.

    python3 schemas/chat/golden.py          compares with the files beside this one
Needs the package `cryptography`. XChaCha20-Poly1305 is built from HChaCha20 (draft-irtf-cfrg-xchacha-03, section 2.2)
and the package's ChaCha20-Poly1305, so that nothing here is shared with the box's own code.
"""
import hashlib
import hmac
import pathlib
import struct
import sys
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = pathlib.Path(__file__).parent
MASK = 0xFFFFFFFF


class Seeded:
    """The tests' generator: SplitMix64, whole words."""

    def __init__(self, seed):
        self.state = seed

    def bytes(self, length):
        out = b""
        while len(out) < length:
            self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
            z = self.state
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
            out += struct.pack("<Q", z ^ (z >> 31))
        return out[:length]


def hchacha20(key, nonce16):
    s = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", nonce16))

    def turn(a, b, c, d):
        for x, y, z, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & MASK
            s[z] ^= s[x]
            s[z] = ((s[z] << by) | (s[z] >> (32 - by))) & MASK

    for _ in range(10):
        for column in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
            turn(*column)
        for diagonal in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            turn(*diagonal)
    return struct.pack("<8I", *(s[:4] + s[12:]))


def seal(key, random, associated, plain):
    nonce = random.bytes(24)
    cipher = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    return nonce + cipher.encrypt(b"\0\0\0\0" + nonce[16:], plain, associated)


def key_form(text):
    """An id within a key: a UUID as its bytes, anything else as text with an end."""
    try:
        return b"\x01" + uuid.UUID(text).bytes
    except ValueError:
        return b"\x02" + text.encode() + b"\0"


def parts(*items):
    return b"".join(struct.pack(">I", len(item)) + item for item in items)


BOX = uuid.UUID("019ab3c0-0000-7000-8000-000000000001")
CONVERSATION = "019ab3c0-0000-7000-8000-000000000002"
MESSAGE = "019ab3c0-0000-7000-8000-000000000003"
SENDER = "old-user-17"
CREATED = 1_795_341_600_123_456
ARCHIVE = b"\x02"


def sealed():
    random = Seeded(42)
    bucket_id, bucket_key = b"\x03" * 16, b"\x67" * 32
    client, body = b"client-1", "Oya, make we play. \U0001F0CF".encode()
    rest = (BOX.bytes, key_form(CONVERSATION), key_form(MESSAGE), key_form(SENDER), ARCHIVE, struct.pack(">q", CREATED))
    key_id, copy_key = random.bytes(16), random.bytes(32)
    wrapped = seal(bucket_key, random, parts(b"whotbox/chat/key", b"\x01", bucket_id, key_id, *rest), copy_key)
    padded = bytes([len(client)]) + client + struct.pack(">H", len(body)) + body
    padded += b"\0" * (-len(padded) % 64)
    return b"\x01" + key_id + wrapped + seal(copy_key, random, parts(b"whotbox/chat/body", b"\x01", key_id, *rest), padded)


def derive(label):
    return HKDF(hashes.SHA256(), 32, None, label.encode()).derive(b"\x01" * 32)


def key_file():
    random, version = Seeded(43), struct.pack(">I", 1)
    check = hmac.new(derive("whotbox/check"), digestmod=hashlib.sha256)
    for part in (b"whotbox/key-file", BOX.bytes):
        check.update(struct.pack(">Q", len(part)) + part)
    out = b"WBKEYS\x01" + BOX.bytes + version + check.digest() + struct.pack(">I", 3)
    kinds = (b"\x01" + key_form(CONVERSATION), b"\x02" + struct.pack(">I", 20_870), b"\x03" + key_form("old-17"))
    for n, kind in enumerate(kinds, 1):
        head = bytes([n]) * 16 + struct.pack(">q", 1_795_341_600_000_000 + n) + bytes([len(kind)]) + kind
        bound = b"whotbox/chat/bucket\x01" + BOX.bytes + version + head
        out += head + seal(derive("whotbox/kek/chat/v1"), random, bound, bytes([n + 100]) * 32)
    return out + hmac.digest(derive("whotbox/key-file"), out, "sha256")


different = [
    name
    for name, make in (("sealed.v1.hex", sealed), ("keyfile.v1.hex", key_file))
    if (HERE / name).read_text().strip() != make().hex()
]
print("\n".join(f"{name} differs" for name in different) or "both are the same")
sys.exit(bool(different))
