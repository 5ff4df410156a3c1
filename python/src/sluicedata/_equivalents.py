"""Which stage equals which transform of torchvision and timm, and why the others have none."""

from __future__ import annotations

__all__ = ["NO_EQUAL", "hint"]

_IN_THE_LOOP = "no stage does this: apply it to the batch in the training loop"
_POLICY = "no stage draws from a policy of transforms: write the ones that matter as stages, or apply it in the loop to the uint8 batch"
_BATCH = "it mixes the rows of a batch, with their labels: apply it in the training loop, to a batch's image and label"
_BOXES = "it is for boxes, masks or keypoints, and pipelines deliver images with class labels"

NO_EQUAL: dict[str, str] = {
    "AugMix": _POLICY,
    "AutoAugment": _POLICY,
    "RandAugment": _POLICY,
    "TrivialAugmentWide": _POLICY,
    "CutMix": _BATCH,
    "MixUp": _BATCH,
    "Lambda": "what a function of one's own does isn't known: apply it to the batch in the training loop, or write it as stages",
    "Pad": "no stage pads: resize to the size instead, or pad the batch in the training loop",
    "FiveCrop": "a sample gives one picture: make a pipeline for each window, or cut the batch in the loop",
    "TenCrop": "a sample gives one picture: make a pipeline for each window, or cut the batch in the loop",
    "RandomZoomOut": "no stage pads; the nearest is affine, with a scale below 1, which keeps the size: affine: {scale: [0.25, 1]}",
    "RandomResize": "no stage draws its size; the nearest is random_resized_crop, which draws the window instead",
    "RandomShortestSize": "no stage draws its size; the nearest is random_resized_crop, which draws the window instead",
    "ScaleJitter": "no stage draws its size; the nearest is random_resized_crop, which draws the window instead",
    "RandomIoUCrop": _BOXES,
    "ClampBoundingBoxes": _BOXES,
    "ClampKeyPoints": _BOXES,
    "ConvertBoundingBoxFormat": _BOXES,
    "SanitizeBoundingBoxes": _BOXES,
    "SanitizeKeyPoints": _BOXES,
    "SetClampingMode": _BOXES,
    "UniformTemporalSubsample": "it is for video, and pipelines deliver images",
    "RandomPhotometricDistort": "no stage permutes channels; the nearest is color_jitter with the same ranges and its p",
    "RandomRotate90": "no stage draws from four angles; the nearest is rotate, from a range of angles, or flip",
    "CenterCropOrPad": "no stage pads: where no picture is smaller than the crop, write CenterCrop",
    "RandomCropOrPad": "no stage pads: where no picture is smaller than the crop, write RandomCrop",
    "RandomPad": "no stage pads: resize to the size instead",
    "TrimBorder": "no stage cuts a number of pixels off each side; the nearest is center_crop with a share of the sides, such as size: 0.95",
}
"""Why a transform has no equal stage and what to do instead, by the name of its class. Those not listed change pixels as no stage does."""


def hint(name: str) -> str:
    """Why the transform of that class has no equal, and what to do."""
    return NO_EQUAL.get(name, _IN_THE_LOOP)
