"""Stages, as typed functions: generated from the engine's catalogues.

Do not edit: go test ./flow/pipefile -run TestPythonFiles -update writes this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ._settings import Strength, When
from .pipelines import Component, component, custom

__all__ = [
    "affine",
    "autocontrast",
    "batch",
    "center_crop",
    "class_weights",
    "cmo",
    "coarse_dropout",
    "color_jitter",
    "copy_paste",
    "crop",
    "custom",
    "cutmix",
    "decode",
    "equalize",
    "filter",
    "flip",
    "gamma",
    "gaussian_blur",
    "gaussian_noise",
    "grayscale",
    "invert",
    "letterbox",
    "mixup",
    "mosaic",
    "multiscale",
    "normalize",
    "one_of",
    "pad",
    "perspective",
    "posterize",
    "rand_augment",
    "random_erasing",
    "random_iou_crop",
    "random_resized_crop",
    "random_shortest_size",
    "random_zoom_out",
    "rebalance",
    "remix",
    "resize",
    "rotate",
    "sanitize_boxes",
    "scale_jitter",
    "sharpness",
    "shuffle",
    "solarize",
    "some_of",
    "take",
    "to_tensor",
    "trivial_augment_wide",
]


def filter(
    keep: Sequence[str] | None = None,
    *,
    task: str | None = None,
    drop: Sequence[str] | None = None,
    key: str | None = None,
    drop_key: str | None = None,
    id: str | None = None,
) -> Component:
    """Leave samples out by class or key.

    Args:
        keep: classes to keep; all others, and samples of unknown class, are left out.
        task: the task whose classes keep and drop name (default: the only one).
        drop: classes to leave out.
        key: keep the samples whose key this regular expression (RE2) matches anywhere.
        drop_key: leave out the samples whose key this regular expression matches anywhere.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        filter,
        {
            "keep": keep,
            "task": task,
            "drop": drop,
            "key": key,
            "drop_key": drop_key,
            "id": id,
        },
    )


def take(
    count: int | None = None,
    *,
    per_class: int | None = None,
    task: str | None = None,
    id: str | None = None,
) -> Component:
    """Keep the first samples, of all or of each class.

    Args:
        count: keep this many samples, the first ones.
        per_class: keep this many samples of each class, the first ones (unknown labels are one class).
        task: the task whose classes per_class counts (default: the only one).
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        take,
        {
            "count": count,
            "per_class": per_class,
            "task": task,
            "id": id,
        },
    )


def shuffle(
    *,
    id: str | None = None,
) -> Component:
    """Draw every sample once per epoch, in random order.

    Args:
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        shuffle,
        {
            "id": id,
        },
    )


def rebalance(
    target: Literal["instance", "square_root", "power", "class_balanced"]
    | Mapping[str, object]
    | Sequence[Literal["instance", "square_root", "power", "class_balanced"] | Mapping[str, object]],
    *,
    power: float | None = None,
    task: str | Sequence[str] | None = None,
    draws: int | None = None,
    multiple: float | None = None,
    cover: Literal["largest"] | None = None,
    schedule: Mapping[str, Mapping[str, object]] | None = None,
    id: str | None = None,
) -> Component:
    """Draw classes in other proportions than they have, shuffled.

    Args:
        target: proportions of the classes: instance, square_root, power, class_balanced, {repeat_factor:
            {threshold: share, power: 0.5}}, {effective_number: {beta: 0.9999}}, {shares: {class: number}} or
            {counts: {class: draws per epoch}}; with several tasks a list may give each its own, of which the first
            divides the draws, and each further one divides those of every class before it.
        power: with target power: the exponent q of n^q, above 0, at most 1.
        task: the task to balance, several for the joint label, or boxes for the classes of objects (default: the
            only one).
        draws: draws per epoch (default: the number of samples, or the sum of the counts, or of the repeat factors).
        multiple: draws per epoch, as a multiple of the number of samples.
        cover: largest: as many draws per epoch as it takes to draw each sample of the largest class once.
        schedule: over which epochs the target is reached: {progressive: {from: instance, over: 1}} or {deferred:
            {from: instance, after: 0.8}}, shares of the number of epochs.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        rebalance,
        {
            "target": target,
            "power": power,
            "task": task,
            "draws": draws,
            "multiple": multiple,
            "cover": cover,
            "schedule": schedule,
            "id": id,
        },
    )


def class_weights(
    weights: Literal["inverse", "square_root", "effective_number"] | Sequence[float] | Mapping[str, float],
    *,
    task: str | None = None,
    beta: float = 0.9999,
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Weight each row by its class.

    Args:
        weights: inverse, square_root, effective_number, a number per class in class order, or a map of them by
            name; such numbers are scaled to add up to 1 (inverse and square_root have a mean of 1 over the
            samples); rows without a label keep their weight.
        task: the task whose classes are weighted (default: the only one).
        beta: of effective_number, above 0 and below 1.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        class_weights,
        {
            "weights": weights,
            "task": task,
            "beta": beta,
            "when": when,
            "id": id,
        },
    )


def decode(
    mode: Literal["rgb", "gray"] = "rgb",
    *,
    max_pixels: int = 268435456,
    truncated: Literal["error", "fill"] = "error",
    id: str | None = None,
) -> Component:
    """Decode image files to RGB, EXIF orientation applied.

    Args:
        mode: rgb, or gray: one channel, as Pillow's convert("L").
        max_pixels: refuse pictures of more pixels, by their header; one that needs more memory than the budget is
            decoded by itself.
        truncated: truncated or damaged JPEG files: an error, or filled in as libjpeg does, and counted.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        decode,
        {
            "mode": mode,
            "max_pixels": max_pixels,
            "truncated": truncated,
            "id": id,
        },
    )


def rotate(
    degrees: float | tuple[float, float],
    *,
    fill: int | tuple[int, int, int] | None = None,
    interpolation: Literal["nearest", "bilinear"] = "bilinear",
    expand: bool = False,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Rotate by a random angle, keeping the size or expanding the canvas.

    Args:
        degrees: range of the angle, counter-clockwise; a number d stands for [-d, d].
        fill: colour outside the picture: a grey 0..255 or [r, g, b] (default 0: black).
        interpolation: how values between pixels are found.
        expand: enlarge the canvas to hold the whole rotated picture, instead of keeping the size.
        p: share of the draws that are rotated.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        rotate,
        {
            "degrees": degrees,
            "fill": fill,
            "interpolation": interpolation,
            "expand": expand,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def affine(
    degrees: float | tuple[float, float] | None = None,
    *,
    translate: tuple[float, float] | None = None,
    scale: tuple[float, float] | None = None,
    shear: float | Sequence[float] | None = None,
    interpolation: Literal["nearest", "bilinear"] = "bilinear",
    fill: int | tuple[int, int, int] | None = None,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Rotate, translate, scale and shear by random amounts.

    Args:
        degrees: range of the angle, counter-clockwise; a number d stands for [-d, d] (default: no rotation).
        translate: largest translation either way, as shares of width and height 0..1 (default: none).
        scale: range of the scale factor, 0.01 to 100: 2 doubles lengths (default: no scaling).
        shear: range of the x shear in degrees, [min, max] or d for [-d, d]; four numbers add the range of the y
            shear (default: no shear).
        interpolation: how values between pixels are found.
        fill: colour outside the picture: a grey 0..255 or [r, g, b] (default 0: black).
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        affine,
        {
            "degrees": degrees,
            "translate": translate,
            "scale": scale,
            "shear": shear,
            "interpolation": interpolation,
            "fill": fill,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def perspective(
    distortion_scale: float = 0.5,
    *,
    interpolation: Literal["nearest", "bilinear"] = "bilinear",
    fill: int | tuple[int, int, int] | None = None,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Show as a plane seen from a random angle.

    Args:
        distortion_scale: how far a corner may move: a share of half the side, 0..1.
        interpolation: how values between pixels are found.
        fill: colour outside the picture: a grey 0..255 or [r, g, b] (default 0: black).
        p: share of the draws that are changed; torchvision's own is 0.5.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        perspective,
        {
            "distortion_scale": distortion_scale,
            "interpolation": interpolation,
            "fill": fill,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def crop(
    size: float | None = None,
    *,
    height: float | None = None,
    width: float | None = None,
    offset: tuple[float, float] | None = None,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Cut out a window at a random position.

    Args:
        size: both sides: a share such as 0.5, or pixels such as 224 (a square).
        height: instead of size: share or pixels.
        width: instead of size: share or pixels.
        offset: range of the left and top edge, shares or pixels, upper end excluded (default: anywhere it fits).
        p: share of the draws that are cropped.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        crop,
        {
            "size": size,
            "height": height,
            "width": width,
            "offset": offset,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def center_crop(
    size: float | None = None,
    *,
    height: float | None = None,
    width: float | None = None,
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Cut out the centre.

    Args:
        size: both sides: pixels such as 224 (a square), or a share such as 0.875.
        height: instead of size: pixels or share.
        width: instead of size: pixels or share.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        center_crop,
        {
            "size": size,
            "height": height,
            "width": width,
            "when": when,
            "id": id,
        },
    )


def random_resized_crop(
    size: int | None = None,
    *,
    height: int | None = None,
    width: int | None = None,
    scale: tuple[float, float] = (0.08, 1),
    ratio: tuple[float, float] = (0.75, 1.3333333333333333),
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos", "box"] = "bilinear",
    antialias: bool = True,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Cut out a window of random area, aspect ratio and position, and resize it.

    Args:
        size: both sides of the result, pixels.
        height: instead of size: pixels.
        width: instead of size: pixels.
        scale: range of the window's share of the picture's area.
        ratio: range of the window's width / height.
        interpolation: filter, with Pillow's kernel.
        antialias: average when shrinking, as Pillow; false: sample, as OpenCV.
        p: share of the draws that are cropped and resized.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        random_resized_crop,
        {
            "size": size,
            "height": height,
            "width": width,
            "scale": scale,
            "ratio": ratio,
            "interpolation": interpolation,
            "antialias": antialias,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def flip(
    p: float = 0.5,
    *,
    direction: Literal["horizontal", "vertical"] = "horizontal",
    classes: Mapping[str, str] | None = None,
    never: Sequence[str] | None = None,
    task: str | None = None,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Mirror at random.

    Args:
        p: share of the draws that are flipped.
        direction: horizontal: left becomes right; vertical: top becomes bottom.
        classes: classes that a flip exchanges, each pair once: {left_arrow: right_arrow}; a row that is flipped
            leaves with the label of the other.
        never: classes whose rows are not flipped.
        task: the task whose classes these are (default: the only one).
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        flip,
        {
            "p": p,
            "direction": direction,
            "classes": classes,
            "never": never,
            "task": task,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def resize(
    size: int | None = None,
    *,
    height: int | None = None,
    width: int | None = None,
    max_size: int | None = None,
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos", "box"] = "bilinear",
    antialias: bool = True,
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Scale to a height and width, or to a length of the shorter side.

    Args:
        size: instead of height and width: pixels of the shorter side, keeping the aspect ratio.
        height: pixels; with width.
        width: pixels; with height.
        max_size: with size: most pixels of the longer side (default: no limit).
        interpolation: filter, with Pillow's kernel.
        antialias: average when shrinking, as Pillow; false: sample, as OpenCV.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        resize,
        {
            "size": size,
            "height": height,
            "width": width,
            "max_size": max_size,
            "interpolation": interpolation,
            "antialias": antialias,
            "when": when,
            "id": id,
        },
    )


def random_shortest_size(
    min: Sequence[int],
    *,
    max: int | None = None,
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos", "box"] = "bilinear",
    antialias: bool = True,
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Scale to a random length of the shorter side.

    Args:
        min: lengths of the shorter side, pixels, of which one is drawn: [480, 512, 544].
        max: most pixels of the longer side, whatever is drawn (default: no limit).
        interpolation: filter, with Pillow's kernel.
        antialias: average when shrinking, as Pillow; false: sample, as OpenCV.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        random_shortest_size,
        {
            "min": min,
            "max": max,
            "interpolation": interpolation,
            "antialias": antialias,
            "when": when,
            "id": id,
        },
    )


def scale_jitter(
    target: tuple[int, int],
    *,
    range: tuple[float, float] = (0.1, 2),
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos", "box"] = "bilinear",
    antialias: bool = True,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Scale by a random factor, keeping the shape.

    Args:
        target: height and width, pixels, into which a picture of scale 1 just fits: [1024, 1024].
        range: range of the scale.
        interpolation: filter, with Pillow's kernel.
        antialias: average when shrinking, as Pillow; false: sample, as OpenCV.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        scale_jitter,
        {
            "target": target,
            "range": range,
            "interpolation": interpolation,
            "antialias": antialias,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def pad(
    size: tuple[int, int] | None = None,
    *,
    padding: int | Sequence[int] | None = None,
    multiple: int | None = None,
    mode: Literal["constant", "edge", "reflect"] = "constant",
    fill: int | tuple[int, int, int] | None = None,
    at: Literal["center", "top_left"] = "center",
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Add a border: so many pixels, to a size, or to a multiple.

    Args:
        size: instead of padding: least height and width of the result, pixels; longer sides stay.
        padding: pixels beside each side: one number, [left and right, top and bottom], or [left, top, right,
            bottom].
        multiple: instead of padding: pixels of which each side becomes a multiple, such as 32.
        mode: what is beside the picture: constant (fill), edge (its nearest pixel) or reflect (mirrored).
        fill: colour with mode constant: a grey 0..255 or [r, g, b] (default 0: black).
        at: where the picture lies with size or multiple: center or top_left.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        pad,
        {
            "size": size,
            "padding": padding,
            "multiple": multiple,
            "mode": mode,
            "fill": fill,
            "at": at,
            "when": when,
            "id": id,
        },
    )


def letterbox(
    size: int | None = None,
    *,
    height: int | None = None,
    width: int | None = None,
    fill: int | tuple[int, int, int] = (114, 114, 114),
    scale_up: bool = True,
    at: Literal["center", "top_left"] = "center",
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos", "box"] = "bilinear",
    antialias: bool = True,
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Scale until it fits into a size, and fill the rest.

    Args:
        size: both sides of the result, pixels.
        height: instead of size: pixels.
        width: instead of size: pixels.
        fill: colour beside the picture: a grey 0..255 or [r, g, b].
        scale_up: enlarge pictures that are smaller; false: they keep their size.
        at: where the picture lies: center or top_left.
        interpolation: filter, with Pillow's kernel.
        antialias: average when shrinking, as Pillow; false: sample, as OpenCV.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        letterbox,
        {
            "size": size,
            "height": height,
            "width": width,
            "fill": fill,
            "scale_up": scale_up,
            "at": at,
            "interpolation": interpolation,
            "antialias": antialias,
            "when": when,
            "id": id,
        },
    )


def random_zoom_out(
    side_range: tuple[float, float] = (1, 4),
    *,
    fill: int | tuple[int, int, int] | None = None,
    p: float = 0.5,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Put the picture somewhere on a larger canvas.

    Args:
        side_range: range of the canvas's sides, in those of the picture.
        fill: colour beside the picture: a grey 0..255 or [r, g, b] (default 0: black).
        p: share of the draws that are zoomed out.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        random_zoom_out,
        {
            "side_range": side_range,
            "fill": fill,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def random_iou_crop(
    scale: tuple[float, float] = (0.3, 1),
    *,
    ratio: tuple[float, float] = (0.5, 2),
    sampler_options: Sequence[float] = (0, 0.1, 0.3, 0.5, 0.7, 0.9, 1),
    trials: int = 40,
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Cut out a window that overlaps an object by a random amount.

    Args:
        scale: range of the window's sides, in those of the picture.
        ratio: range of the window's width / height.
        sampler_options: least overlaps (intersection over union) with an object, of which one is drawn; 1: leave
            the picture as it is.
        trials: windows that are tried for an overlap.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        random_iou_crop,
        {
            "scale": scale,
            "ratio": ratio,
            "sampler_options": sampler_options,
            "trials": trials,
            "when": when,
            "id": id,
        },
    )


def sanitize_boxes(
    min_size: float = 1,
    *,
    min_area: float = 1,
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Drop objects whose box is small.

    Args:
        min_size: least width and height of a box, pixels of the picture that enters the stage.
        min_area: least width x height of a box, square pixels of that picture.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        sanitize_boxes,
        {
            "min_size": min_size,
            "min_area": min_area,
            "when": when,
            "id": id,
        },
    )


def color_jitter(
    brightness: float | tuple[float, float] | None = None,
    *,
    contrast: float | tuple[float, float] | None = None,
    saturation: float | tuple[float, float] | None = None,
    hue: float | tuple[float, float] | None = None,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Change brightness, contrast, saturation and hue at random.

    Args:
        brightness: range of the factor, 1 changes nothing; a number b stands for [max(0, 1-b), 1+b] (default: off).
        contrast: as brightness; 0 is the mean grey everywhere (default: off).
        saturation: as brightness; 0 removes all colour (default: off).
        hue: range of the hue rotation, -0.5 to 0.5 of the circle; a number h stands for [-h, h] (default: off).
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        color_jitter,
        {
            "brightness": brightness,
            "contrast": contrast,
            "saturation": saturation,
            "hue": hue,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def rand_augment(
    num_ops: int = 2,
    *,
    magnitude: float = 9,
    num_magnitude_bins: int = 31,
    timm: str | None = None,
    interpolation: Literal["nearest", "bilinear"] = "bilinear",
    fill: int | tuple[int, int, int] | None = None,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Do a few random operations of one magnitude.

    Args:
        num_ops: operations, one after the other.
        magnitude: how much each does, up to num_magnitude_bins - 1; fractions too.
        num_magnitude_bins: what magnitude is counted in: the most is one less.
        timm: timm's operations and draws, in its words, such as rand-m9-mstd0.5-inc1; in place of num_ops,
            magnitude and num_magnitude_bins (default: torchvision's).
        interpolation: how values between pixels are found; torchvision's default is nearest.
        fill: colour outside the picture: a grey 0..255 or [r, g, b] (default: black, with timm the grey 128).
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        rand_augment,
        {
            "num_ops": num_ops,
            "magnitude": magnitude,
            "num_magnitude_bins": num_magnitude_bins,
            "timm": timm,
            "interpolation": interpolation,
            "fill": fill,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def trivial_augment_wide(
    num_magnitude_bins: int = 31,
    *,
    interpolation: Literal["nearest", "bilinear"] = "bilinear",
    fill: int | tuple[int, int, int] | None = None,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Do one random operation of a random magnitude.

    Args:
        num_magnitude_bins: different magnitudes, from none to the most.
        interpolation: how values between pixels are found; torchvision's default is nearest.
        fill: colour outside the picture: a grey 0..255 or [r, g, b] (default 0: black).
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        trivial_augment_wide,
        {
            "num_magnitude_bins": num_magnitude_bins,
            "interpolation": interpolation,
            "fill": fill,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def one_of(
    stages: Sequence[Component | str | Mapping[str, object]],
    *,
    p: float = 1,
    weights: Sequence[float] | None = None,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Do what one of some stages does.

    Args:
        stages: the stages, as a pipeline has them, of which one acts.
        p: share of the draws that are changed.
        weights: how often each acts, in proportion to its number: [3, 1, 1] (default: each as often).
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        one_of,
        {
            "stages": stages,
            "p": p,
            "weights": weights,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def some_of(
    stages: Sequence[Component | str | Mapping[str, object]],
    *,
    n: int = 1,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Do what some of a list of stages do.

    Args:
        stages: the stages, as a pipeline has them, of which some act, in this order.
        n: how many of them act.
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        some_of,
        {
            "stages": stages,
            "n": n,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def grayscale(
    p: float = 1,
    *,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Take the colour out, keeping three channels.

    Args:
        p: share of the draws that become grey.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        grayscale,
        {
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def invert(
    p: float = 1,
    *,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Make a negative.

    Args:
        p: share of the draws that are inverted.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        invert,
        {
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def solarize(
    threshold: float = 128,
    *,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Invert the bright values.

    Args:
        threshold: values of at least this are inverted, up to 255.
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        solarize,
        {
            "threshold": threshold,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def posterize(
    bits: int = 4,
    *,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Keep a few bits of each value.

    Args:
        bits: bits that are kept, 1 to 8; 8 changes nothing.
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        posterize,
        {
            "bits": bits,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def gamma(
    range: tuple[float, float] = (0.8, 1.2),
    *,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Raise values to a random power.

    Args:
        range: range of the power: below 1 dark parts become lighter, above 1 darker.
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        gamma,
        {
            "range": range,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def autocontrast(
    p: float = 1,
    *,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Stretch each channel to all of 0..255.

    Args:
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        autocontrast,
        {
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def equalize(
    p: float = 1,
    *,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Give all levels about as many pixels.

    Args:
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        equalize,
        {
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def sharpness(
    factor: float | tuple[float, float],
    *,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Blur or sharpen by a random factor.

    Args:
        factor: range of the factor; a number b stands for [max(0, 1-b), 1+b]; for one factor f give [f, f].
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        sharpness,
        {
            "factor": factor,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def gaussian_blur(
    kernel_size: int,
    *,
    sigma: tuple[float, float] = (0.1, 2),
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Blur by a random amount.

    Args:
        kernel_size: height and width of the kernel, in pixels: an odd number.
        sigma: range of the standard deviation, in pixels.
        p: share of the draws that are blurred.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        gaussian_blur,
        {
            "kernel_size": kernel_size,
            "sigma": sigma,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def gaussian_noise(
    mean: float | None = None,
    *,
    sigma: float = 0.1,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Add noise.

    Args:
        mean: mean of what is added, as a share of 255.
        sigma: its standard deviation, as a share of 255.
        p: share of the draws that are changed.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        gaussian_noise,
        {
            "mean": mean,
            "sigma": sigma,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def coarse_dropout(
    num_holes_range: tuple[int, int] = (1, 2),
    *,
    hole_height_range: tuple[float, float] = (0.1, 0.2),
    hole_width_range: tuple[float, float] = (0.1, 0.2),
    fill: int | tuple[int, int, int] | None = None,
    p: float = 1,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Fill random rectangles with a colour.

    Args:
        num_holes_range: least and largest number of holes.
        hole_height_range: range of their heights: shares of the picture's, or, where the second number is 1 or
            more, pixels.
        hole_width_range: range of their widths, likewise.
        fill: colour of the holes: a grey 0..255 or [r, g, b] (default 0: black).
        p: share of the draws that get holes.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        coarse_dropout,
        {
            "num_holes_range": num_holes_range,
            "hole_height_range": hole_height_range,
            "hole_width_range": hole_width_range,
            "fill": fill,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def random_erasing(
    scale: tuple[float, float] = (0.02, 0.33),
    *,
    ratio: tuple[float, float] = (0.3, 3.3),
    value: Literal["random"] | float | tuple[float, float, float] | None = None,
    p: float = 0.5,
    when: When | None = None,
    strength: Strength | None = None,
    id: str | None = None,
) -> Component:
    """Replace a random rectangle by a value or noise.

    Args:
        scale: range of the erased area, as a share of the picture's.
        ratio: range of height / width of what is erased.
        value: what is put there: a number, [r, g, b], or random, normal noise for each value; 0..255 in uint8
            pictures, and behind normalize a normalized value.
        p: share of the draws in which something is erased.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its
            amounts, or of p.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        random_erasing,
        {
            "scale": scale,
            "ratio": ratio,
            "value": value,
            "p": p,
            "when": when,
            "strength": strength,
            "id": id,
        },
    )


def to_tensor(
    dtype: Literal["float32", "uint8"] = "float32",
    *,
    layout: Literal["chw", "hwc"] = "chw",
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Convert uint8 pixels to float32 in 0..1, channels first.

    Args:
        dtype: float32: 0..1; uint8: 0..255.
        layout: chw: channel first, as PyTorch; hwc: channel last.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        to_tensor,
        {
            "dtype": dtype,
            "layout": layout,
            "when": when,
            "id": id,
        },
    )


def normalize(
    mean: Literal["imagenet", "dataset"] | float | Sequence[float],
    std: Literal["imagenet", "dataset"] | float | Sequence[float] | None = None,
    *,
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Subtract a mean and divide by a standard deviation, per channel.

    Args:
        mean: imagenet, dataset (measured before the run), or [r, g, b] in 0..1.
        std: imagenet, dataset (measured before the run), or [r, g, b] in 0..1.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        normalize,
        {
            "mean": mean,
            "std": std,
            "when": when,
            "id": id,
        },
    )


def batch(
    size: int,
    *,
    sizes: Literal["keep", "pad"] | None = None,
    drop_last: bool = False,
    id: str | None = None,
) -> Component:
    """Group rows into batches.

    Args:
        size: rows in a batch, per rank.
        sizes: of pictures that vary: keep, as they are; pad, to the batch's largest, with a column valid (default:
            they must not vary).
        drop_last: leave out the last batch of an epoch if it is short.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        batch,
        {
            "size": size,
            "sizes": sizes,
            "drop_last": drop_last,
            "id": id,
        },
    )


def mixup(
    alpha: float = 1,
    *,
    p: float = 1,
    per: Literal["batch", "row"] = "batch",
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Blend each picture of a batch with another one, and their labels.

    Args:
        alpha: of the distribution Beta(alpha, alpha) of a picture's share: 1 is uniform, less is nearer to 0 and 1.
        p: share of the batches, or rows, that are mixed.
        per: batch: one draw for all rows of a batch; row: one for each.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        mixup,
        {
            "alpha": alpha,
            "p": p,
            "per": per,
            "when": when,
            "id": id,
        },
    )


def cutmix(
    alpha: float = 1,
    *,
    p: float = 1,
    per: Literal["batch", "row"] = "batch",
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Paste a box of another picture of the batch into each, and mix their labels.

    Args:
        alpha: of the distribution Beta(alpha, alpha) of a picture's share before the box is clipped: 1 is uniform.
        p: share of the batches, or rows, that are mixed.
        per: batch: one draw for all rows of a batch; row: one for each.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        cutmix,
        {
            "alpha": alpha,
            "p": p,
            "per": per,
            "when": when,
            "id": id,
        },
    )


def remix(
    alpha: float = 1,
    *,
    kappa: float = 3,
    tau: float = 0.5,
    p: float = 1,
    per: Literal["batch", "row"] = "batch",
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Mixup whose label is the rarer class's where the other is much commoner.

    Args:
        alpha: of the distribution Beta(alpha, alpha) of a picture's share: 1 is uniform, less is nearer to 0 and 1.
        kappa: how many times the samples of the rarer class the other has at least.
        tau: the label is the rarer class alone where the other's share of the picture is below this.
        p: share of the batches, or rows, that are mixed.
        per: batch: one draw for all rows of a batch; row: one for each.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        remix,
        {
            "alpha": alpha,
            "kappa": kappa,
            "tau": tau,
            "p": p,
            "per": per,
            "when": when,
            "id": id,
        },
    )


def cmo(
    p: float = 0.5,
    *,
    alpha: float = 1,
    exponent: float = 1,
    task: str | None = None,
    per: Literal["batch", "row"] = "batch",
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Paste a box of a sample of a rarer class into each picture, and mix their labels.

    Args:
        p: share of the batches, or rows, into which a donor is pasted.
        alpha: of the distribution Beta(alpha, alpha) of a picture's share before the box is clipped: 1 is uniform.
        exponent: donors are drawn in proportion to 1/n_c^exponent, with n_c samples in their class: 1 is all
            classes equally, 2 those of a class in proportion to 1/n_c.
        task: the task whose classes count (default: the only one).
        per: batch: one draw for all rows of a batch; row: one for each.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        cmo,
        {
            "p": p,
            "alpha": alpha,
            "exponent": exponent,
            "task": task,
            "per": per,
            "when": when,
            "id": id,
        },
    )


def mosaic(
    p: float = 1,
    *,
    center: tuple[float, float] = (0.3, 0.7),
    donors: Literal["instance", "square_root", "power", "class_balanced"]
    | Mapping[str, object]
    | Sequence[Literal["instance", "square_root", "power", "class_balanced"] | Mapping[str, object]] = "instance",
    task: str = "boxes",
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Show parts of four pictures around a random point, with their objects and masks.

    Args:
        p: share of the rows that become mosaics.
        center: range of the point where the four meet, in shares of the width and height.
        donors: proportions in which classes donate: what rebalance takes as its target.
        task: the task whose classes donors are drawn by; boxes: the rarest class of their objects.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        mosaic,
        {
            "p": p,
            "center": center,
            "donors": donors,
            "task": task,
            "when": when,
            "id": id,
        },
    )


def copy_paste(
    p: float = 1,
    *,
    object_p: float = 0.5,
    number: int | None = None,
    below: int | None = None,
    scale: tuple[float, float] = (1, 1),
    sigma: float | None = None,
    donors: Literal["instance", "square_root", "power", "class_balanced"]
    | Mapping[str, object]
    | Sequence[Literal["instance", "square_root", "power", "class_balanced"] | Mapping[str, object]] = "instance",
    when: When | None = None,
    id: str | None = None,
) -> Component:
    """Paste objects of another picture into each, with their masks.

    Args:
        p: share of the rows that get a donor.
        object_p: probability with which each of the donor's objects is pasted.
        number: paste so many of the donor's objects, chosen at random, or all where it has fewer; without object_p.
        below: paste only objects of classes that fewer pictures have.
        scale: range of the factor by which the donor is scaled and moved: [0.1, 2] is the paper's large scale
            jitter; [1, 1]: neither.
        sigma: standard deviation, in pixels, of the gaussian that blends the edges of what is pasted (default: they
            are sharp).
        donors: proportions in which the classes of objects donate: what rebalance takes as its target.
        when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        copy_paste,
        {
            "p": p,
            "object_p": object_p,
            "number": number,
            "below": below,
            "scale": scale,
            "sigma": sigma,
            "donors": donors,
            "when": when,
            "id": id,
        },
    )


def multiscale(
    scales: Sequence[float],
    *,
    mode: Literal["nearest", "bilinear"] = "nearest",
    pick: Literal["each", "cycle", "random"] = "each",
    id: str | None = None,
) -> Component:
    """Deliver each batch in several sizes.

    Args:
        scales: factors of height and width, such as [0.5, 1, 1.5].
        mode: nearest or bilinear, as in torch's interpolate.
        pick: deliver a batch in each scale, in one that advances with batch and epoch (cycle), or in a random one.
        id: keeps the stage's random numbers its own when another of its name is put before it.
    """
    return component(
        multiscale,
        {
            "scales": scales,
            "mode": mode,
            "pick": pick,
            "id": id,
        },
    )
