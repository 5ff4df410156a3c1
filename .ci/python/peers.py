"""The stages of sluice as users of torchvision v2 and albumentations write them, given what sluice drew."""
import unittest.mock

import albumentations as A
import cv2
import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

import oracle


def corners(drawn):
    return [drawn[c] for c in ("top_left", "top_right", "bottom_right", "bottom_left")]


def beside(step, height, width):
    """Pixels that a step puts to the left, above, to the right and below."""
    left, top = (round(v) for v in step.forward[:2, 2])
    return left, top, step.size[1] - width - left, step.size[0] - height - top


def nearest(mask, size):
    """F.resize takes NEAREST for masks, which takes other pixels than its NEAREST_EXACT, and Pillow."""
    return tv_tensors.Mask(F.resize_image(mask.as_subclass(torch.Tensor), list(size), interpolation=F.InterpolationMode.NEAREST_EXACT))


def torchvision(stage, options, drawn, target, clamping="soft"):
    """A BoundingBoxes, KeyPoints or Mask after a stage."""
    h, w = target.shape[-2:] if isinstance(target, tv_tensors.Mask) else target.canvas_size
    step = oracle.step(stage, options, drawn, h, w)
    if oracle.idle(stage, drawn):
        return target
    fill = oracle.IGNORE if isinstance(target, tv_tensors.Mask) else 0
    match stage:
        case "rotate" if options.get("expand"):
            return F.rotate(target, drawn["degrees"], expand=True, fill=fill)
        case "rotate":
            return F.rotate(target, drawn["degrees"], center=[w // 2 + 0.5, h // 2 + 0.5], fill=fill)
        case "affine":
            return F.affine(target, -drawn["degrees"], [drawn["translate_x"], drawn["translate_y"]], drawn["scale"], [drawn["shear_x"], drawn["shear_y"]], fill=fill)
        case "perspective":
            return F.perspective(target, [[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], corners(drawn), fill=fill)
        case "crop" | "random_iou_crop":
            return F.crop(target, drawn["y"], drawn["x"], drawn["height"], drawn["width"])
        case "center_crop":
            return F.center_crop(target, list(step.size))
        case "random_resized_crop" if isinstance(target, tv_tensors.Mask):
            return nearest(F.crop(target, drawn["y"], drawn["x"], drawn["height"], drawn["width"]), step.size)
        case "random_resized_crop":
            return F.resized_crop(target, drawn["y"], drawn["x"], drawn["height"], drawn["width"], list(step.size))
        case "flip" if isinstance(target, tv_tensors.KeyPoints): # numbers of pixels, here and nowhere else
            moved, one = (F.vertical_flip(target), [0, 1]) if options.get("direction") == "vertical" else (F.horizontal_flip(target), [1, 0])
            return tv_tensors.wrap(moved + torch.tensor(one), like=moved)
        case "flip":
            return F.vertical_flip(target) if options.get("direction") == "vertical" else F.horizontal_flip(target)
        case "resize" | "random_shortest_size" | "scale_jitter" if isinstance(target, tv_tensors.Mask):
            return nearest(target, step.size)
        case "resize" if "size" in options:
            return F.resize(target, [options["size"]], max_size=options.get("max_size"))
        case "resize" | "random_shortest_size" | "scale_jitter":
            return F.resize(target, list(step.size))
        case "pad" | "random_zoom_out":
            mode = step.border if isinstance(target, tv_tensors.Mask) else "constant" # boxes are not repeated
            return F.pad(target, list(beside(step, h, w)), fill=fill if mode == "constant" else None, padding_mode=mode)
        case "letterbox":
            x1, y1, x2, y2 = step.part
            inner = nearest(target, (y2 - y1, x2 - x1)) if isinstance(target, tv_tensors.Mask) else F.resize(target, [y2 - y1, x2 - x1])
            return F.pad(inner, [x1, y1, step.size[1] - x2, step.size[0] - y2], fill=fill)
    raise ValueError(stage)


def iou_crop(drawn, boxes, height, width):
    """Which boxes torchvision's RandomIoUCrop keeps of a window, found with random numbers that lead to it."""
    picture = tv_tensors.Image(torch.zeros(1, height, width, dtype=torch.uint8))
    boxes = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(height, width))
    spare_x, spare_y = width - drawn["width"], height - drawn["height"]
    numbers = iter([
        torch.tensor([(drawn["width"] + 0.5) / width, (drawn["height"] + 0.5) / height], dtype=torch.float64),
        torch.tensor([(drawn["x"] + 0.5) / max(spare_x, 1), (drawn["y"] + 0.5) / max(spare_y, 1)], dtype=torch.float64),
    ])
    crop = v2.RandomIoUCrop(min_scale=0, max_scale=1, min_aspect_ratio=1e-9, max_aspect_ratio=1e9, sampler_options=[0])
    with unittest.mock.patch("torch.rand", lambda *_: next(numbers)):
        params = crop.make_params([picture, boxes])
    assert [params[n] for n in ("left", "top", "width", "height")] == [drawn[n] for n in ("x", "y", "width", "height")], (params, drawn)
    return params["is_within_crop_area"].numpy()


class Given:
    """A transform of albumentations whose parameters are given."""

    def get_params_dependent_on_data(self, params, data):
        return self.given


class Rotate(Given, A.Rotate):
    pass


class Perspective(Given, A.Perspective):
    pass


class RandomResizedCrop(Given, A.RandomResizedCrop):
    pass


def given(kind, params, *args, **kwargs):
    out = kind(*args, p=1, **kwargs)
    out.given = params
    return out


def albumentations(stage, options, drawn, height, width):
    """A stage as a list of transforms; None where it has none that does the same."""
    h, w = height, width
    step = oracle.step(stage, options, drawn, h, w)
    if oracle.idle(stage, drawn):
        return [A.NoOp(p=1)]
    exact = {"mask_interpolation": cv2.INTER_NEAREST_EXACT}
    mask = {"fill_mask": oracle.IGNORE, "border_mode": cv2.BORDER_CONSTANT}
    match stage:
        case "rotate" if options.get("expand"):
            return [A.Affine(rotate=(drawn["degrees"],) * 2, fit_output=True, p=1, **mask)]
        case "rotate":
            # About sluice's centre, which is OpenCV's; A.Rotate has another.
            pixels = cv2.getRotationMatrix2D((w // 2, h // 2), drawn["degrees"], 1)
            boxes = cv2.getRotationMatrix2D((w // 2 + 0.5, h // 2 + 0.5), drawn["degrees"], 1)
            none = dict.fromkeys(("x_min", "x_max", "y_min", "y_max"), -1)
            return [given(Rotate, {"matrix": np.vstack([pixels, [0, 0, 1]]), "bbox_matrix": np.vstack([boxes, [0, 0, 1]]), **none}, **mask)]
        case "affine":
            if drawn["shear_y"] or drawn["shear_x"] and drawn["degrees"]:
                return None # in another order
            return [A.Affine(
                rotate=(drawn["degrees"],) * 2, scale=(drawn["scale"],) * 2, shear={"x": (drawn["shear_x"],) * 2, "y": (0, 0)},
                translate_px={"x": (drawn["translate_x"],) * 2, "y": (drawn["translate_y"],) * 2}, p=1, **mask)]
        case "perspective":
            matrix = cv2.getPerspectiveTransform(np.float32([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]]), np.float32(corners(drawn)))
            return [given(Perspective, {"matrix": matrix, "matrix_bbox": matrix, "max_height": h, "max_width": w}, fill_mask=oracle.IGNORE)]
        case "crop" | "random_iou_crop" | "center_crop":
            x1, y1, x2, y2 = step.window
            return [A.Crop(x1, y1, x2, y2, p=1)]
        case "random_resized_crop":
            return [given(RandomResizedCrop, {"crop_coords": step.window}, size=step.size, **exact)]
        case "flip":
            return [A.VerticalFlip(p=1) if options.get("direction") == "vertical" else A.HorizontalFlip(p=1)]
        case "resize" | "random_shortest_size" | "scale_jitter":
            return [A.Resize(*step.size, p=1, **exact)]
        case "pad" | "random_zoom_out":
            if step.border != "constant":
                return None # repeats boxes
            return [A.Pad(padding=beside(step, h, w), p=1, **mask)]
        case "letterbox":
            x1, y1, x2, y2 = step.part
            return [A.Resize(y2 - y1, x2 - x1, p=1, **exact), A.Pad(padding=(x1, y1, step.size[1] - x2, step.size[0] - y2), p=1, **mask)]
    raise ValueError(stage)
