"""The engine: a process of this object alone, and the socket to it.

An Engine is used until it ends; who wants to go on starts another. It ends with close(), with the last reference to
it, and with this process, however that ends. A forked child neither uses nor ends the engine of its parent.

Sending never waits: what the socket doesn't take stays in a queue, and goes while answers are waited for.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import __version__, _wire, errors
from ._binary import engine_path
from ._wire import Kind, Message

if TYPE_CHECKING:
    from ._ring import Blocks, Ring

logger = logging.getLogger("sluicedata")

STALL_SECONDS = 60.0
"""How long an engine may be silent in the middle of a message, or before it greets."""

_RELEASE = re.compile(r"v?\d+\.\d+\.\d+")  # a version of a release, not one that was built from sources
_GRACE_SECONDS = 1.5  # for an engine to end by itself once its socket is closed
_READ = 1 << 16


class Engine:
    """A running engine.

    request() is all that most users need; a loader also posts, and reads what comes of a run. One thread at a time reads: using is
    the lock of request().
    """

    def __init__(self) -> None:
        path = engine_path()
        ours, theirs = map(_above_standard, socket.socketpair())
        try:
            process = subprocess.Popen(
                [path, "feed", "--fd", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C is for Python to decide about, and comes before the engine could ignore it
            )
        except OSError as error:
            ours.close()
            raise errors.EngineError(f"the engine {path} cannot be started: {error}") from None
        finally:
            theirs.close()
        ours.setblocking(False)
        self.path = path
        self.pid = process.pid
        self.using = threading.RLock()
        self.ring: Ring | None = None  # where pixels lie, once a plan has come with one
        self.blocks: Blocks | None = None  # memory for pixels that come with the message
        self.progress: dict[str, Any] = {}  # the newest
        self.on_progress: Any = None
        self._socket = ours
        self._process = process
        self._ended = False
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)
        self._in = bytearray(_READ)
        self._view = memoryview(self._in)
        self._low = self._high = 0  # of what is buffered
        self._out: deque[bytes | bytearray | memoryview] = deque()
        self._sending = threading.Lock()
        self._torn = False  # in the middle of a send: for whoever was interrupted there
        self._ids = 0
        self._rights = False  # a file may come with the next bytes
        self._files: list[int] = []
        self._run = self._taken = self._told = 0
        self._freed: deque[int] = deque()
        self._kept: deque[Message] = deque()  # of a run, which came before an answer
        self.version = ""  # the engine's, once it has told it
        self._end = weakref.finalize(self, _end, ours, process, os.getpid())
        _engines.add(self)
        try:
            self._greet()
        except BaseException:
            self.close()
            raise

    def _greet(self) -> None:
        hello = {"protocol": _wire.PROTOCOL, "version": __version__}
        reply = self.request(Kind.HELLO, hello, timeout=STALL_SECONDS)
        if reply.kind is not Kind.ENGINE_HELLO or reply.head.get("protocol") != _wire.PROTOCOL:
            raise errors.EngineError(
                f"the engine {self.path} speaks protocol {reply.head.get('protocol')}, this package "
                f"({__version__}) protocol {_wire.PROTOCOL}: install a sluice and a sluicedata that belong together"
            )
        self.memfd = bool(reply.head.get("memfd"))
        self.version = str(reply.head.get("version", ""))

    # Its end

    @property
    def usable(self) -> bool:
        """Whether it can still be used: in this process, not closed, with no message torn."""
        return not self._ended and not self._torn

    def close(self) -> None:
        """Ends the engine and waits for it; what came from it stays valid."""
        self._ended = True
        self._end()
        for file in self._files:
            os.close(file)
        self._files.clear()

    def kill(self) -> None:
        """Ends the engine at once."""
        self._ended = True
        if self._process.returncode is None and self._end.alive:
            self._process.kill()
        self.close()

    def _forget(self) -> None:
        """In a forked child: the engine is the parent's."""
        self._ended = True
        self._end.detach()
        self._socket.close()
        self._process.returncode = 0  # else Popen warns of a process that isn't ours
        self.using = threading.RLock()
        self._sending = threading.Lock()

    def _lost(self, what: str) -> errors.EngineError:
        """The error of an engine that has gone, after it has been waited for."""
        if _exiting and threading.current_thread() is not threading.main_thread():
            threading.Event().wait()  # a daemon thread, while the interpreter ends: there is nobody to tell
        if self._ended:
            return errors.EngineError("the engine was closed while it was used")
        status: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(2)
        self.kill()
        if status is None:
            return errors.EngineError(what)
        if status < 0:
            name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
            why = ": is there enough memory? See the kernel's log" if -status == signal.SIGKILL else ""
            return errors.EngineError(f"the engine was ended by {name}{why}")
        return errors.EngineError(f"{what}: it ended with status {status}; its message is on the standard error")

    def _told_apart(self, error: errors.Error) -> errors.Error:
        """The error, with the versions where an engine of another release may not have understood what it was asked."""
        if (
            isinstance(error, errors.EngineError)
            and _RELEASE.fullmatch(self.version)
            and self.version.lstrip("v") != __version__
        ):
            error.add_note(
                f"the engine {self.path} is of version {self.version}, and this package of {__version__}: "
                "install a sluice and a sluicedata that belong together"
            )
        return error

    # Sending

    def request(
        self,
        kind: Kind,
        head: Mapping[str, Any],
        body: bytes | bytearray | memoryview = b"",
        timeout: float | None = None,
        keep: bool = False,
    ) -> Message:
        """Asks for something that is answered once, and waits for the answer.

        Raises what the engine answers with, and EngineError where it is gone. timeout is in seconds. What comes of a run meanwhile is
        dropped, or with keep, read afterwards.
        """
        with self.using:
            kept, self._kept = self._kept, deque()
            id = self.post(kind, head, body)
            end = None if timeout is None else time.monotonic() + timeout
            while True:
                self.wait(end)
                message = self.read()
                if message.id == id or (message.kind is Kind.ERROR and message.id == 0):
                    if message.kind is Kind.ERROR:
                        raise self._told_apart(errors.from_head(message.head))
                    break
                if keep and message.kind in (Kind.BATCH, Kind.END, Kind.ERROR):
                    kept.append(message)
                elif message.kind is Kind.BATCH:
                    self.drop(message)
            self._kept = kept
            return message

    def post(self, kind: Kind, head: Mapping[str, Any], body: bytes | bytearray | memoryview = b"") -> int:
        """Sends a message, and returns the new id that it has."""
        if self._ended:
            raise errors.EngineError("the engine has been closed")
        self._ids += 1
        if kind is Kind.OPEN:
            self._rights = True
        first = _wire.pack(kind, self._ids, head, len(body))
        self._out.extend([first, body] if len(body) else [first])
        self._flush()
        return self._ids

    @property
    def next_id(self) -> int:
        """The id that the next message posted will have."""
        return self._ids + 1

    def drain(self) -> None:
        """Sends all that is queued, and waits until the engine has taken it; beside a thread that reads."""
        self._flush()
        if not self._out:
            return
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        while self._out and not self._ended and self._process.poll() is None:
            poll.poll(1000)
            self._flush()

    def stop(self, run: int) -> None:
        """Ends a run; what is on its way still comes."""
        if not self._ended:
            self._out.append(_wire.pack(Kind.STOP, run, {}))
            self._flush()

    def begin(self, run: int) -> None:
        """Counts the batches of a run from here on."""
        self._run, self._taken, self._told = run, 0, 0

    def took(self) -> None:
        """Counts a batch as taken, of which the engine is told by tell()."""
        self._taken += 1

    @property
    def taken(self) -> int:
        """How many batches of the run, or scales of them, were taken."""
        return self._taken

    def tell(self) -> None:
        """Tells the engine of batches that were taken, and gives it the slots back that are free."""
        if self.ring is not None and self.ring.dead:
            self._freed.extend(self.ring.freed())
        if self._told != self._taken or self._freed:
            self._flush()

    def drop(self, batch: Message) -> None:
        """Gives the slot of a batch back that nobody wants."""
        if self.ring is not None and batch.head.get("slot", -1) >= 0:
            self._freed.append(batch.head["slot"])

    def _flush(self) -> None:
        """Sends what is queued, as far as that goes without waiting."""
        while self._out or self._freed or self._told != self._taken:
            if self._ended or not self._sending.acquire(blocking=False):
                return  # whoever has it looks again afterwards
            try:
                if not self._out:
                    self._told = self._taken
                    give = {"taken": self._taken, "free": [self._freed.popleft() for _ in range(len(self._freed))]}
                    self._out.append(_wire.pack(Kind.GIVE, self._run, give))
                data = self._out[0]
                self._torn = True
                try:
                    sent = self._socket.send(data)
                except BlockingIOError:
                    self._torn = False
                    return
                except OSError:
                    self._torn = False
                    self._out.clear()
                    self._freed.clear()
                    self._told = self._taken
                    return  # the next read says what has become of the engine
                if sent == len(data):
                    self._out.popleft()
                else:
                    self._out[0] = memoryview(data)[sent:]
                self._torn = False
            finally:
                self._sending.release()

    # Receiving

    def wait(self, end: float | None = None) -> None:
        """Waits until the engine says something; an exception in here, such as KeyboardInterrupt, leaves all as it was."""
        if self._kept or self._low < self._high:
            return
        while not self._ready(1.0):
            if end is not None and time.monotonic() > end:
                self.kill()
                raise errors.EngineError(f"the engine {self.path} doesn't answer")

    def _ready(self, seconds: float) -> bool:
        """Whether there is something to read within a time; sends meanwhile what couldn't be sent before."""
        if self._ended:
            raise self._lost("the engine has been closed")
        self.tell()
        self._flush()
        events = select.POLLIN | (select.POLLOUT if self._out else 0)
        try:
            self._poll.modify(self._socket, events)
            ready = self._poll.poll(1000 * seconds)
        except (OSError, ValueError):
            raise self._lost("the engine has been closed") from None
        if not ready and self._process.poll() is not None:
            # Its end of the socket may have been inherited by a process that was forked meanwhile.
            raise self._lost("the engine has ended before its time")
        return any(event & ~select.POLLOUT for _, event in ready)

    def read(self) -> Message:
        """Reads the message that wait() has seen come. Warnings and progress are acted on, and returned too.

        Whatever goes wrong in here ends the engine: nobody would know where the next message begins.
        """
        if self._kept:
            return self._kept.popleft()
        try:
            self._need(_wire.HEADER.size)
            header = _wire.unpack_header(self._view[self._low : self._low + _wire.HEADER.size])
            self._need(_wire.HEADER.size + header.head)
            body_at = self._low + _wire.HEADER.size + header.head
            head = _wire.unpack_head(
                self._view[self._low : self._low + _wire.HEADER.size],
                self._view[self._low + _wire.HEADER.size : body_at],
            )
            self._low = body_at
            if header.body == 0:
                body = _NOTHING
            elif header.kind in _PIXELS and self.blocks is not None and header.body >= _READ:
                body = self.blocks.take(header.body)
                self._into(body)
            else:
                body = self._body(header.body)
            message = Message(header.kind, header.id, head, body)
            if message.kind is Kind.PLAN:
                self._rights = False
            elif message.kind is Kind.WARN:
                logger.warning("%s", head.get("message"))
            elif message.kind is Kind.PROGRESS:
                self.progress = head
                if self.on_progress is not None:
                    self.on_progress(head)
            return message
        except BaseException:
            self.kill()
            raise

    def file(self) -> int | None:
        """The file that came with the plan: the caller's from now on."""
        return self._files.pop() if self._files else None

    def _need(self, size: int) -> None:
        """Buffers as many bytes."""
        if self._low == self._high:
            self._low = self._high = 0
        if size > len(self._in) - self._low:
            old = self._view[self._low : self._high]
            fresh = bytearray(max(_READ, size + _READ // 2))
            fresh[: len(old)] = old
            self._in, self._view, self._low, self._high = fresh, memoryview(fresh), 0, len(old)
        while self._high - self._low < size:
            self._high += self._receive(self._view[self._high :])

    def _body(self, size: int) -> memoryview:
        """Reads a body into memory of its own, which grows only as the bytes come."""
        step = 64 << 20
        if size <= step:
            body = memoryview(bytearray(size))
            self._into(body)
            return body
        whole = bytearray()
        while len(whole) < size:
            part = memoryview(bytearray(min(step, size - len(whole))))
            self._into(part)
            whole += part
        return memoryview(whole)

    def _into(self, body: memoryview) -> None:
        have = min(self._high - self._low, len(body))
        body[:have] = self._view[self._low : self._low + have]
        self._low += have
        if self._low == self._high:
            self._low = self._high = 0
        while have < len(body):
            have += self._receive(body[have:])

    def _receive(self, into: memoryview) -> int:
        """Reads some bytes, at least one."""
        last = 0.0
        while True:
            try:
                if self._rights:
                    size, ancillary, _, _ = self._socket.recvmsg_into([into], socket.CMSG_SPACE(4), _CLOEXEC)
                    for level, kind, data in ancillary:
                        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                            self._files.append(int.from_bytes(data[:4], "little"))
                else:
                    size = self._socket.recv_into(into)
            except BlockingIOError:
                now = time.monotonic()
                last = last or now
                if now - last > STALL_SECONDS:
                    raise self._lost(
                        f"the engine has said nothing for {STALL_SECONDS:.0f} s in the middle of a message"
                    ) from None
                self._ready(min(1.0, STALL_SECONDS))
                continue
            except OSError:
                size = 0
            if size == 0:
                raise self._lost("the engine has ended before its time")
            return size


_NOTHING = memoryview(b"")
_PIXELS = (Kind.BATCH, Kind.RESULT)  # kinds whose bodies go into blocks
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_exiting = False


def _end(connection: socket.socket, process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner:
        return
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _above_standard(end: socket.socket) -> socket.socket:
    """The same end on a descriptor that isn't one of the standard three: in a process that has closed them it could be, and
    Popen would put another file in its place."""
    if end.fileno() > 2:
        return end
    import fcntl

    with end:
        return socket.socket(fileno=fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3))


def _forget_all() -> None:
    for engine in list(_engines):
        engine._forget()


def _note_exit() -> None:
    global _exiting
    _exiting = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
# Runs before the engines are ended: weakref registers its own function at the first finalizer, thus earlier.
weakref.finalize(_note_exit, lambda: None).atexit = False
atexit.register(_note_exit)
