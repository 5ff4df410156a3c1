"""Which stage equals which transform of torchvision and timm, and why the others have none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["NO_EQUAL", "hint"]

_IN_THE_LOOP = (
    "no stage does this: take it out of the Compose, and apply it in the training loop to each image, "
    "image = torch.stack([transform(x) for x in image]). Given a whole batch, torchvision draws once for all of its images"
)
_POLICY = (
    "no stage draws from a policy of transforms: write the ones that matter as stages, or take it out of the Compose and apply it in the "
    "training loop to each uint8 image, image = torch.stack([transform(x) for x in image]). Given a whole batch, it draws once for all"
)
_BATCH = "it mixes the rows of a batch, and a Compose is of single images: add the stage {stage} to the pipeline, behind batch"
_BOXES = "it is for boxes, masks or keypoints, which the engine moves with the image by itself: leave it out, and give the source's targets"
_OBJECTS = "from_torchvision has transforms of images alone: add the stage {stage} to the pipeline, which looks at the source's objects"

NO_EQUAL: dict[str, str] = {
    "AugMix": _POLICY,
    "AutoAugment": _POLICY,
    "CutMix": _BATCH.format(stage="cutmix"),
    "MixUp": _BATCH.format(stage="mixup"),
    "Lambda": "what your function does isn't known: write it as stages, or apply it in the training loop, to each image if it draws at random",
    "FiveCrop": "a sample gives one picture: make a pipeline for each window, or cut the batch in the loop",
    "TenCrop": "a sample gives one picture: make a pipeline for each window, or cut the batch in the loop",
    "RandomResize": "the nearest is RandomShortestSize with every length from min_size to max_size - 1",
    "RandomIoUCrop": _OBJECTS.format(stage="random_iou_crop"),
    "ClampBoundingBoxes": _BOXES,
    "ClampKeyPoints": _BOXES,
    "ConvertBoundingBoxFormat": _BOXES,
    "SanitizeBoundingBoxes": _OBJECTS.format(stage="sanitize_boxes"),
    "SanitizeKeyPoints": _BOXES,
    "SetClampingMode": _BOXES,
    "UniformTemporalSubsample": "it is for video, and pipelines deliver images",
    "RandomPhotometricDistort": "no stage permutes channels; the nearest is color_jitter with the same ranges and its p",
    "CenterCropOrPad": "no stage crops and pads: add the stages pad: {size: [224, 224]} and center_crop: {size: 224} to the pipeline",
    "RandomCropOrPad": "no stage crops and pads: add the stages pad: {size: [224, 224]} and crop: {size: 224} to the pipeline",
    "RandomPad": "no stage pads by random amounts: the nearest is the stage pad: {size: [224, 224]}, with the picture in the middle",
    "TrimBorder": "no stage cuts a number of pixels off each side; the nearest is center_crop with a share of the sides, such as size: 0.95",
}
"""Why a transform has no equal stage and what to do instead, by the name of its class. Those not listed change pixels as no stage does."""


def hint(name: str) -> str:
    """Why the transform of that class has no equal, and what to do."""
    return NO_EQUAL.get(name, _IN_THE_LOOP)


@dataclass(frozen=True)
class Limit:
    """How far pixels may be apart, in levels of 255: the largest difference, and the mean."""

    most: float
    mean: float


SAME = Limit(0, 0)


@dataclass(frozen=True)
class Row:
    """A transform and its equal.

    library: torchvision, timm or albumentations. name: of the class, with what is special about the row. stages: an example, which is
    what is measured. options: which of the transform's parameters become which options. differs: what is not the same, but for the
    random numbers. pillow, tensor, array: the limits of what the transform makes of Pillow's images, uint8 tensors and arrays; None where
    it isn't measured. A row without any is the nearest stage, not an equal one.
    """

    library: str
    name: str
    stages: tuple[Any, ...]
    options: str
    differs: str = ""
    pillow: Limit | None = None
    tensor: Limit | None = None
    array: Limit | None = None

    @property
    def transform(self) -> str:
        """The name of the class alone."""
        return re.split(r"[ (,]", self.name)[0]


_COLOR = {"brightness": [0.6, 1.4], "contrast": [0.6, 1.4], "saturation": [0.6, 1.4], "hue": [-0.1, 0.1]}
_SIMILAR = {"degrees": [-30, 30], "translate": [0.1, 0.1], "scale": [0.8, 1.2]}
_IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}

_EDGE = "at the edge of the picture: here it is blended into fill"
_HALFWAY = "where a point falls halfway between two pixels, either may be taken: a few pixels are their neighbours"
_ROUNDING = "tensors are rounded differently"
_HALF = Limit(1, 0.5)
_ONE = Limit(1, 0.01)
_FEW = Limit(255, 0.25)  # where a point falls halfway between two pixels, either may be taken
_SAMPLED = Limit(1, 0.3)
_POINTS = "where a point falls halfway between two pixels, either may be taken; " + _ROUNDING
_CROP = {"crop": {"size": 48}}

ROWS: tuple[Row, ...] = (
    Row(
        "torchvision",
        "Resize",
        ({"resize": {"size": 70}},),
        "size: size, or height and width; interpolation bilinear, bicubic, lanczos, box, nearest-exact: the same name, or nearest",
        _ROUNDING,
        SAME,
        _ONE,
    ),
    Row(
        "torchvision",
        "Resize(max_size)",
        ({"resize": {"size": 70, "max_size": 90}},),
        "size, max_size: as they are",
        "a side never becomes 0; " + _ROUNDING,
        SAME,
        _ONE,
    ),
    Row(
        "torchvision",
        "RandomShortestSize",
        ({"random_shortest_size": {"min": [40, 50, 70], "max": 90}},),
        "min_size: min; max_size: max",
        _ROUNDING,
        SAME,
        _ONE,
    ),
    Row(
        "torchvision",
        "ScaleJitter",
        ({"scale_jitter": {"target": [60, 80], "range": [0.5, 1.5]}},),
        "target_size [w, h]: target [h, w]; scale_range: range",
        _ROUNDING,
        SAME,
        _ONE,
    ),
    Row(
        "torchvision",
        "Pad",
        ({"pad": {"padding": [3, 4, 5, 6], "fill": 9}},),
        "padding, fill: as they are; padding_mode: mode, but for symmetric",
        "",
        SAME,
        SAME,
    ),
    Row(
        "torchvision",
        "Pad, reflect",
        ({"pad": {"padding": [3, 4, 5, 6], "mode": "reflect"}},),
        "as above",
        "",
        SAME,
        SAME,
    ),
    Row(
        "torchvision",
        "RandomZoomOut",
        ({"random_zoom_out": {"p": 0.5, "side_range": [1.0, 2.0], "fill": 9}},),
        "side_range, fill, p: as they are",
        "",
        SAME,
        SAME,
    ),
    Row(
        "torchvision",
        "Resize, bicubic",
        ({"resize": {"size": 70, "interpolation": "bicubic"}},),
        "as above",
        _ROUNDING,
        SAME,
        Limit(2, 0.01),
    ),
    Row(
        "torchvision",
        "Resize, nearest",
        ({"resize": {"size": 70, "interpolation": "nearest"}},),
        "nearest, of Pillow's images; nearest-exact, of both: nearest",
        f"of tensors, {_HALFWAY}; plain nearest of tensors has no equal",
        SAME,
        _FEW,
    ),
    Row(
        "torchvision",
        "Resize(antialias=False)",
        ({"resize": {"height": 40, "width": 50, "antialias": False}},),
        "antialias: antialias, behind ToImage; Pillow always averages, and so does the stage then",
        "only bilinear has an equal",
        None,
        _SAMPLED,
    ),
    Row(
        "torchvision",
        "CenterCrop",
        ({"center_crop": {"height": 50, "width": 40}},),
        "size: size, or height and width",
        "a picture smaller than the crop is an error, where torchvision pads it",
        SAME,
        SAME,
    ),
    Row(
        "torchvision",
        "RandomCrop",
        ({"crop": {"height": 50, "width": 40}},),
        "size: size, or height and width; padding and pad_if_needed: none",
        "",
        SAME,
        SAME,
    ),
    Row(
        "torchvision",
        "RandomResizedCrop",
        ({"random_resized_crop": {"height": 50, "width": 40}},),
        "size: size, or height and width; scale, ratio: as they are; interpolation, antialias: as Resize",
        _ROUNDING,
        SAME,
        _ONE,
    ),
    Row(
        "torchvision",
        "RandomResizedCrop, bicubic",
        ({"random_resized_crop": {"height": 50, "width": 40, "interpolation": "bicubic"}},),
        "as above",
        _ROUNDING,
        SAME,
        Limit(2, 0.01),
    ),
    Row(
        "torchvision",
        "RandomResizedCrop, nearest",
        ({"random_resized_crop": {"height": 50, "width": 40, "interpolation": "nearest"}},),
        "as above",
        f"of tensors, {_HALFWAY}",
        SAME,
        _FEW,
    ),
    Row("torchvision", "RandomHorizontalFlip", ({"flip": {"p": 0.5}},), "p: p", "", SAME, SAME),
    Row("torchvision", "RandomVerticalFlip", ({"flip": {"p": 0.5, "direction": "vertical"}},), "p: p", "", SAME, SAME),
    Row(
        "torchvision",
        "RandomRotation",
        ({"affine": {"degrees": [-30, 30], "fill": 9}},),
        "degrees, fill: as they are; interpolation nearest (torchvision's default) or bilinear; center: none. rotate without expand turns about pixel (w // 2, h // 2)",
        _EDGE + "; Pillow rounds down",
        _HALF,
        _ONE,
    ),
    Row(
        "torchvision",
        "RandomRotation, nearest",
        ({"affine": {"degrees": [-30, 30], "interpolation": "nearest", "fill": 9}},),
        "as above",
        _HALFWAY,
        _FEW,
        _FEW,
    ),
    Row(
        "torchvision",
        "RandomRotation(expand=True)",
        ({"rotate": {"degrees": [-30, 30], "expand": True}},),
        "as above, and expand: expand",
        _EDGE + "; Pillow rounds down",
        _HALF,
        _ONE,
    ),
    Row(
        "torchvision",
        "RandomAffine",
        (
            {
                "affine": {
                    "degrees": [-30, 30],
                    "translate": [0.1, 0.1],
                    "scale": [0.8, 1.2],
                    "shear": [-8, 8, -5, 5],
                    "fill": 9,
                }
            },
        ),
        "degrees [a, b]: degrees [-b, -a], as positive is counter-clockwise here; translate, scale, shear, fill: as they are; center: none",
        _EDGE + "; Pillow rounds down",
        _HALF,
        _ONE,
    ),
    Row(
        "torchvision",
        "RandomAffine, nearest",
        (
            {
                "affine": {
                    "degrees": [-30, 30],
                    "translate": [0.1, 0.1],
                    "scale": [0.8, 1.2],
                    "shear": [-8, 8, -5, 5],
                    "interpolation": "nearest",
                    "fill": 9,
                }
            },
        ),
        "as above",
        _HALFWAY,
        _FEW,
        _FEW,
    ),
    Row(
        "torchvision",
        "RandomPerspective",
        ({"perspective": {"p": 0.9, "distortion_scale": 0.4}},),
        "distortion_scale, p, fill, interpolation: as they are",
        _EDGE + "; Pillow rounds down; corners that fold the picture, above a distortion of 2/3, are drawn again",
        _HALF,
        _ONE,
    ),
    Row(
        "torchvision",
        "ColorJitter",
        ({"color_jitter": _COLOR},),
        "brightness, contrast, saturation, hue: as they are",
        "of tensors, hue is computed in floats; Pillow's is in 255 steps",
        SAME,
        Limit(24, 1.5),
    ),
    Row(
        "torchvision",
        "ColorJitter without hue",
        ({"color_jitter": {k: v for k, v in _COLOR.items() if k != "hue"}},),
        "as above",
        _ROUNDING,
        SAME,
        Limit(4, 0.5),
    ),
    Row(
        "torchvision",
        "RandomGrayscale",
        ({"grayscale": {"p": 0.5}},),
        "p: p",
        "tensors are rounded down",
        SAME,
        Limit(1, 0.6),
    ),
    Row(
        "torchvision",
        "Grayscale(3)",
        ("grayscale",),
        "num_output_channels 3",
        "tensors are rounded down",
        SAME,
        Limit(1, 0.6),
    ),
    Row(
        "torchvision",
        "Grayscale",
        ({"decode": {"mode": "gray"}}, _CROP),
        "num_output_channels 1",
        "the picture is grey from decode on, where torchvision may resize it in colour first: pixels then differ by rounding",
        SAME,
    ),
    Row("torchvision", "RandomInvert", ({"invert": {"p": 0.5}},), "p: p", "", SAME, SAME),
    Row(
        "torchvision",
        "RandomSolarize",
        ({"solarize": {"p": 0.5, "threshold": 99.0}},),
        "threshold: as it is, of values 0 to 255, above 0; p: p",
        "",
        SAME,
        SAME,
    ),
    Row(
        "torchvision",
        "RandomPosterize",
        ({"posterize": {"p": 0.5, "bits": 3}},),
        "bits, p: as they are",
        "",
        SAME,
        SAME,
    ),
    Row(
        "torchvision",
        "RandomAutocontrast",
        ({"autocontrast": {"p": 0.5}},),
        "p: p",
        _ROUNDING,
        SAME,
        Limit(1, 0.1),
    ),
    Row("torchvision", "RandomEqualize", ({"equalize": {"p": 0.5}},), "p: p", "", SAME, SAME),
    Row(
        "torchvision",
        "RandomAdjustSharpness",
        ({"sharpness": {"p": 0.5, "factor": [2.5, 2.5]}},),
        "sharpness_factor f: factor [f, f]; p: p",
        _ROUNDING,
        SAME,
        Limit(1, 0.1),
    ),
    Row(
        "torchvision",
        "RandAugment",
        ({"rand_augment": {"num_ops": 3, "magnitude": 19.0, "interpolation": "nearest", "fill": 9}},),
        "num_ops, magnitude, num_magnitude_bins, fill: as they are; interpolation nearest (torchvision's default) or bilinear",
        _POINTS,
        _FEW,
        _FEW,
    ),
    Row(
        "torchvision",
        "TrivialAugmentWide",
        ({"trivial_augment_wide": {"interpolation": "nearest", "fill": 9}},),
        "as above",
        _POINTS,
        _FEW,
        _FEW,
    ),
    Row(
        "torchvision",
        "GaussianBlur",
        ({"gaussian_blur": {"kernel_size": 9, "sigma": [0.1, 2.0]}},),
        "kernel_size, square; sigma",
        "weights are rounded to 15 bits; pictures smaller than the kernel are blurred too",
        Limit(1, 0.02),
        Limit(1, 0.02),
    ),
    Row(
        "torchvision",
        "RandomErasing",
        ({"random_erasing": {"p": 0.5, "scale": [0.02, 0.33], "ratio": [0.3, 3.3], "value": [9, 99, 199]}},),
        "p, scale, ratio, value: as they are; of floats it comes behind to_tensor and normalize",
        "",
        SAME,
        SAME,
    ),
    Row(
        "torchvision",
        "GaussianNoise",
        ({"gaussian_noise": {"mean": 0.0, "sigma": 0.1}},),
        "mean, sigma: as they are; clip",
        "the noise is the engine's; it is rounded here, and its digits are cut off there",
    ),
    Row(
        "torchvision",
        "ToTensor",
        (_CROP, "to_tensor"),
        "ToImage with ToDtype(torch.float32, scale=True) too, and ConvertImageDtype",
        "it comes behind all stages that change pixels; ToTensor has the same bits, ToDtype differs in the last bit of float32",
        Limit(0.001, 0.0001),
        Limit(0.001, 0.0001),
    ),
    Row("torchvision", "PILToTensor", (_CROP, {"to_tensor": {"dtype": "uint8"}}), "ToImage too", "", SAME, SAME),
    Row(
        "torchvision",
        "Normalize",
        (_CROP, "to_tensor", {"normalize": _IMAGENET}),
        "mean, std: as they are, within 0 to 1; of floats 0 to 255, divided by 255",
        "the last bit of float32",
        Limit(0.001, 0.0001),
        Limit(0.001, 0.0001),
    ),
    Row(
        "timm",
        "create_transform",
        (
            {"resize": {"size": 54, "interpolation": "bicubic"}},
            {"center_crop": {"size": 48}},
            "to_tensor",
            {"normalize": _IMAGENET},
        ),
        "crop_mode center and squash; border pads, and has no equal",
        "",
        Limit(0.001, 0.0001),
    ),
    Row(
        "timm",
        "RandAugment",
        ({"rand_augment": {"timm": "rand-m9-n2-p0.5-mstd0.5-inc1", "fill": [124, 116, 104]}},),
        "its text, without -t; img_mean: fill",
        "the operations, their magnitudes and how often they are drawn are timm's; pixels are moved bilinearly, where timm draws bilinear or bicubic unless "
        "it is given one, and edges are blended with fill",
    ),
    Row(
        "timm",
        "create_transform(is_training=True)",
        (
            {"random_resized_crop": {"size": 48, "interpolation": "bicubic"}},
            {"flip": {"p": 0.5}},
            {"color_jitter": {k: v for k, v in _COLOR.items() if k != "hue"}},
            "to_tensor",
            {"normalize": _IMAGENET},
        ),
        "with color_jitter, color_jitter_prob, grayscale_prob, hflip, vflip; gaussian_blur_prob; re_prob with re_mode const or pixel; auto_augment as below, where it begins with rand",
        "",
        Limit(0.001, 0.0001),
    ),
    Row(
        "timm",
        "RandomErasing",
        (
            _CROP,
            "to_tensor",
            {"normalize": _IMAGENET},
            {"random_erasing": {"p": 0.5, "scale": [0.02, 1 / 3], "ratio": [0.3, 3.333333333333], "value": 0}},
        ),
        "probability: p; min_area, max_area: scale; min_aspect: ratio; mode const: value 0, pixel: random; one rectangle",
        "",
        Limit(0.001, 0.0001),
    ),
    Row(
        "timm",
        "RandomResizedCropAndInterpolation",
        ({"random_resized_crop": {"height": 50, "width": 40, "interpolation": "bicubic"}},),
        "size, scale, ratio, interpolation; interpolation='random' has no equal",
        "",
        SAME,
    ),
    Row(
        "timm",
        "ResizeKeepRatio",
        ({"resize": {"size": 20}},),
        "a square size with longest=0, and nothing random",
        "the longer side is rounded down here, and to the nearest pixel there",
        SAME,
    ),
    Row("timm", "MaybeToTensor", (_CROP, "to_tensor"), "", "", SAME),
    Row("timm", "MaybePILToTensor", (_CROP, {"to_tensor": {"dtype": "uint8"}}), "", "", SAME),
    Row("timm", "ToNumpy", (_CROP, {"to_tensor": {"dtype": "uint8"}}), "", "", SAME),
    Row("albumentations", "HorizontalFlip", ({"flip": {"p": 0.5}},), "p: p", "", array=SAME),
    Row("albumentations", "VerticalFlip", ({"flip": {"p": 0.5, "direction": "vertical"}},), "p: p", "", array=SAME),
    Row(
        "albumentations",
        "Rotate",
        ({"affine": {"degrees": [-30, 30]}},),
        "limit: degrees; fill, p: as they are; border_mode: constant; crop_border: none",
        "",
        array=_ONE,
    ),
    Row(
        "albumentations",
        "Affine",
        ({"affine": _SIMILAR},),
        "rotate: degrees; translate_percent (-x, x): translate; scale, fill, p: as they are; fit_output, balanced_scale: none",
        "translations are whole pixels here; shear is another matrix there",
        array=_ONE,
    ),
    Row(
        "albumentations",
        "ShiftScaleRotate",
        ({"affine": _SIMILAR},),
        "shift_limit s: translate [s, s]; scale_limit s: scale [1 - s, 1 + s]; rotate_limit: degrees; fill, p: as they are",
        "translations are rounded to whole pixels, there cut off",
        array=_ONE,
    ),
    Row(
        "albumentations",
        "RandomCrop",
        ({"crop": {"height": 50, "width": 40}},),
        "height, width, p: as they are; pad_if_needed: none",
        "",
        array=SAME,
    ),
    Row(
        "albumentations",
        "CenterCrop",
        ({"center_crop": {"height": 50, "width": 40}},),
        "height, width: as they are; pad_if_needed: none",
        "where the borders cannot be equal, the crop may lie a pixel further to the right and down",
        array=SAME,
    ),
    Row(
        "albumentations",
        "Resize",
        ({"resize": {"height": 40, "width": 50, "antialias": False}},),
        "height, width: as they are; interpolation: linear",
        "OpenCV doesn't average when it shrinks; leave antialias out to have it done",
        array=_SAMPLED,
    ),
    Row(
        "albumentations",
        "SmallestMaxSize",
        ({"resize": {"size": 20, "antialias": False}},),
        "max_size: size",
        "the longer side is rounded down here, and to the nearest pixel there",
        array=_SAMPLED,
    ),
    Row(
        "albumentations",
        "RandomResizedCrop",
        ({"random_resized_crop": {"height": 50, "width": 40, "antialias": False}},),
        "size: height and width; scale, ratio, p: as they are",
        "as Resize",
        array=_SAMPLED,
    ),
    Row(
        "albumentations",
        "ColorJitter",
        ({"color_jitter": _COLOR},),
        "brightness, contrast, saturation, hue, p: as they are; p there is 0.5",
        "each adjustment is Pillow's here, OpenCV's there",
        array=Limit(24, 2),
    ),
    Row(
        "albumentations",
        "ToGray",
        ("grayscale",),
        "p: p, 0.5 there; method weighted_average",
        "",
        array=Limit(1, 0.01),
    ),
    Row("albumentations", "InvertImg", ("invert",), "p: p, 0.5 there", "", array=SAME),
    Row(
        "albumentations",
        "Solarize",
        ({"solarize": {"threshold": 102}},),
        "threshold_range (s, s): threshold 255 s; p: p, 0.5 there",
        "",
        array=SAME,
    ),
    Row(
        "albumentations",
        "Posterize",
        ({"posterize": {"bits": 3}},),
        "num_bits b: bits b; p: p, 0.5 there",
        "",
        array=SAME,
    ),
    Row(
        "albumentations",
        "RandomGamma",
        ({"gamma": {"range": [0.5, 2]}},),
        "gamma_limit: range, divided by 100; p: p, 0.5 there",
        "",
        array=Limit(1, 0.5),
    ),
    Row(
        "albumentations",
        "Equalize",
        ({"equalize": {"p": 0.5}},),
        "by_channels; p: p",
        "a level's own pixels count as darker there, here half a step does, as in Pillow",
    ),
    Row(
        "albumentations",
        "AutoContrast",
        ({"autocontrast": {"p": 0.5}},),
        "cutoff 0, method 'pil'; p: p",
        "white pixels aren't counted there",
    ),
    Row(
        "albumentations",
        "CoarseDropout",
        ({"coarse_dropout": {"num_holes_range": [2, 5], "fill": 9}},),
        "num_holes_range, hole_height_range, hole_width_range, p: as they are, p 0.5 there; fill: a colour; fill_mask: none",
        "",
        array=SAME,
    ),
    Row(
        "albumentations",
        "GaussNoise",
        ({"gaussian_noise": {"sigma": 0.2, "p": 0.5}},),
        "std_range (s, s): sigma s; mean_range (m, m): mean m; p: p",
        "the noise is the engine's",
    ),
    Row("albumentations", "ToFloat", (_CROP, "to_tensor"), "max_value 255", "channels come first", array=SAME),
    Row(
        "albumentations",
        "Normalize",
        (_CROP, "to_tensor", {"normalize": _IMAGENET}),
        "mean, std: as they are, with max_pixel_value 255",
        "the last bits of float32; channels come first",
        array=Limit(0.01, 0.001),
    ),
    Row(
        "albumentations",
        "ToTensorV2",
        (_CROP, {"to_tensor": {"dtype": "uint8"}}),
        "behind Normalize, both are to_tensor and normalize",
        "",
        array=SAME,
    ),
    Row(
        "albumentations",
        "SafeRotate",
        ({"rotate": {"degrees": [-90, 90], "expand": True, "p": 0.5}},),
        "limit: degrees; fill, p: as they are",
        "it squeezes the result into the old size; here the picture grows",
    ),
    Row(
        "albumentations",
        "RandomScale",
        ({"affine": {"scale": [0.9, 1.1], "p": 0.5}},),
        "scale_limit s: scale [1 - s, 1 + s]",
        "the picture keeps its size here",
    ),
    Row(
        "albumentations",
        "RandomBrightnessContrast",
        ({"color_jitter": {"brightness": [0.8, 1.2], "contrast": [0.8, 1.2], "p": 0.5}},),
        "brightness_limit b, contrast_limit c: [1 - b, 1 + b], [1 - c, 1 + c]",
        "it adds to the brightness, and turns the contrast about black; here both are factors, the contrast's about the mean",
    ),
    Row(
        "albumentations",
        "HueSaturationValue",
        ({"color_jitter": {"brightness": [0.9, 1.1], "saturation": [0.8, 1.2], "hue": [-0.05, 0.05], "p": 0.5}},),
        "hue_shift_limit h: hue h / 180",
        "it adds to saturation and value; here they are factors",
    ),
)
"""The transforms that have an equal stage, or a near one."""
