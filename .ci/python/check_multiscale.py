"""multiscale against torch.nn.functional.interpolate of the batch in scale 1.

    python .ci/python/check_multiscale.py SLUICE DATA
"""
import torch
from torch.nn.functional import interpolate

import common

args = common.arguments(__doc__, "data")
SCALES = [0.5, 1, 1.5]


def batch(file, scale, layout):
    """All rows in one scale, as torch has them: channels first."""
    column = common.stream(args.sluice, file, "--scale", scale)["image"].combine_chunks()
    column = column.chunk(0) if hasattr(column, "chunks") else column
    images = torch.tensor(column.to_numpy_ndarray())
    return images if layout == "chw" else images.permute(0, 3, 1, 2)


for mode, dtype, layout in (("nearest", "float32", "chw"), ("nearest", "uint8", "hwc"), ("bilinear", "float32", "chw"), ("bilinear", "float32", "hwc")):
    to_tensor = [] if dtype == "uint8" else [f"to_tensor: {{layout: {layout}}}"]
    for height, width in ((112, 112), (97, 131)):  # odd ones, too: sizes are rounded down
        file = common.pipeline(
            common.photos(args.data), "take: {count: 32}", "decode: {}", f"resize: {{height: {height}, width: {width}}}",
            *to_tensor, "batch: {size: 32}", f"multiscale: {{scales: {SCALES}, mode: {mode}}}")  # fmt: skip
        whole = batch(file, 1, layout)
        common.equal(f"{mode} {dtype} {layout}: scale 1", tuple(whole.shape), (32, 3, height, width))
        for scale in SCALES:
            got = batch(file, scale, layout)
            options = {"align_corners": False} if mode == "bilinear" else {}
            want = interpolate(whole, scale_factor=scale, mode=mode, **options)
            what = f"{mode} {dtype} {layout}: scale {scale}, {tuple(got.shape)}"
            if got.shape != want.shape:
                common.expect(False, f"{what}: want {tuple(want.shape)}")
            elif mode == "nearest":
                common.equal(f"{what}: values that differ", int((got != want).sum()), 0)
            else:
                common.at_most(f"{what}: largest difference", float((got - want).abs().max()), 1e-5)
common.finish()
