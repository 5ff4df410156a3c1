"""Pipelines made from torchvision's transforms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from . import _equivalents
from .errors import Error
from .pipelines import Component, Pipeline, _Rooted, custom, pipeline

__all__ = ["Unsupported", "UnsupportedTransform", "from_torchvision"]


class Unsupported(NamedTuple):
    """A transform that no stage equals: its place in the Compose, such as "2", or "2.0" in a nested one, and the reason."""

    place: str
    transform: Any
    reason: str


class UnsupportedTransform(Error, ValueError):  # noqa: N818
    """Transforms that no stage equals. transforms lists them all, with their places and what to do about each."""

    def __init__(self, message: str, transforms: Sequence[Unsupported] = ()) -> None:
        super().__init__(message)
        self.transforms: list[Unsupported] = list(transforms)


class _NoEqualError(Exception):
    """Raised where one transform is converted: why it has no equal, and what to do."""


@dataclass(frozen=True)
class Converted(Pipeline):
    """A pipeline made from transforms. notes says what differs from them, one text for each difference."""

    notes: tuple[str, ...] = ()


def from_torchvision(
    transform: Any,
    source: Component | Mapping[str, Any] | str | _Rooted | None = None,
    *,
    shuffle: bool = False,
    batch_size: int | None = None,
    drop_last: bool = False,
    **settings: Any,
) -> Converted:
    """The pipeline that does what a Compose of torchvision does, or of timm's create_transform.

    ``from_torchvision(train_transform, sources.folder("data/train"), shuffle=True, batch_size=64, seed=1)`` stands for
    ``DataLoader(ImageFolder("data/train", train_transform), shuffle=True, batch_size=64)``; shuffle, batch_size and drop_last are
    DataLoader's. Without a source the pipeline is for Transform. settings are those of :func:`sluicedata.pipeline`.

    transform: a Compose, nn.Sequential, list or single transform, of torchvision.transforms, its v2, or timm; also what the
    transforms() of torchvision's weights returns. It is read, never called, and neither library is imported here. Random numbers are
    the engine's, of the same distributions. What else differs is in the result's notes, one text for each. docs/python-transforms.md has
    the table of all transforms, with measured differences.

    Those are measured under ``fuse="exact"``. By default resamplings merge into one, and read a JPEG file's own planes: faster, sharper
    where there are several, and off by about a level on average where there is one.

    Raises UnsupportedTransform, which lists all transforms that no stage equals, each with its place and what to do.
    """
    c = _Conversion()
    _convert(c, transform, "")
    if c.unscaled is not None:
        c.faults.append(c.unscaled)
    if c.faults:
        raise UnsupportedTransform(_listed(c.faults), c.faults)
    stages: list[tuple[str, Options]] = [("shuffle", {})] if shuffle else []
    stages += c.stages_in_order()
    if batch_size is not None:
        stages.append(("batch", {"size": batch_size, **({"drop_last": True} if drop_last else {})}))
    made = pipeline("" if source is None else source, [custom(name, **options) for name, options in stages], **settings)
    taken = None if source is None else made.source
    return Converted(taken, made.stages, made.settings, made.place, tuple(c.notes))


def _listed(faults: Sequence[Unsupported]) -> str:
    """The message of an UnsupportedTransform."""
    count = "1 transform has" if len(faults) == 1 else f"{len(faults)} transforms have"
    lines = [f"{count} no equal stage:"]
    for index, transform, reason in faults:
        text = " ".join(repr(transform).split())
        place = f"[{index}] " if index else ""
        lines.append(f"  {place}{text if len(text) <= 120 else text[:117] + '...'}: {reason}")
    return "\n".join(lines)


Options = dict[str, Any]

# The values of pixels where a transform stands: uint8; floats 0..1; floats 0..255; normalized.
Values = Literal["uint8", "unit", "levels", "normalized"]


@dataclass
class _Conversion:
    """What the transforms so far amount to.

    Pictures are changed before they become tensors, so to_tensor and normalize are kept apart and come last.
    """

    stages: list[tuple[str, Options]] = field(default_factory=list)
    to_tensor: Options | None = None
    normalize: Options | None = None
    behind: list[tuple[str, Options]] = field(default_factory=list)  # of floats: behind to_tensor and normalize
    gray: bool = False
    values: Values = "uint8"
    tensors: bool = False  # torchvision computes with tensors from here on, not with Pillow's images
    least: int = 0  # no side of a picture is shorter, as far as is known
    notes: list[str] = field(default_factory=list)
    faults: list[Unsupported] = field(default_factory=list)
    unscaled: Unsupported | None = None  # what made floats of 0..255, for which there is no stage without Normalize

    def note(self, where: str, text: str) -> None:
        line = f"{where}: {text}"
        if line not in self.notes:
            self.notes.append(line)

    def add(self, stage: str, options: Options) -> None:
        if self.behind:
            raise _NoEqualError("it stands behind RandomErasing, whose stage comes last: put it before")
        self.stages.append((stage, options))

    def stages_in_order(self) -> list[tuple[str, Options]]:
        out: list[tuple[str, Options]] = [("decode", {"mode": "gray"} if self.gray else {}), *self.stages]
        if self.to_tensor is not None:
            out.append(("to_tensor", self.to_tensor))
        if self.normalize is not None:
            out.append(("normalize", self.normalize))
        return out + self.behind


def _name(transform: Any) -> str:
    return type(transform).__name__


def _convert(c: _Conversion, transform: Any, index: str) -> None:
    """Adds one transform, or notes why there is none like it."""
    if (members := _members(transform)) is not None:
        for i, member in enumerate(members):
            _convert(c, member, f"{index}.{i}" if index else str(i))
        return
    before, tensors = len(c.stages), c.tensors
    try:
        _handler(transform)(c, transform, index)
        for stage, options in c.stages[before:]:
            _differences(c, transform, index, stage, options, tensors)
    except _NoEqualError as error:
        c.faults.append(Unsupported(index, transform, str(error)))


def _differences(c: _Conversion, transform: Any, index: str, stage: str, options: Options, tensors: bool) -> None:
    """Notes what the table says about pixels that the stage makes otherwise."""

    def variant(options: Mapping[str, Any]) -> tuple[Any, ...]:
        return (
            *(options.get(name) for name in ("interpolation", "antialias", "expand")),
            "hue" in options,
            "max_size" in options,
        )

    for row in _equivalents.ROWS:
        example = {row.stages[0]: {}} if isinstance(row.stages[0], str) else row.stages[0]
        if (row.library, row.transform) != (_library(transform), _name(transform)) or stage not in example:
            continue
        limit = row.tensor if tensors else row.pillow
        if limit is not None and limit.most >= 1 and variant(example[stage]) == variant(options):
            c.note(
                _where(transform, index),
                _apart(limit, row.differs),
            )


def _apart(limit: _equivalents.Limit, why: str) -> str:
    """How far pixels are apart, and why."""
    if limit.most >= 255:  # other pixels, in a few places: the largest difference says nothing
        return f"pixels are the same but for a few, by at most {limit.mean:g} of 255 levels on average: {why}"
    return f"pixels differ by at most {limit.most:g} of 255 levels, by at most {limit.mean:g} on average: {why}"


def _members(transform: Any) -> list[Any] | None:
    """The transforms of a sequence of them, or None."""
    if isinstance(transform, list | tuple):
        return list(transform)
    library, name = _library(transform), _name(transform)
    if library == "torchvision" and name == "Compose":
        return list(transform.transforms)
    if library == "torch" and name in ("Sequential", "ModuleList"):
        return list(transform)
    return None


def _library(transform: Any) -> str:
    return type(transform).__module__.partition(".")[0]


# CLIP's and open_clip's functions, which stand in the Compose that these return.
_TO_RGB = ("_convert_image_to_rgb", "_convert_to_rgb")


def _handler(transform: Any) -> Callable[[_Conversion, Any, str], None]:
    library, name = _library(transform), _name(transform)
    if getattr(transform, "__name__", "") in _TO_RGB:
        return _nothing
    handler = _HANDLERS.get((library, name))
    if handler is not None:
        return handler
    reason = _equivalents.hint(name)
    if library not in ("torchvision", "timm"):
        reason = (
            f"{name if library != 'builtins' else 'it'} is neither torchvision's nor timm's, so what it does isn't known: "
            "write it as stages, or take it out and apply it in the training loop, to each image if it draws at random: "
            "image = torch.stack([transform(x) for x in image])"
        )
    raise _NoEqualError(reason)


# Sizes, colours and filters


def _pixels(value: Any) -> int:
    number = int(value)
    if number != value or number < 1:
        raise _NoEqualError(f"{value!r} is no number of pixels")
    return number


def _sides(size: Any) -> tuple[int, int]:
    """Height and width of torchvision's size: a number, or one or two of them."""
    if not isinstance(size, Sequence):
        size = [size]
    height, width = (size[0], size[0]) if len(size) == 1 else size
    return _pixels(height), _pixels(width)


def _size(height: int, width: int) -> Options:
    return {"size": height} if height == width else {"height": height, "width": width}


_PILLOW_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def _filter(transform: Any) -> str:
    """The interpolation's name: of torchvision's enumeration, its text, or Pillow's number."""
    mode = transform.interpolation
    if isinstance(mode, list | tuple):
        names = " or ".join(str(getattr(m, "value", m)) for m in mode)
        raise _NoEqualError(f"no stage draws its interpolation ({names}): choose one, such as interpolation='bicubic'")
    mode = getattr(mode, "value", mode)
    return _PILLOW_FILTERS.get(mode, str(mode)) if isinstance(mode, int) else str(mode)


def _resampling(c: _Conversion, transform: Any, index: str) -> Options:
    """interpolation and antialias of a stage that resizes."""
    name = _filter(transform)
    if name == "nearest" and c.tensors:
        raise _NoEqualError(
            "of tensors, interpolation 'nearest' takes pixels that lie up to one to the upper left: 'nearest-exact' has an equal, nearest"
        )
    name = {"nearest-exact": "nearest"}.get(name, name)
    if name not in ("nearest", "bilinear", "bicubic", "lanczos", "box"):
        raise _NoEqualError(
            f"there is no interpolation {name}; the nearest is {'bicubic' if name == 'hamming' else 'bilinear'}"
        )
    options: Options = {} if name == "bilinear" else {"interpolation": name}
    antialias = getattr(transform, "antialias", True)
    if not antialias and name in ("bilinear", "bicubic"):
        if not c.tensors:
            c.note(_where(transform, index), "antialias=False has no effect on Pillow's images, and none here")
        elif name == "bilinear":
            options["antialias"] = False
        else:
            raise _NoEqualError(
                "without antialiasing, bicubic uses another kernel on tensors: antialias=True has an equal"
            )
    return options


def _warping(transform: Any) -> Options:
    """interpolation of a stage that rotates or bends."""
    name = _filter(transform)
    if name not in ("nearest", "bilinear"):
        raise _NoEqualError(f"interpolation is nearest or bilinear here, not {name}: write one of them")
    return {"interpolation": "nearest"} if name == "nearest" else {}


def _fill(c: _Conversion, transform: Any) -> Options:
    fill = getattr(transform, "fill", 0)
    if isinstance(fill, dict):
        kinds = {k if isinstance(k, str) else k.__name__: v for k, v in fill.items()}
        fill = next((kinds[k] for k in ("Image", "Tensor", "others") if k in kinds), 0)
    values = [0] if fill is None else list(fill) if isinstance(fill, Sequence) else [fill]
    if c.values == "normalized" and any(values):
        raise _NoEqualError("its fill is a normalized value: put the transform before Normalize")
    levels = [float(v) * (255 if c.values == "unit" else 1) for v in values]
    if len(levels) not in (1, 3) or any(abs(v - round(v)) > 1e-3 or not 0 <= round(v) <= 255 for v in levels):
        raise _NoEqualError(f"fill={fill!r} is no colour of whole levels 0 to 255, one or three")
    whole = [round(v) for v in levels]
    if len(set(whole)) == 1:
        return {"fill": whole[0]} if whole[0] else {}
    return {"fill": whole}


def _where(transform: Any, index: str) -> str:
    return f"[{index}] {_name(transform)}"


def _early(c: _Conversion, transform: Any, index: str, what: Literal["copies", "resizes", "fills", "colors"]) -> None:
    """Takes note that a transform stands behind ToTensor, and its stage before to_tensor."""
    if c.values == "uint8" or what == "copies":
        return
    if c.values == "normalized" and what in ("fills", "colors"):
        raise _NoEqualError("it stands behind Normalize, where its stage cannot: put it before")
    c.note(
        _where(transform, index),
        "it stands behind the conversion to floats; its stage comes before, and rounds to whole levels of 255",
    )


# Geometry


def _resize(c: _Conversion, transform: Any, index: str) -> None:
    most = getattr(transform, "max_size", None)
    size = transform.size
    if most is not None and size is None:
        raise _NoEqualError("max_size alone has no equal: give size too, the shorter side")
    _early(c, transform, index, "resizes")
    options = _resampling(c, transform, index)
    if isinstance(size, Sequence) and len(size) == 2:
        height, width = _sides(size)
        c.add("resize", {"height": height, "width": width, **options})
        c.least = min(height, width)
        return
    c.least, _ = _sides(size)
    if most is None:
        c.add("resize", {"size": c.least, **options})
        return
    c.add("resize", {"size": c.least, "max_size": _pixels(most), **options})
    c.least = 1


def _random_shortest_size(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "resizes")
    most = transform.max_size
    lengths = [_pixels(n) for n in transform.min_size]
    options: Options = {"min": lengths} if most is None else {"min": lengths, "max": _pixels(most)}
    c.add("random_shortest_size", options | _resampling(c, transform, index))
    c.least = min(lengths) if most is None else 1


def _scale_jitter(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "resizes")
    width, height = transform.target_size
    options: Options = {"target": [_pixels(height), _pixels(width)], "range": [float(v) for v in transform.scale_range]}
    c.add("scale_jitter", options | _resampling(c, transform, index))
    c.least = 1


def _pad(c: _Conversion, transform: Any, index: str) -> None:
    mode = str(getattr(transform.padding_mode, "value", transform.padding_mode))
    if mode == "symmetric":
        raise _NoEqualError("padding_mode 'symmetric' repeats the outermost pixels; the nearest is 'reflect'")
    _early(c, transform, index, "fills" if mode == "constant" else "copies")
    given = transform.padding
    sides = [int(n) for n in given] if isinstance(given, Sequence) else [int(given)]
    left, top, right, bottom = (sides * 4)[:4] if len(sides) < 4 else sides
    if min(sides) < 0:
        raise _NoEqualError("negative padding crops: write CenterCrop")
    if not any(sides):
        c.note(_where(transform, index), "it adds nothing: left out")
        return
    options: Options = {"padding": [left, top, right, bottom]}
    c.add("pad", options | (_fill(c, transform) if mode == "constant" else {"mode": mode}))
    c.least += min(left + right, top + bottom) if c.least else 0


def _random_zoom_out(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "fills")
    options: Options = {"side_range": [float(v) for v in transform.side_range]}
    _with_p(c, transform, index, "random_zoom_out", options | _fill(c, transform))


def _resize_keep_ratio(c: _Conversion, transform: Any, index: str) -> None:
    height, width = _sides(transform.size)
    if height != width or transform.longest or transform.random_scale_prob or transform.random_aspect_prob:
        raise _NoEqualError(
            "resize takes the length of the shorter side, and draws nothing: only a square size with longest=0 has an equal"
        )
    c.add("resize", {"size": height, **_resampling(c, transform, index)})
    c.least = height
    c.note(_where(transform, index), "the longer side is rounded down here, and to the nearest pixel there")


def _center_crop(c: _Conversion, transform: Any, index: str) -> None:
    height, width = _sides(transform.size)
    c.add("center_crop", _size(height, width))
    if max(height, width) > c.least:
        c.note(
            _where(transform, index), "a picture smaller than the crop is an error here; torchvision pads it with black"
        )
    c.least = min(height, width)


def _random_crop(c: _Conversion, transform: Any, index: str) -> None:
    height, width = _sides(transform.size)
    padding = transform.padding
    if padding is not None and any(padding if isinstance(padding, Sequence) else [padding]):
        raise _NoEqualError(
            "crop doesn't pad: write Pad before it, as [v2.Pad(4), v2.RandomCrop(32)] for v2.RandomCrop(32, padding=4)"
        )
    if transform.pad_if_needed and max(height, width) > c.least:
        raise _NoEqualError(
            "crop doesn't pad: put Resize before it, or leave pad_if_needed out where no picture is smaller"
        )
    c.add("crop", _size(height, width))
    c.least = min(height, width)


def _random_resized_crop(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "resizes")
    height, width = _sides(transform.size)
    scale, ratio = [float(v) for v in transform.scale], [float(v) for v in transform.ratio]
    options = _size(height, width)
    if scale[0] < 0 or scale[1] > 1:
        raise _NoEqualError(f"scale={tuple(scale)} exceeds the picture: a window's share of its area is within 0 to 1")
    if scale != [0.08, 1.0]:
        options["scale"] = scale
    if ratio != [3 / 4, 4 / 3]:
        options["ratio"] = ratio
    c.add("random_resized_crop", options | _resampling(c, transform, index))
    c.least = min(height, width)


def _flip(direction: str) -> Callable[[_Conversion, Any, str], None]:
    def flip(c: _Conversion, transform: Any, index: str) -> None:
        options: Options = {} if direction == "horizontal" else {"direction": direction}
        _with_p(c, transform, index, "flip", options)

    return flip


def _with_p(c: _Conversion, transform: Any, index: str, stage: str, options: Options) -> None:
    """Adds a stage with the transform's p; none where that is 0."""
    p = float(transform.p)
    if p == 0:
        c.note(_where(transform, index), "p is 0: left out")
    elif p == 1 and stage not in ("flip", "random_zoom_out", "random_erasing"):
        c.add(stage, options)
    else:
        c.add(stage, {"p": p, **options})


def _centered(transform: Any) -> None:
    if transform.center is not None:
        raise _NoEqualError(f"it turns about the picture's own centre here, not about center={transform.center!r}")


def _rotation(c: _Conversion, transform: Any, index: str) -> None:
    _centered(transform)
    _early(c, transform, index, "fills")
    degrees = [float(v) for v in transform.degrees]
    if degrees == [0, 0]:
        c.note(_where(transform, index), "its angle is always 0: left out")
        return
    options = {"degrees": degrees, **_warping(transform), **_fill(c, transform)}
    if transform.expand:
        c.add("rotate", {**options, "expand": True})
        c.least = 0
    else:
        # rotate turns about pixel (w//2, h//2), affine about the centre, as torchvision does.
        c.add("affine", options)


def _affine(c: _Conversion, transform: Any, index: str) -> None:
    _centered(transform)
    _early(c, transform, index, "fills")
    low, high = (float(v) for v in transform.degrees)
    options: Options = {}
    if (low, high) != (0, 0):
        options["degrees"] = [-high + 0.0, -low + 0.0]  # here, positive is counter-clockwise
    if transform.translate is not None and any(transform.translate):
        options["translate"] = [float(v) for v in transform.translate]
    if transform.scale is not None and tuple(transform.scale) != (1, 1):
        options["scale"] = [float(v) for v in transform.scale]
    if transform.shear is not None and any(transform.shear):
        options["shear"] = [float(v) for v in transform.shear]
    if not options:
        c.note(_where(transform, index), "it changes nothing: left out")
        return
    c.add("affine", {**options, **_warping(transform), **_fill(c, transform)})


def _perspective(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "fills")
    if not transform.distortion_scale:
        c.note(_where(transform, index), "its distortion is 0: left out")
        return
    options = {"distortion_scale": float(transform.distortion_scale), **_warping(transform), **_fill(c, transform)}
    _with_p(c, transform, index, "perspective", options)


# Colour

_RECOLOR = (
    *("color_jitter", "grayscale", "invert", "solarize", "posterize"),
    *("autocontrast", "equalize", "sharpness", "gaussian_blur", "gaussian_noise"),
)
_LEAST = 1e-9  # as a magnitude: 0 would be no number of the stage; the picture is exactly that of 0
_ZERO = [0, 1e-9]  # as a range of factors: [0, 0] would stand for off; the picture is exactly that of 0


def _color_jitter(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "colors")
    options: Options = {}
    for name in ("brightness", "contrast", "saturation", "hue"):
        value = getattr(transform, name)
        if value is None or (c.gray and name in ("saturation", "hue")):
            continue
        low, high = (float(v) for v in value)
        options[name] = _ZERO if (low, high) == (0, 0) else [low, high]
    if options:
        c.add("color_jitter", options)
    else:
        c.note(_where(transform, index), "it changes nothing: left out")


def _random_grayscale(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "colors")
    if not c.gray:
        _with_p(c, transform, index, "grayscale", {})


def _recolor(stage: str) -> Callable[[_Conversion, Any, str], None]:
    """A stage that has p alone."""

    def recolor(c: _Conversion, transform: Any, index: str) -> None:
        _early(c, transform, index, "colors")
        _with_p(c, transform, index, stage, {})

    return recolor


def _random_sharpness(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "colors")
    factor = float(transform.sharpness_factor)
    if factor == 1:
        c.note(_where(transform, index), "it changes nothing: left out")
    else:
        _with_p(c, transform, index, "sharpness", {"factor": [factor, factor] if factor else _ZERO})


def _random_solarize(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "colors")
    threshold = float(transform.threshold) * (255 if c.values == "unit" else 1)
    if threshold > 255:
        c.note(_where(transform, index), "no value is as high as its threshold: left out")
    elif threshold <= 0:
        _with_p(c, transform, index, "invert", {})
    else:
        _with_p(c, transform, index, "solarize", {"threshold": threshold})


def _random_posterize(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "colors")
    if not 1 <= int(transform.bits) <= 8:
        raise _NoEqualError(f"values have 8 bits: bits is 1 to 8, not {transform.bits!r}")
    _with_p(c, transform, index, "posterize", {"bits": int(transform.bits)})


def _grayscale(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "colors")
    if transform.num_output_channels == 3:
        c.add("grayscale", {})
        return
    if any(stage in _RECOLOR for stage, _ in c.stages):
        raise _NoEqualError(
            "decode makes pictures of one channel, before their colours are changed: put it before those that change them, or keep three channels with num_output_channels=3"
        )
    if any(stage not in ("flip", "crop", "center_crop") for stage, _ in c.stages):
        c.note(
            _where(transform, index),
            "decode makes the picture grey here, before it is resampled: pixels differ by the rounding",
        )
    c.gray = True


def _gaussian_blur(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "colors")
    size = transform.kernel_size
    sizes = list(size) if isinstance(size, Sequence) else [size]
    if len(set(sizes)) > 1 or sizes[0] > 255:
        raise _NoEqualError(f"kernels are square here, and at most 255 pixels wide, not {size!r}")
    if sizes[0] == 1:
        c.note(_where(transform, index), "it changes nothing: left out")
        return
    c.add("gaussian_blur", {"kernel_size": int(sizes[0]), "sigma": [float(v) for v in transform.sigma]})


def _gaussian_noise(c: _Conversion, transform: Any, index: str) -> None:
    _early(c, transform, index, "colors")
    if not transform.clip:
        raise _NoEqualError("values stay within 0 to 255 here: clip=True has an equal")
    if not -1 <= transform.mean <= 1 or not 0 < transform.sigma <= 1:
        raise _NoEqualError(f"mean is -1 to 1 and sigma more than 0, to 1, not {transform.mean} and {transform.sigma}")
    c.add("gaussian_noise", {"mean": float(transform.mean), "sigma": float(transform.sigma)})


def _random_erasing(c: _Conversion, transform: Any, index: str) -> None:
    value = transform.value
    if value is not None and not isinstance(value, str):
        values = [float(v) for v in (value if isinstance(value, Sequence) else [value])]
        value = values[0] if len(set(values)) == 1 else values
        if len(values) not in (1, 3):
            raise _NoEqualError(f"value={values} has neither one number nor three")
        if c.values == "uint8":
            if any(not 0 <= v <= 255 or v != int(v) for v in values):
                raise _NoEqualError(f"value={value} is no level of 0 to 255: put it behind the conversion to floats")
            value = [int(v) for v in values] if len(set(values)) > 1 else int(values[0])
    elif c.values == "uint8":
        raise _NoEqualError("noise is of floats: put it behind the conversion to floats, and Normalize")
    else:
        value = "random"
    options = {"scale": [float(v) for v in transform.scale], "ratio": [float(v) for v in transform.ratio]}
    _erase(c, transform, index, float(transform.p), {**options, "value": value})


def _timm_erasing(c: _Conversion, transform: Any, index: str) -> None:
    if (transform.min_count, transform.max_count) != (1, 1):
        raise _NoEqualError(
            f"one rectangle is erased here, not {transform.min_count} to {transform.max_count}: re_count=1 has an equal"
        )
    if transform.rand_color:
        raise _NoEqualError("no stage erases by a random colour: re_mode='const' and 'pixel' have equals")
    options = {
        "scale": [float(transform.min_area), float(transform.max_area)],
        "ratio": [round(math.exp(v), 12) for v in transform.log_aspect_ratio],
        "value": "random" if transform.per_pixel else 0,
    }
    _erase(c, transform, index, float(transform.probability), options)


def _erase(c: _Conversion, transform: Any, index: str, p: float, options: Options) -> None:
    """Adds random_erasing, behind to_tensor and normalize where it erases floats."""
    if c.values == "levels":
        raise _NoEqualError("it stands before Normalize: put it behind")
    if p == 0:
        c.note(_where(transform, index), "p is 0: left out")
    elif c.values == "uint8":
        c.add("random_erasing", {"p": p, **options})
    else:
        c.behind.append(("random_erasing", {"p": p, **options}))


# Types


def _nothing(c: _Conversion, transform: Any, index: str) -> None:
    """Pictures are as the transform would make them: RGB, in memory, or of the kind already."""


def _to_pillow(c: _Conversion, transform: Any, index: str) -> None:
    if transform.mode not in (None, "RGB", "L" if c.gray else "RGB"):
        raise _NoEqualError(f"pictures are RGB here, or grey by Grayscale, not {transform.mode}")
    if c.values in ("levels", "normalized"):
        raise _NoEqualError(
            "it stands behind the conversion to floats: leave it out, with what is behind it before ToTensor"
        )
    c.tensors, c.to_tensor, c.values = False, None, "uint8"


def _to_unit_tensor(c: _Conversion, transform: Any, index: str) -> None:
    """ToTensor: floats of 0..1, channels first."""
    if c.values == "uint8":
        c.to_tensor, c.values, c.tensors = {}, "unit", True


def _to_uint8_tensor(c: _Conversion, transform: Any, index: str) -> None:
    """PILToTensor and ToImage: uint8, channels first."""
    if c.values == "uint8":
        c.to_tensor, c.tensors = {"dtype": "uint8"}, True


def _dtype(dtype: Any) -> str:
    """torch.float32 as "float32"."""
    if isinstance(dtype, dict):
        kinds = {k if isinstance(k, str) else k.__name__: v for k, v in dtype.items()}
        found = [kinds[k] for k in ("Image", "Tensor", "others") if k in kinds]
        dtype = found[0] if found else None
    return "" if dtype is None else str(dtype).removeprefix("torch.")


def _to_dtype(c: _Conversion, transform: Any, index: str) -> None:
    dtype = _dtype(transform.dtype)
    scaled = getattr(transform, "scale", True)
    if _library(transform) == "timm":  # its ToTensor
        scaled, c.tensors, c.to_tensor = False, True, c.to_tensor or {"dtype": "uint8"}
    if dtype in ("", "float32" if c.values != "uint8" else "uint8"):
        return
    if not c.tensors:
        raise _NoEqualError(
            "it stands before ToImage, where torchvision leaves Pillow's images as they are: put ToImage before it"
        )
    if dtype == "float32":
        c.to_tensor, c.values = {}, "unit" if scaled else "levels"
        reason = "floats are 0..1 here, not 0..255: use ToDtype(torch.float32, scale=True), or normalize with figures of levels behind it"
        c.unscaled = None if scaled else Unsupported(index, transform, reason)
    elif dtype == "uint8" and c.values == "unit" and scaled:
        c.to_tensor, c.values = {"dtype": "uint8"}, "uint8"
    else:
        raise _NoEqualError(
            f"batches are float32 or uint8, not {dtype}: convert the batch in the training loop, batch.image.to(torch.{dtype})"
        )


def _normalize(c: _Conversion, transform: Any, index: str) -> None:
    if c.values == "uint8":
        raise _NoEqualError("it needs floats: put ToTensor, or ToDtype(torch.float32, scale=True), before it")
    if c.values == "normalized":
        raise _NoEqualError("pictures are normalized already: write both as one Normalize")
    if c.behind:
        raise _NoEqualError("it stands behind RandomErasing, whose stage comes last: put it before")
    divisor = 255.0 if c.values == "levels" else 1.0
    figures: Options = {}
    for name in ("mean", "std"):
        values = [_short(v) / divisor for v in getattr(transform, name)]
        if len(values) not in (1, 3) or any(not 0 <= v <= 1 for v in values) or (name == "std" and 0 in values):
            raise _NoEqualError(
                f"{name}={[v * divisor for v in values]} isn't of {'levels 0..255' if divisor > 1 else 'values 0..1'}: normalize the batch in the training loop"
            )
        figures[name] = values
    if divisor > 1:
        c.unscaled = None
        c.note(
            _where(transform, index),
            "mean and std are divided by 255 here, and the pixels too: results differ by float32's rounding",
        )
    c.normalize, c.values = figures, "normalized"


def _short(value: Any) -> float:
    """The number that was meant: timm keeps means as float32, and 0.485 became 0.48500001430511475."""
    return value if type(value) is float else float(str(np.float32(value)))


def _preset(c: _Conversion, transform: Any, index: str) -> None:
    """torchvision's ImageClassification, which its weights' transforms() returns."""
    sides = transform.resize_size
    options = _resampling(c, transform, index)
    if len(sides) == 1:
        c.add("resize", {"size": _pixels(sides[0]), **options})
    else:
        c.add("resize", {"height": _pixels(sides[0]), "width": _pixels(sides[1]), **options})
    c.add("center_crop", _size(*_sides(transform.crop_size)))
    c.to_tensor, c.values, c.tensors = {}, "unit", True
    _normalize(c, transform, index)


# Policies


def _policy(stage: str) -> Callable[[_Conversion, Any, str], None]:
    def policy(c: _Conversion, transform: Any, index: str) -> None:
        _early(c, transform, index, "colors")
        options: Options = {}
        if stage == "rand_augment":
            if transform.num_ops == 0:
                c.note(_where(transform, index), "num_ops is 0: left out")
                return
            options = {"num_ops": int(transform.num_ops), "magnitude": float(transform.magnitude) or _LEAST}
        if transform.num_magnitude_bins != 31:
            options["num_magnitude_bins"] = int(transform.num_magnitude_bins)
        c.add(stage, {**options, **_warping(transform), **_fill(c, transform)})

    return policy


def _timm_policy(c: _Conversion, transform: Any, index: str) -> None:
    """timm's RandAugment, of which its text has to be put together again."""
    _early(c, transform, index, "colors")
    ops = list(transform.ops)
    names = [op.name for op in ops]
    increasing = names == [_INCREASING.get(name, name) for name in _TIMM_OPS]
    if transform.choice_weights is not None or not (increasing or names == _TIMM_OPS):
        raise _NoEqualError("timm's usual set of operations alone has an equal: leave -t out of its text")
    if ops[0].hparams.get("translate_pct", 0.45) != 0.45:
        raise _NoEqualError("its translate_pct isn't 0.45, which has an equal alone")
    op = ops[0]
    text = f"rand-m{op.magnitude:g}-n{transform.num_layers}-p{op.prob:g}"
    if op.magnitude_std > 0:
        text += f"-mstd{min(op.magnitude_std, 101):g}"
    if op.magnitude_max:
        text += f"-mmax{op.magnitude_max:g}"
    text += "-inc1" if increasing else ""
    if op.kwargs["resample"] != 2:
        c.note(_where(transform, index), "pixels are moved bilinearly here")
    fill = [int(v) for v in op.kwargs["fillcolor"]]
    c.add("rand_augment", {"timm": text, "fill": fill[0] if len(set(fill)) == 1 else fill})


_TIMM_OPS = [
    *("AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "SolarizeAdd", "Color", "Contrast"),
    *("Brightness", "Sharpness", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel"),
]
_INCREASING = {
    name: name + "Increasing" for name in ("Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness")
}


# Choices

_TAKE_P = (
    *("flip", "rotate", "affine", "perspective", "crop", "random_resized_crop", "random_zoom_out", "random_erasing"),
    *("rand_augment", "trivial_augment_wide"),
    *_RECOLOR,
)


def _random_apply(c: _Conversion, transform: Any, index: str) -> None:
    _perhaps(c, list(transform.transforms), float(transform.p), index, _where(transform, index))


def _perhaps(c: _Conversion, members: list[Any], p: float, index: str, where: str) -> None:
    """Adds members that are applied together with probability p."""
    if p == 0:
        c.note(where, "p is 0: left out")
        return
    before, behind, faults = len(c.stages), len(c.behind), len(c.faults)
    state = (c.to_tensor, c.normalize, c.values, c.gray, c.least)
    for i, member in enumerate(members):
        _convert(c, member, f"{index}.{i}")
    added = c.stages[before:] + c.behind[behind:]
    if p == 1 or len(c.faults) > faults:
        return
    same = (c.to_tensor, c.normalize, c.values, c.gray) == state[:4]
    if not same or len(added) > 1 or any(stage not in _TAKE_P for stage, _ in added):
        del c.stages[before:], c.behind[behind:]
        c.to_tensor, c.normalize, c.values, c.gray, c.least = state
        raise _NoEqualError(
            "a stage is applied with its own p: only one transform alone, which changes no sizes or types for all, has an equal. "
            "Give each a RandomApply of its own; they are then drawn apart"
        )
    c.least = min(c.least, state[4])
    for stages, start in ((c.stages, before), (c.behind, behind)):
        stages[start:] = [(stage, {**options, "p": options.get("p", 1.0) * p}) for stage, options in stages[start:]]


def _random_choice(c: _Conversion, transform: Any, index: str) -> None:
    members = list(transform.transforms)
    weights = [1.0] * len(members) if transform.p is None else [float(w) for w in transform.p]
    drawn = [(m, w / sum(weights), i) for i, (m, w) in enumerate(zip(members, weights, strict=True)) if w > 0]
    acting = [entry for entry in drawn if _name(entry[0]) != "Identity"]
    if len(acting) > 1:
        _one_of(c, [(member, weights[i], i) for member, _, i in acting], index, sum(share for _, share, _ in acting))
        return
    for member, share, _ in acting:
        _perhaps(c, [member], 1.0 if len(drawn) == 1 else share, index, _where(transform, index))


def _one_of(c: _Conversion, acting: list[tuple[Any, float, int]], index: str, p: float) -> None:
    """Adds a choice between transforms with weights, each of which is one stage, that acts with a probability."""
    before, faults = len(c.stages), len(c.faults)
    state, least = (c.to_tensor, c.normalize, c.values, c.gray), c.least
    smallest = least
    for member, _, i in acting:
        c.least = least
        _convert(c, member, f"{index}.{i}")
        smallest = min(smallest, c.least)
    c.least = smallest
    if len(c.faults) > faults:
        return
    added = c.stages[before:]
    del c.stages[before:]
    if len(added) != len(acting) or (c.to_tensor, c.normalize, c.values, c.gray) != state:
        c.to_tensor, c.normalize, c.values, c.gray = state
        raise _NoEqualError(
            "one_of chooses between stages that keep the type: a choice between several at once has no equal; "
            "make a pipeline for each, or give each a p of its own; they are then drawn apart"
        )
    options: dict[str, Any] = {"stages": [{stage: options} if options else stage for stage, options in added]}
    if p < 1 - 1e-9:
        options["p"] = p
    weights = [weight for _, weight, _ in acting]
    if len({round(weight / weights[0], 9) for weight in weights}) > 1:
        options["weights"] = weights
    c.add("one_of", options)


def _random_order(c: _Conversion, transform: Any, index: str) -> None:
    before, behind, faults = len(c.stages), len(c.behind), len(c.faults)
    for i, member in enumerate(transform.transforms):
        _convert(c, member, f"{index}.{i}")
    if len(c.faults) > faults:
        return
    added = [stage for stage, _ in c.stages[before:] + c.behind[behind:]]
    if len(added) > 1 and (added.count("color_jitter") > 1 or any(s not in ("flip", "color_jitter") for s in added)):
        del c.stages[before:], c.behind[behind:]
        raise _NoEqualError(
            "stages have one order: write the transforms in the order that matters least, in the Compose itself"
        )


_HANDLERS: dict[tuple[str, str], Callable[[_Conversion, Any, str], None]] = {
    ("torchvision", "CenterCrop"): _center_crop,
    ("torchvision", "ColorJitter"): _color_jitter,
    ("torchvision", "ConvertImageDtype"): _to_dtype,
    ("torchvision", "GaussianBlur"): _gaussian_blur,
    ("torchvision", "GaussianNoise"): _gaussian_noise,
    ("torchvision", "Grayscale"): _grayscale,
    ("torchvision", "Identity"): _nothing,
    ("torchvision", "ImageClassification"): _preset,
    ("torchvision", "Normalize"): _normalize,
    ("torchvision", "PILToTensor"): _to_uint8_tensor,
    ("torchvision", "RGB"): _nothing,
    ("torchvision", "Pad"): _pad,
    ("torchvision", "RandAugment"): _policy("rand_augment"),
    ("torchvision", "RandomAdjustSharpness"): _random_sharpness,
    ("torchvision", "RandomAffine"): _affine,
    ("torchvision", "RandomApply"): _random_apply,
    ("torchvision", "RandomAutocontrast"): _recolor("autocontrast"),
    ("torchvision", "RandomChoice"): _random_choice,
    ("torchvision", "RandomCrop"): _random_crop,
    ("torchvision", "RandomEqualize"): _recolor("equalize"),
    ("torchvision", "RandomErasing"): _random_erasing,
    ("torchvision", "RandomGrayscale"): _random_grayscale,
    ("torchvision", "RandomHorizontalFlip"): _flip("horizontal"),
    ("torchvision", "RandomInvert"): _recolor("invert"),
    ("torchvision", "RandomOrder"): _random_order,
    ("torchvision", "RandomPerspective"): _perspective,
    ("torchvision", "RandomPosterize"): _random_posterize,
    ("torchvision", "RandomResizedCrop"): _random_resized_crop,
    ("torchvision", "RandomRotation"): _rotation,
    ("torchvision", "RandomShortestSize"): _random_shortest_size,
    ("torchvision", "RandomSolarize"): _random_solarize,
    ("torchvision", "RandomVerticalFlip"): _flip("vertical"),
    ("torchvision", "RandomZoomOut"): _random_zoom_out,
    ("torchvision", "Resize"): _resize,
    ("torchvision", "ScaleJitter"): _scale_jitter,
    ("torchvision", "ToDtype"): _to_dtype,
    ("torchvision", "ToImage"): _to_uint8_tensor,
    ("torchvision", "ToPILImage"): _to_pillow,
    ("torchvision", "ToPureTensor"): _nothing,
    ("torchvision", "ToTensor"): _to_unit_tensor,
    ("torchvision", "TrivialAugmentWide"): _policy("trivial_augment_wide"),
    ("torch", "Identity"): _nothing,
    ("timm", "MaybePILToTensor"): _to_uint8_tensor,
    ("timm", "MaybeToTensor"): _to_unit_tensor,
    ("timm", "RandAugment"): _timm_policy,
    ("timm", "RandomErasing"): _timm_erasing,
    ("timm", "RandomResizedCropAndInterpolation"): _random_resized_crop,
    ("timm", "ResizeKeepRatio"): _resize_keep_ratio,
    ("timm", "ToNumpy"): _to_uint8_tensor,
    ("timm", "ToTensor"): _to_dtype,
}
