"""Pieces of HTML for notebooks."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST = 32  # pictures, or classes of a table


def pre(text: str) -> str:
    """A text as it stands."""
    return f'<pre style="line-height:1.25">{html.escape(text)}</pre>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table: the first column is text, the others are figures."""

    def cells(tag: str, row: Sequence[object]) -> str:
        return "".join(
            f'<{tag} style="text-align:{"right" if i else "left"}">{html.escape(str(c))}</{tag}>'
            for i, c in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"


def frame(page: str, height: int = 640) -> str:
    """A whole page in a frame of its own: its styles and scripts stay within."""
    return f'<iframe srcdoc="{html.escape(page)}" style="width:100%;height:{height}px;border:0" sandbox="allow-scripts"></iframe>'


def counts(tasks: dict[str, dict[str, int]], *others: dict[str, dict[str, int]], head: Sequence[str]) -> str:
    """Tables of the classes of each task, the commonest first, with a column for each dict; of many classes both ends."""
    out = []
    for task, classes in tasks.items():
        names = sorted(classes, key=lambda name: -classes[name])
        rows: list[Sequence[object]] = [
            (name or "(unknown)", classes[name], *(o.get(task, {}).get(name, 0) for o in others))
            for name in names
            if classes[name] or name
        ]
        if len(rows) > _MOST:
            rows[_MOST // 2 : -_MOST // 2] = [(f"... {len(rows) - _MOST} more", *[""] * len(head))]
        out.append(table((task, *head), rows))
    return "".join(out)


def batch(text: str, images: Any, labels: dict[str, Any], keys: Sequence[str]) -> str:
    """The first pictures of a batch, each with its class numbers, and its key where the pointer rests on it.

    images: [n, c, h, w] or a list of [c, h, w], of any library, or a list of files. labels: by task [n], or a list with [m] or None.
    """
    numbers = {
        task: ["?" if one is None else _array(one).tolist() for one in of] if isinstance(of, list) else _array(of)
        for task, of in labels.items()
    }
    out = [f"<p>{html.escape(text)}</p>"]
    for i, key in enumerate(keys[:_MOST]):
        image = images[i] if isinstance(images, list) else None
        if image is None:
            if not hasattr(images, "__getitem__"):  # DLPack alone
                images = _array(images)
            image = images[i]
        file = image if isinstance(image, bytes) else png(_shown(_array(image).transpose(1, 2, 0)))
        kind = "image/png" if file.startswith(b"\x89PNG") else "image/*"
        source = f"data:{kind};base64,{base64.b64encode(file).decode()}"
        caption = ", ".join(f"{task} {of[i]}" for task, of in numbers.items())
        out.append(
            f'<figure title="{html.escape(key)}" style="display:inline-block;margin:4px;text-align:center;vertical-align:top">'
            f'<img style="min-width:64px;max-width:256px" src="{source}"><figcaption style="font-size:80%">{html.escape(caption)}</figcaption></figure>'
        )
    if len(keys) > _MOST:
        out.append(f"<p>and {len(keys) - _MOST} more</p>")
    return "".join(out)


def _array(values: Any) -> npt.NDArray[Any]:
    """The values in NumPy."""
    if hasattr(values, "detach"):  # of torch, perhaps on a device
        values = values.detach().cpu().numpy()
    elif not isinstance(values, np.ndarray):
        values = np.from_dlpack(values)
    return np.asarray(values)


def _shown(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Values as a picture: normalized ones, of which there is no one way back, from their least to their greatest."""
    if image.dtype == np.uint8:
        return image.astype(np.uint8, copy=False)
    values = np.nan_to_num(image.astype(np.float32))
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    return ((values - low) * (255 / max(high - low, 1e-12)) + 0.5).astype(np.uint8)


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A PNG file of uint8 pixels [h, w, 3], [h, w, 1] or [h, w]."""
    h, w = pixels.shape[:2]
    rows = np.concatenate([np.zeros((h, 1), np.uint8), pixels.reshape(h, -1)], axis=1)  # filter 0 before each row

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    colour = 2 if pixels.ndim == 3 and pixels.shape[2] == 3 else 0
    header = struct.pack(">IIBBBBB", w, h, 8, colour, 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
