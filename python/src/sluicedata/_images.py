"""Images as people have them, as the engine takes them: encoded files, or uint8 pixels."""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple

import numpy as np

from .errors import UsageError


class Given(NamedTuple):
    """An image on its way to the engine."""

    data: bytes | bytearray | memoryview
    shape: list[int] | None  # height, width, 3 or 1; None: an encoded file
    path: str  # where it was read from; "": it was not


def given(image: Any) -> Given:
    """An encoded file (bytes, or its path), a PIL image, an array (uint8 HWC or HW), or a tensor (uint8 CHW or HW).

    Raises UsageError for anything else, OSError where a path can't be read.
    """
    if isinstance(image, bytes | bytearray):
        return Given(image, None, "")
    if isinstance(image, memoryview):
        return Given(image.cast("B") if image.contiguous and image.ndim else image.tobytes(), None, "")
    if isinstance(image, str | os.PathLike):
        with open(image, "rb") as file:
            return Given(file.read(), None, os.fsdecode(image))
    if isinstance(image, np.ndarray):
        return _pixels(_checked(image, "array", ("height", "width")))
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(image, torch.Tensor):
        return _pixels(_of_tensor(image))
    pil = sys.modules.get("PIL.Image")
    if pil is not None and isinstance(image, pil.Image):
        return _pixels(_of_pil(image))
    raise UsageError(
        f"a {type(image).__name__} isn't an image: give an encoded file as bytes, its path, a PIL image, "
        "a NumPy array (uint8, HWC or HW), or a torch tensor (uint8, CHW or HW)"
    )


def _pixels(array: np.ndarray[Any, Any]) -> Given:
    """Of an array [height, width, 3 or 1]."""
    array = np.ascontiguousarray(array)
    return Given(array.reshape(-1).data, list(array.shape), "")


def _checked(array: np.ndarray[Any, Any], what: str, sides: tuple[str, str]) -> np.ndarray[Any, Any]:
    """As [height, width, 3 or 1]."""
    shape = tuple(array.shape)
    if array.dtype != np.uint8:
        raise UsageError(
            f"the {what} is of {array.dtype}: give uint8 pixels, 0 to 255, as decoded: to_tensor and normalize are stages"
        )
    if array.ndim == 4:
        raise UsageError(f"the {what} has four dimensions, {shape}: batch() takes several images")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        hint = ""
        if array.ndim == 3 and shape[2] == 4:
            hint = ": leave the alpha channel out, image[..., :3]"
        elif array.ndim == 3 and shape[0] in (1, 3):
            hint = ": channels come last in an array, np.moveaxis(image, 0, -1)"
        raise UsageError(
            f"the {what} has the shape {shape}: want [{', '.join(sides)}, 3 or 1] or [{', '.join(sides)}]{hint}"
        )
    if array.size == 0:
        raise UsageError(f"the {what} has no pixels: its shape is {shape}")
    return array


def _of_tensor(tensor: Any) -> np.ndarray[Any, Any]:
    shape = tuple(tensor.shape)
    if str(tensor.dtype) != "torch.uint8":
        raise UsageError(
            f"the tensor is of {tensor.dtype}: give uint8 pixels, 0 to 255, as decoded: to_tensor and normalize are stages"
        )
    if tensor.ndim == 4:
        raise UsageError(f"the tensor has four dimensions, {shape}: batch() takes several images, such as list(tensor)")
    if tensor.ndim not in (2, 3) or (tensor.ndim == 3 and shape[0] not in (1, 3)):
        hint = (
            ": channels come first in a tensor, image.permute(2, 0, 1)"
            if tensor.ndim == 3 and shape[2] in (1, 3)
            else ""
        )
        raise UsageError(f"the tensor has the shape {shape}: want [3 or 1, height, width] or [height, width]{hint}")
    tensor = tensor.detach().cpu()
    if tensor.ndim == 3:
        tensor = tensor.permute(1, 2, 0)
    return _checked(np.asarray(tensor), "tensor", ("height", "width"))


_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def _of_pil(image: Any) -> np.ndarray[Any, Any]:
    """Upright, as the engine makes pictures of files, in RGB or grey."""
    from PIL import ImageOps

    if image.mode in _DEEP:
        raise UsageError(
            f"the PIL image has the mode {image.mode}, whose range PIL doesn't know: give its file, or scale it to 8 bits"
        )
    image = ImageOps.exif_transpose(image)
    if image.mode not in ("RGB", "L"):
        image = image.convert("RGB")
    return _checked(np.asarray(image), "PIL image", ("height", "width"))
