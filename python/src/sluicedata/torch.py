"""What a PyTorch model needs beside a Loader."""

from collections.abc import Callable, Sequence  # annotations are evaluated here: torch.jit.script reads them
from typing import Literal, Self

import torch

from .errors import UsageError

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Normalize"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""The mean of ImageNet's training set by channel, of values in 0..1, that torchvision's models were trained with."""

IMAGENET_STD = (0.229, 0.224, 0.225)
"""The standard deviation to IMAGENET_MEAN."""


class Normalize(torch.nn.Module):
    """Turns uint8 pixels into normalized floats, (v / 255 - mean) / std, on the device that they are on.

    A pipeline without ``to_tensor`` and ``normalize`` delivers uint8, a quarter of the bytes of float32 to move to a GPU; this module, at
    the head of a model or in front of it, is what they would have done, and torchvision's ``to_tensor`` and ``normalize``.

    mean and std are of values in 0..1: a number for each channel, one number for all, or ``"imagenet"``. dtype is that of the
    result; the arithmetic is in float32. The module has no parameters, its buffers aren't part of a model's
    state_dict, and they stay float32 where a model is made half().

    Input: uint8 [N, C, H, W] or [C, H, W]; output of the same shape and memory format (channels_last stays channels_last). On a
    CPU the result is that of the stages bit for bit; compiled or on a GPU it may differ by 4e-7 of the larger of 1 and the value,
    a few units in float32's last place.

    Raises UsageError for impossible figures, TypeError for pixels that aren't uint8. It can be compiled, scripted and exported.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        mean: float | Sequence[float] | Literal["imagenet"] = "imagenet",
        std: float | Sequence[float] | Literal["imagenet"] = "imagenet",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if not dtype.is_floating_point:
            raise UsageError(f"dtype={dtype}: want torch.float32, float16 or bfloat16")
        means = _figures("mean", IMAGENET_MEAN if isinstance(mean, str) and mean == "imagenet" else mean)
        stds = _figures("std", IMAGENET_STD if isinstance(std, str) and std == "imagenet" else std)
        if len(means) != len(stds) and 1 not in (len(means), len(stds)):
            raise UsageError(f"mean has {len(means)} channels and std {len(stds)}")
        if min(stds) == 0:
            raise UsageError(f"std={std!r} divides by zero: a constant channel cannot be normalized")
        self.dtype = dtype
        self.register_buffer("mean", torch.tensor(means, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(stds, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        self._figures = (means, stds)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call, unused-ignore]  # to(), half(), cuda()
        for buffer, figures in zip(("mean", "std"), self._figures, strict=True):
            device = getattr(self, buffer).device
            if device.type != "meta":  # of which nothing is known yet
                setattr(self, buffer, torch.tensor(figures, dtype=torch.float32, device=device).view(-1, 1, 1))
        return self

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Pixels as floats."""
        if image.dtype != torch.uint8:
            raise TypeError(
                "Normalize takes uint8 pixels: leave to_tensor and normalize out of the pipeline, or this module out of the model"
            )
        pixels = image.to(torch.float32)  # new memory, once: a batch's fresh pages cost more than its arithmetic
        return pixels.div_(255.0).sub_(self.mean).div_(self.std).to(self.dtype)

    def extra_repr(self) -> str:
        """mean and std, for print(model)."""
        means, stds = self._figures
        return f"mean={means}, std={stds}, dtype={self.dtype}"


def _figures(name: str, given: float | Sequence[float]) -> list[float]:
    """The figures of the channels, in 0..1."""
    if isinstance(given, str):
        raise UsageError(f'{name}={given!r}: want "imagenet", a number, or one for each channel')
    figures = [float(v) for v in given] if isinstance(given, Sequence) else [float(given)]
    if not figures:
        raise UsageError(f"{name}={given!r}: want a number for each channel")
    for v in figures:
        if not 0 <= v <= 1:
            raise UsageError(f"{name}: {v:g} is not in 0..1: divide figures of values 0..255 by 255")
    return figures
