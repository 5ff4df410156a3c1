"""Requests to one engine from several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from . import errors
from ._engine import Engine
from ._wire import Kind, Message


class Calls:
    """Requests that are under way beside each other; whichever thread waits reads, for itself and for the others."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sending = threading.Lock()
        self._change = threading.Condition()
        self._reading = False
        self._answers: dict[int, Message | None] = {}  # of those that somebody waits for; None: not yet

    def ask(self, kind: Kind, head: Mapping[str, Any], body: bytes | bytearray | memoryview = b"") -> Message:
        """Asks for something that is answered once, and waits for the answer.

        Raises what the engine answers with, and EngineError where it is gone.
        """
        engine = self.engine
        with self._sending:
            # Nobody can have the answer before this thread has said that it waits: it is added under the lock.
            with self._change:
                id = engine.post(kind, head, body)
                self._answers[id] = None
            engine.drain()  # whoever reads may be asleep
        try:
            message = self._wait(id)
        finally:
            with self._change:
                self._answers.pop(id, None)
        if message.kind is Kind.ERROR:
            raise errors.from_head(message.head)
        return message

    def _wait(self, id: int) -> Message:
        while True:
            with self._change:
                while self._answers[id] is None and self._reading:
                    self._change.wait()
                if (answer := self._answers[id]) is not None:
                    return answer
                self._reading = True
            message = None
            try:
                self.engine.wait()
                message = self.engine.read()
            finally:
                with self._change:
                    self._reading = False
                    if message is not None:
                        if message.kind is Kind.ERROR and message.id == 0:  # the session is over
                            self._answers = dict.fromkeys(self._answers, message)
                        elif message.id in self._answers:
                            self._answers[message.id] = message
                    self._change.notify_all()
