"""Messages between this package and its engine (`sluice feed`): a header, a JSON head, raw bytes.

Both sides check everything, and a message that is wrong in any way ends the connection. This module only packs and
unpacks; _engine.py sends and receives.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from .errors import EngineError

PROTOCOL = 1
HEADER = struct.Struct("<4sHHIIQII")  # magic, version, kind, id, length of head, length of body, CRC-32, zero
MAX_HEAD = 64 << 20
MAX_BODY = 1 << 40
_MAGIC = b"sluf"
_FIRST = HEADER.size - 8  # the bytes before the CRC


class Kind(IntEnum):
    """Kinds of messages: up to 32 to the engine, above it from the engine."""

    HELLO = 1
    OPEN = 2
    RUN = 3
    STOP = 4
    GIVE = 5
    CHECK = 6
    APPLY = 7
    LABELS = 8
    DRAWS = 9
    STAGES = 10
    LEDGER = 11

    ENGINE_HELLO = 33
    PLAN = 34
    BATCH = 35
    END = 36
    ERROR = 37
    RESULT = 38
    WARN = 39
    PROGRESS = 40


class Header(NamedTuple):
    """A header that is all right by itself; its CRC is compared once the head is there, too."""

    kind: Kind
    id: int
    head: int
    body: int
    crc: int


class Message(NamedTuple):
    """A message as it was received: the JSON head, and the body, which nobody else holds."""

    kind: Kind
    id: int
    head: dict[str, Any]
    body: memoryview


def pack(kind: Kind, id: int, head: Mapping[str, Any], body: int = 0) -> bytes:
    """Header and head of a message; its body, of as many bytes, follows them."""
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode() if head else b"{}"
    if len(text) > MAX_HEAD:
        raise EngineError(f"a message of {len(text)} bytes is more than the engine takes ({MAX_HEAD})")
    first = HEADER.pack(_MAGIC, PROTOCOL, kind, id, len(text), body, 0, 0)[:_FIRST]
    return first + struct.pack("<II", zlib.crc32(text, zlib.crc32(first)), 0) + text


def unpack_header(data: bytes | bytearray | memoryview) -> Header:
    """Checks the 32 bytes of a header that came from the engine."""
    magic, version, kind, id, head, body, crc, zero = HEADER.unpack(data)
    if magic != _MAGIC:
        raise EngineError(f"the engine sent {bytes(data[:8])!r} where a message begins")
    if version != PROTOCOL:
        raise EngineError(
            f"the engine speaks version {version} of the protocol, this package version {PROTOCOL}: "
            "install a sluice and a sluicedata that belong together"
        )
    if not 33 <= kind <= 40:
        raise EngineError(f"the engine sent a message of kind {kind}, which there isn't")
    if not 2 <= head <= MAX_HEAD or body > MAX_BODY or zero != 0:
        raise EngineError(f"the engine sent a message with a damaged header: {bytes(data).hex()}")
    return Header(Kind(kind), id, head, body, crc)


def unpack_head(header: bytes | bytearray | memoryview, text: bytes | bytearray | memoryview) -> dict[str, Any]:
    """Checks header and head together, and reads the head."""
    crc = HEADER.unpack(header)[6]
    if zlib.crc32(text, zlib.crc32(header[:_FIRST])) != crc:
        raise EngineError("the engine sent a message whose checksum isn't that of its content")
    try:
        head = json.loads(bytes(text))
    except ValueError as error:
        raise EngineError(f"the engine sent a message that isn't JSON: {error}") from None
    if not isinstance(head, dict):
        raise EngineError("the engine sent a message that isn't a JSON object")
    return head
