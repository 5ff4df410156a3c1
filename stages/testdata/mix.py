"""Writes mix.json: what torchvision's MixUp and CutMix make of two pictures, given their draws.

    python3 mix.py > mix.json
"""

import json
import math

import torch
import torchvision
from torchvision.transforms import v2

rng = torch.Generator().manual_seed(7)
drawn = torch.randint


def cutmix(height, width, lam, x, y):
    """CutMix's box and share where its draws are these."""
    transform = v2.CutMix(num_classes=3)
    transform._dist = type("", (), {"sample": staticmethod(lambda _: lam)})
    given = iter([x, y])
    torch.randint = lambda *_, **__: torch.tensor([next(given)])
    try:
        return transform.make_params([torch.zeros(2, 3, height, width)])
    finally:
        torch.randint = drawn


boxes = []
for height, width in ((1, 1), (2, 3), (7, 5), (32, 32), (33, 64), (224, 224), (300, 451)):
    for lam in (0.0, 1e-9, 0.1, 0.25, 0.5, 0.73, 0.99, 1 - 1e-9, 1.0):
        for _ in range(3):
            x, y = (int(drawn(side, (1,), generator=rng)) for side in (width, height))
            p = cutmix(height, width, lam, x, y)
            boxes.append({"size": [height, width], "lambda": lam, "at": [x, y], "box": list(p["box"]), "share": p["lam_adjusted"]})

pictures = torch.rand(2, 3, 4, 5, generator=rng)
mixed = []
for lam in (0.0, 0.1, 1 / 3, 0.5, 0.777, 1.0):
    transform = v2.MixUp(num_classes=3)
    transform._dist = type("", (), {"sample": staticmethod(lambda _, lam=lam: lam)})
    out, labels = transform(pictures.clone(), torch.tensor([0, 2]))
    mixed.append({"lambda": lam, "values": out.reshape(2, -1).tolist(), "labels": labels.tolist()})
assert math.isclose(sum(mixed[1]["labels"][0]), 1, rel_tol=1e-6)
print(json.dumps({"torchvision": torchvision.__version__, "boxes": boxes, "pictures": pictures.reshape(2, -1).tolist(), "mixed": mixed}))
