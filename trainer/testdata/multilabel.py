"""Golden values of torch.nn.functional.binary_cross_entropy_with_logits and of average
precision, by the definition of scikit-learn's average_precision_score:
python multilabel.py > multilabel.json

Logits are float32 numbers, computed with in float64, so that what is compared is the
formula."""
import json

import numpy as np
import torch
import torch.nn.functional as F


def loss(rows, classes, scale, positive=None, weights=None, unknown=(), seed=0):
    g = np.random.default_rng(seed)
    z = (g.standard_normal((rows, classes)) * scale).astype(np.float32)
    y = g.random((rows, classes)) < 0.3
    known = [i for i in range(rows) if i not in unknown]
    w = weights or [1.0] * rows
    t = torch.tensor(z.astype(np.float64), requires_grad=True)
    p = None if positive is None else torch.tensor(positive, dtype=torch.float64)
    target = torch.tensor(y.astype(np.float64))
    if weights is None:
        value = F.binary_cross_entropy_with_logits(t[known], target[known], pos_weight=p, reduction="mean")
    else:  # the weighted mean, as of cross_entropy with class weights
        r = torch.tensor(w, dtype=torch.float64)[known, None]
        value = F.binary_cross_entropy_with_logits(t[known], target[known], weight=r, pos_weight=p, reduction="sum") / (classes * r.sum())
    value.backward()
    return {"logits": z.ravel().tolist(), "classes": classes, "positive": positive, "weights": w, "unknown": list(unknown),
            "has": [np.flatnonzero(row).tolist() for row in y], "loss": value.item(), "gradient": t.grad.ravel().tolist()}


def average_precision(scores, y):
    """sum (R_n - R_n-1) P_n over the different scores, from the highest."""
    scores, y = np.asarray(scores), np.asarray(y)
    total, before = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        above = scores >= threshold
        precision, recall = y[above].mean(), y[above].sum() / y.sum()
        total, before = total + (recall - before) * precision, recall
    return float(total)


def ranked(rows, seed, levels=None):
    g = np.random.default_rng(seed)
    y = g.random(rows) < 0.3
    y[0] = True
    z = (g.standard_normal(rows) + y).astype(np.float32)
    if levels:  # equal scores
        z = np.round(z * levels).astype(np.float32) / levels
    out = {"scores": z.tolist(), "has": y.tolist(), "average_precision": average_precision(z, y)}
    tp, fp, fn = int((y & (z > 0)).sum()), int((~y & (z > 0)).sum()), int((y & ~(z > 0)).sum())
    return out | {"precision": tp / (tp + fp), "recall": tp / (tp + fn), "f1": 2 * tp / (2 * tp + fp + fn)}


print(json.dumps({
    "torch": torch.__version__.split("+")[0],
    "numpy": np.__version__,
    "losses": [
        loss(4, 3, 1),
        loss(5, 1, 2, seed=1),
        loss(6, 4, 3, positive=[1.0, 3.5, 0.25, 90.0], seed=2),
        loss(6, 4, 3, positive=[1.0, 3.5, 0.25, 90.0], unknown=[0, 3], seed=3),
        loss(6, 4, 1, positive=[2.0, 1.0, 1.0, 7.0], weights=[1.0, 0.5, 0.0, 2.0, 1.0, 0.25], unknown=[4], seed=4),
        loss(4, 5, 40, positive=[1.0, 2.0, 3.0, 4.0, 5.0], seed=5),
        loss(4, 5, 1e4, seed=6),
    ],
    "rankings": [ranked(8, 0), ranked(200, 1), ranked(200, 2, levels=2), ranked(1000, 3, levels=8), ranked(30, 4, levels=1)],
}).replace('{"logits"', '\n{"logits"').replace('{"scores"', '\n{"scores"'))
