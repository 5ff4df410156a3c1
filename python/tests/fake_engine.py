"""An engine that misbehaves: what `sluice feed` would be if it were of another version, damaged, stalled or killed.

Started as the engine is, with $FAKE_ENGINE naming a JSON file that tells what to do; see Behaviour. Where nothing is
said it does as the engine does, on pixels that are a function of epoch and batch alone. It packs and unpacks by itself, so that
what is tested isn't tested by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import struct
import sys
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

HEADER = struct.Struct("<4sHHIIQII")
HELLO, PLAN, BATCH, END, ERROR, RESULT, WARN = 33, 34, 35, 36, 37, 38, 39
SHAPE = [4, 6, 5, 3]
BYTES = 4 * 6 * 5 * 3
SLOT_BYTES = 4096


def pixels(epoch: int, batch: int) -> bytes:
    """The pixels of a batch, uint8 [4, 6, 5, 3]."""
    return random.Random(1000 * epoch + batch).randbytes(BYTES)


@dataclass
class Behaviour:
    """What a fake engine does.

    do happens at message number at, counted from 0 (HELLO is 0, PLAN 1, the first batch 2):
    garbage, version, kind, truncate, stall, exit, kill, close, flip (bits of the message, by seed), cut (bytes of it), twice, error, warn,
    and head, which replaces keys of the head by those of head.
    """

    columns: str = ""  # file of the columns of a batch
    do: str = ""
    at: int = 2
    seed: int = 0
    head: dict[str, Any] = field(default_factory=dict)
    hello: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    batches: int = 5
    slots: int = 4
    ring: str = "sealed"  # or unsealed, small, missing, none
    ignore_term: bool = False


def pack(kind: int, id: int, head: dict[str, Any], body: bytes = b"", version: int = 1) -> bytes:
    text = json.dumps(head).encode()
    first = HEADER.pack(b"sluf", version, kind, id, len(text), len(body), 0, 0)[:24]
    return first + struct.pack("<II", zlib.crc32(text, zlib.crc32(first)), 0) + text + body


class FakeEngine:
    def __init__(self, connection: socket.socket, behaviour: Behaviour) -> None:
        self.socket = connection
        self.is_to = behaviour
        self.sent = 0
        self.memory = -1
        self.free = list(range(behaviour.slots))
        self.held: set[int] = set()
        self.taken = self.run_sent = 0
        self.run: tuple[int, int, int, int] | None = None  # id, epoch, batch, end
        self.columns = b""
        if behaviour.columns:
            with open(behaviour.columns, "rb") as file:
                self.columns = file.read()

    def send(self, kind: int, id: int, head: dict[str, Any], body: bytes = b"", files: list[int] | None = None) -> None:
        is_to, at = self.is_to, self.sent
        self.sent += 1
        if at != is_to.at or not is_to.do:
            self.raw(pack(kind, id, head, body), files)
            return
        data = pack(kind, id, {**head, **is_to.head}, body)
        rng = random.Random(is_to.seed)
        match is_to.do:
            case "head":
                self.raw(data, files)
            case "garbage":
                self.raw(rng.randbytes(len(data)), files)
            case "version":
                self.raw(pack(kind, id, head, body, version=2), files)
            case "kind":
                self.raw(pack(77, id, head, body), files)
            case "truncate":
                self.raw(data[: rng.randrange(len(data))], files)
                os._exit(0)
            case "stall":
                self.raw(data[: rng.randrange(1, len(data))], files)
                time.sleep(1000)
            case "exit":
                os._exit(3)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "close":
                self.socket.close()
                time.sleep(1000)
            case "flip":
                damaged = bytearray(data)
                for _ in range(rng.randrange(1, 4)):
                    bit = rng.randrange(8 * len(damaged))
                    damaged[bit // 8] ^= 1 << bit % 8
                self.raw(bytes(damaged), files)
            case "cut":
                begin = rng.randrange(len(data))
                self.raw(data[:begin] + data[rng.randrange(begin, len(data)) :], files)
            case "twice":
                self.raw(data + data, files)
            case "error":
                self.raw(pack(ERROR, id, is_to.head), files)
            case "warn":
                self.raw(pack(WARN, 0, {"message": "a warning"}) + data, files)
            case other:
                raise ValueError(other)

    def raw(self, data: bytes, files: list[int] | None = None) -> None:
        if files:
            n = socket.send_fds(self.socket, [data], files)
            data = data[n:]
        self.socket.sendall(data)

    def receive(self) -> tuple[int, int, dict[str, Any], bytes]:
        magic, version, kind, id, head, body, crc, zero = HEADER.unpack(header := self.exactly(HEADER.size))
        text = self.exactly(head)
        assert (magic, version, zero) == (b"sluf", 1, 0) and crc == zlib.crc32(text, zlib.crc32(header[:24]))
        return kind, id, json.loads(text), self.exactly(body)

    def exactly(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                os._exit(0)
            data += part
        return data

    def serve(self) -> None:
        while True:
            while self.step():
                pass
            kind, id, head, _ = self.receive()
            match kind:
                case 1:
                    self.send(HELLO, id, {"protocol": 1, "version": "fake", "memfd": True, **self.is_to.hello})
                case 2:
                    self.plan(id, head)
                case 3:
                    self.run = (id, head["epoch"], head["batch"], head["epochs"])
                    self.taken = self.run_sent = 0
                case 4:
                    if self.run is not None and self.run[0] == id:
                        self.run = None
                        self.send(END, id, {"report": None, "stopped": True})
                case 5:
                    for slot in head["free"]:
                        self.held.remove(slot)  # KeyError: one that Python doesn't have
                        self.free.append(slot)
                    if self.run is not None and id == self.run[0]:
                        assert self.taken <= head["taken"] <= self.run_sent
                        self.taken = head["taken"]
                case 6:
                    self.send(RESULT, id, {"epoch": head["state"]["epoch"], "batch": head["state"]["batch"]})
                case 11:
                    self.raw(pack(RESULT, id, {"ledger": None}))

    def plan(self, id: int, head: dict[str, Any]) -> None:
        ring, files, is_to = "pipe", None, self.is_to
        if head["transport"] != "pipe" and is_to.ring != "none":
            import fcntl

            ring = "ring"
            self.memory = os.memfd_create("ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(self.memory, SLOT_BYTES * (is_to.slots - (is_to.ring == "small")))
            if is_to.ring != "unsealed":
                fcntl.fcntl(self.memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            files = None if is_to.ring == "missing" else [self.memory]
        columns = ["key", "image", "label.class", "weight", "epoch", "position", "source_index"]
        plan = {
            "plan": {
                "epochs": 0,
                "batches_per_epoch": is_to.batches,
                "columns": columns,
                "tasks": [{"name": "class", "classes": ["a"]}],
                "counts": [[4, 0]],
            },
            "text": "a plan",
            "state": {"plan_hash": "00", "epoch": 0, "batch": 0},
            "batches": is_to.batches,
            "variants_per_batch": 1,
            "transport": ring,
            "slots": is_to.slots if ring == "ring" else 0,
            "slot_bytes": SLOT_BYTES if ring == "ring" else 0,
            "warnings": [],
            **is_to.plan,
        }
        self.send(PLAN, id, plan, files=files)

    def step(self) -> bool:
        """Sends a batch, if there is one to be sent now."""
        if self.run is None or self.run_sent - self.taken >= 2:
            return False
        id, epoch, batch, end = self.run
        if end and epoch >= end:
            self.run = None
            self.send(END, id, {"report": {"rows": 1}, "stopped": False})
            return False
        after = [epoch, batch + 1] if batch + 1 < self.is_to.batches else [epoch + 1, 0]
        self.run = (id, after[0], after[1], end)
        image = {"dtype": "uint8", "layout": "hwc", "shape": SHAPE, "bytes": BYTES}
        slot, body = -1, self.columns
        if self.memory >= 0 and self.free:
            slot = self.free.pop()
            self.held.add(slot)
            os.pwrite(self.memory, pixels(epoch, batch), slot * SLOT_BYTES)
        else:
            body += pixels(epoch, batch)
        head = {
            "epoch": epoch,
            "number": batch,
            "variant": 0,
            "scale": 1.0,
            "rows": SHAPE[0],
            "next": after,
            "last": True,
            "slot": slot,
            "columns": len(self.columns),
            "image": image,
        }
        self.run_sent += 1
        self.send(BATCH, id, head, body)
        return True


def main() -> None:
    with open(os.environ["FAKE_ENGINE"]) as file:
        behaviour = Behaviour(**json.load(file))
    if sys.argv[1:2] != ["feed"] or "--fd" not in sys.argv:
        sys.exit(2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if behaviour.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        FakeEngine(connection, behaviour).serve()


if __name__ == "__main__":
    main()
