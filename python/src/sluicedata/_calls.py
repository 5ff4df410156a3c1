"""Requests to one engine from several threads at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import Any

from . import errors
from ._engine import Engine
from ._wire import Kind, Message

_LOOK_AGAIN = 0.2  # seconds, for a thread that nobody has woken, as whoever should have was interrupted


class _Waiter:
    """A thread that waits for an answer. Its gate opens when the answer is there, and when it is its turn to read."""

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.answer: Message | None = None

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is awake
            self.gate.release()


class Calls:
    """Requests that are under way beside each other; one of the threads that wait reads, for itself and for the others.

    Locks are held by `with` alone: an exception of a signal handler finds no gap there.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sending = threading.Lock()
        self._reading = threading.Lock()
        self._waiting: dict[int, _Waiter] = {}

    def ask(self, kind: Kind, head: Mapping[str, Any], body: bytes | bytearray | memoryview = b"") -> Message:
        """Asks for something that is answered once, and waits for the answer.

        Raises what the engine answers with, and EngineError where it is gone. An interrupt ends the engine: a message may
        have been torn.
        """
        engine, waiter, id = self.engine, _Waiter(), 0
        try:
            with self._sending:
                id = engine.next_id  # known before the answer can come
                self._waiting[id] = waiter
                engine.post(kind, head, body)
                engine.drain()  # whoever reads may be asleep
            message = self._answer(waiter)
        except errors.Error:
            raise
        except BaseException as error:
            gone = not engine.usable
            engine.kill()
            if gone and isinstance(error, OSError | ValueError):
                raise errors.EngineError("the engine was ended while it was used") from None
            raise
        finally:
            self._waiting.pop(id, None)
            for other in list(self._waiting.values()):
                if other.answer is None:
                    other.wake()  # its turn to read
                    break
        if message.kind is Kind.ERROR:
            raise errors.from_head(message.head)
        return message

    def _answer(self, waiter: _Waiter) -> Message:
        while waiter.answer is None:
            if self._reading.locked():
                waiter.gate.acquire(timeout=_LOOK_AGAIN)
                continue
            with self._reading:
                while waiter.answer is None:
                    self.engine.wait()
                    self._hand_out(self.engine.read())
        return waiter.answer

    def _hand_out(self, message: Message) -> None:
        if message.kind is Kind.ERROR and message.id == 0:  # the session is over
            for waiter in list(self._waiting.values()):
                waiter.answer = message
                waiter.wake()
        elif message.kind in (Kind.RESULT, Kind.ERROR) and (one := self._waiting.get(message.id)) is not None:
            one.answer = message
            one.wake()
