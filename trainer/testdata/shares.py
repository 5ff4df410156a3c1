"""Golden values of torch.nn.functional.cross_entropy with probabilities as target, and class weights:
python shares.py > shares.json

Logits are float32 numbers, computed with in float64, so that what is compared is the formula."""
import json

import numpy as np
import torch
import torch.nn.functional as F


def loss(rows, classes, scale, class_weights=None, seed=0):
    g = np.random.default_rng(seed)
    z = (g.standard_normal((rows, classes)) * scale).astype(np.float32)
    y = np.zeros((rows, classes))
    for row in y:
        a, b = g.choice(classes, 2, replace=False)
        row[a] = float(np.float32(g.random()))
        row[b] = float(np.float32(1 - row[a]))
    y[0] = np.eye(classes)[1]
    t = torch.tensor(z.astype(np.float64), requires_grad=True)
    w = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float64)
    value = F.cross_entropy(t, torch.tensor(y), weight=w)
    value.backward()
    return {"logits": z.ravel().tolist(), "class_weights": class_weights, "shares": y.tolist(), "loss": value.item(),
            "gradient": t.grad.ravel().tolist()}


print(json.dumps({
    "torch": torch.__version__.split("+")[0],
    "losses": [loss(4, 3, 1), loss(7, 5, 4, [1.0, 0.25, 3.0, 0.0, 2.5], seed=1), loss(5, 2, 30, [0.5, 1.5], seed=2)],
}).replace('{"logits"', '\n{"logits"'))
