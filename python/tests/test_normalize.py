"""sluicedata.torch.Normalize beside the engine's stages and torchvision's functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluicedata import Loader, UsageError

torch = pytest.importorskip("torch")

MEANS: dict[str, Any] = {"imagenet": ("imagenet", "imagenet"), "given": ([0.5, 0.25, 0.1], [0.5, 0.3, 0.01])}
"""Figures, as stages and modules take them."""


def every_value() -> Any:
    """All 256 values in each channel, uint8 [2, 3, 16, 8], channels_last as a Loader's."""
    values = torch.arange(256, dtype=torch.uint8).view(2, 16, 8, 1).expand(2, 16, 8, 3).contiguous()
    return values.permute(0, 3, 1, 2)


@pytest.mark.parametrize("figures", MEANS)
def test_is_the_stages(make_folder: Callable[..., Path], figures: str) -> None:
    from sluicedata.torch import Normalize

    mean, std = MEANS[figures]
    folder = make_folder({"cat": 5, "dog": 4})
    source = {"folder": {"path": str(folder), "tasks": ["class"]}}
    pixels = ["decode", {"random_resized_crop": {"size": 24}}]
    batch = {"batch": {"size": 4}}
    normalize = {"normalize": {"mean": mean, "std": std}}
    with (
        Loader({"version": 1, "source": source, "stages": [*pixels, batch]}) as uint8,
        Loader({"version": 1, "source": source, "stages": [*pixels, "to_tensor", normalize, batch]}) as floats,
    ):
        module, seen = Normalize(mean, std), 0
        for (image, label), (want, want_label) in zip(uint8, floats, strict=True):
            got = module(image)
            assert got.dtype == want.dtype == torch.float32 and got.shape == want.shape
            assert torch.equal(got, want), "bit for bit"
            assert torch.equal(label, want_label)
            seen += len(image)
        assert seen == 9


def test_is_torchvision() -> None:
    v1 = pytest.importorskip("torchvision.transforms.functional")
    from torchvision.transforms.v2 import functional as v2

    from sluicedata.torch import IMAGENET_MEAN, IMAGENET_STD, Normalize

    image = every_value()
    got = Normalize()(image)
    for picture, pixels in zip(got, image, strict=True):
        tensor = v1.to_tensor(pixels.permute(1, 2, 0).numpy())
        assert torch.equal(picture, v1.normalize(tensor, IMAGENET_MEAN, IMAGENET_STD))
    scaled = v2.to_dtype(image, torch.float32, scale=True)  # multiplies by 1 / 255, where to_tensor divides
    torch.testing.assert_close(got, v2.normalize(scaled, IMAGENET_MEAN, IMAGENET_STD), rtol=4e-7, atol=4e-7)


def test_forms() -> None:
    from sluicedata.torch import Normalize

    image, module = every_value(), Normalize()
    want = module(image)
    assert want.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(module(image.contiguous()), want)
    assert torch.equal(module(image[1]), want[1])
    assert not list(module.parameters()) and not module.state_dict()
    assert torch.equal(torch.jit.script(module)(image), want)
    assert torch.equal(torch.export.export(module, (image,)).module()(image), want)
    half = Normalize(dtype=torch.bfloat16)(image)
    assert half.dtype == torch.bfloat16 and torch.equal(half, want.to(torch.bfloat16))
    for dtype in (torch.float64, torch.float16):
        assert torch.equal(torch.nn.Sequential(Normalize()).to(dtype)(image), want), "the figures stay float32"
    assert torch.equal(Normalize(0.5, 0.25)(image[:, :1]), (image[:, :1] / 255.0 - 0.5) / 0.25)
    assert "0.485" in repr(Normalize())


def test_compiled() -> None:
    from sluicedata.torch import Normalize

    image, module = every_value(), Normalize()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(image), module(image), rtol=4e-7, atol=4e-7)


def test_refusals() -> None:
    from sluicedata.torch import Normalize

    with pytest.raises(TypeError, match="leave to_tensor and normalize out"):
        Normalize()(torch.zeros(1, 3, 4, 4))
    with pytest.raises(UsageError, match=r"mean: 124 is not in 0\.\.1: divide"):
        Normalize([124, 116, 104], 0.2)
    with pytest.raises(UsageError, match="divides by zero"):
        Normalize(0.5, [0.2, 0, 0.2])
    with pytest.raises(UsageError, match="mean has 3 channels and std 2"):
        Normalize([0.5, 0.5, 0.5], [0.5, 0.5])
    with pytest.raises(UsageError, match="'dataset': want"):
        Normalize("dataset", 0.5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"dtype=torch\.uint8"):
        Normalize(dtype=torch.uint8)
