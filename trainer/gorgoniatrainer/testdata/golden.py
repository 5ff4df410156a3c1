"""What the newest PyTorch of PyPI computes for golden_test.go: cd testdata && python golden.py > golden.json

Weights, images and labels come from an integer formula that golden_test.go
repeats. Of each tensor the norm and eight projections on vectors of the same
formula are written: the root mean square of the projections of a difference
estimates its norm."""

import json

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
CLASSES = {"shape": 10, "type": 5}


def mixed(n, salt):
    """n numbers of -0.5..0.5, multiples of 2^-24."""
    h = (np.arange(n, dtype=np.uint64) * 2654435761 + salt * 2246822519) % 2**32
    h = ((h ^ (h >> 15)) * 2246822519) % 2**32
    h = ((h ^ (h >> 13)) * 3266489917) % 2**32
    h ^= h >> 16
    return ((h >> 8).astype(np.float64) / 2**24 - 0.5).astype(np.float32)


def fill(shape, salt, scale):
    return torch.from_numpy((mixed(int(np.prod(shape)), salt) * np.float32(scale)).reshape(shape))


def labels(rows, classes, salt, hidden=False):
    """Class numbers, -1 (masked) for about every fifth row, or for all of them."""
    u = mixed(rows, salt).astype(np.float64) + 0.5
    mask = mixed(rows, salt + 1).astype(np.float64) + 0.5
    return torch.from_numpy(np.where((mask < 0.2) | hidden, -1, np.floor(u * classes)).astype(np.int64))


class Net(torch.nn.Module):
    def __init__(self, channels, pool_to):
        super().__init__()
        self.pool_to, last = pool_to, 3
        for i, out in enumerate(channels):
            setattr(self, f"conv{i + 1}" if len(channels) > 1 else "conv", torch.nn.Conv2d(last, out, 3, padding=1))
            last = out
        self.convs = [m for m in self.modules() if isinstance(m, torch.nn.Conv2d)]
        for t, n in CLASSES.items():
            setattr(self, f"head_{t}", torch.nn.Linear(last * pool_to**2, n))
        for i, (name, p) in enumerate(self.named_parameters()):
            p.data = fill(tuple(p.shape), 1000 + i, 0.4 if name.startswith("conv") else 0.04)

    def forward(self, x):
        for conv in self.convs:
            x = F.max_pool2d(F.relu(conv(x)), 2)
        x = F.adaptive_avg_pool2d(x, self.pool_to).flatten(1)
        return {t: getattr(self, f"head_{t}")(x) for t in CLASSES}


def summary(net, tensors):
    out, number = {}, {name: i for i, (name, _) in enumerate(net.named_parameters())}
    for name, t in tensors:
        i = number[name]
        v = t.detach().double().numpy().ravel()
        axes = [mixed(v.size, 5000 + 8 * i + k).astype(np.float64) * 12**0.5 for k in range(8)]
        out[name] = {"norm": float(np.linalg.norm(v)), "projections": [float(v @ a) for a in axes]}
    return out


def binary(z, rows, n, salt, row_weights):
    """The loss of several labels; rows whose mask is below -0.3 are unknown."""
    y = torch.from_numpy((mixed(rows * n, salt + 50) > 0.2).astype(np.float32).reshape(rows, n))
    known = torch.from_numpy(mixed(rows, salt + 1) >= -0.3)
    p = torch.arange(1, n + 1, dtype=torch.float32) / 2
    if not row_weights:
        return F.binary_cross_entropy_with_logits(z[known], y[known], pos_weight=p)
    r = (torch.arange(rows, dtype=torch.float32) % 3 / 2)[known, None]
    return F.binary_cross_entropy_with_logits(z[known], y[known], weight=r, pos_weight=p, reduction="sum") / (n * r.sum())


# hidden: per step the number of the task of which no row has a label, or -1.
def run(name, channels, pool_to, shapes, steps, record, rows=8, weighted=True, balanced=False, row_weights=False, hidden=(), several=False):
    net = Net(channels, pool_to)
    adam = torch.optim.Adam(net.parameters(), lr=0.001, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.StepLR(adam, 2, 0.1)
    out = {"name": name, "channels": len(channels), "pool_to": pool_to, "shapes": shapes, "rows": rows, "count": steps,
           "weighted": weighted, "balanced": balanced, "row_weights": row_weights, "hidden": list(hidden), "several": several, "steps": []}
    for step in range(steps):
        height, width = shapes[step % len(shapes)]
        logits = net(fill((rows, 3, height, width), 10 + step, 2))
        losses, total = [], 0
        for i, (task, n) in enumerate(CLASSES.items()):
            if several and task == "type":
                loss = binary(logits[task], rows, n, 100 + 10 * step + 2 * i, row_weights)
                losses.append(float(loss.detach()))
                total = total + loss
                continue
            y = labels(rows, n, 100 + 10 * step + 2 * i, bool(hidden) and hidden[step] == i)
            if not (y >= 0).any():  # nothing to learn: the usual "if mask.any(): total = total + loss"
                losses.append(None)
                continue
            w = torch.arange(1, n + 1, dtype=torch.float32) / (n * (n + 1) / 2) if weighted else torch.ones(n)
            z = logits[task]
            if balanced:
                z = z + torch.log(torch.arange(n, 0, -1, dtype=torch.float32) * 10)
            if row_weights:  # 0, 0.5, 1 in turn
                r = torch.arange(rows, dtype=torch.float32) % 3 / 2
                known = (y >= 0).float()
                loss = (r * F.cross_entropy(z, y, w, ignore_index=-1, reduction="none")).sum() / (r * known * w[y.clamp(min=0)]).sum()
            else:
                loss = F.cross_entropy(z, y, w, ignore_index=-1)
            losses.append(float(loss.detach()))
            total = total + loss
        adam.zero_grad()
        total.backward()
        grads = [(k, p.grad.clone()) for k, p in net.named_parameters() if p.grad is not None]
        adam.step()
        if step % 8 == 7:
            schedule.step()
        entry = {"loss": float(total.detach()), "losses": losses, "lr": adam.param_groups[0]["lr"]}
        if step + 1 in record:
            entry["gradients"] = summary(net, grads)
            entry["weights"] = summary(net, net.named_parameters())
        out["steps"].append(entry)
    return out


print(json.dumps({"torch": torch.__version__.split("+")[0], "numpy": np.__version__, "cases": [
    run("recipe", [64], 8, [(16, 16)], 20, {1, 5, 20}),
    run("recipe at 112", [64], 56, [(112, 112)], 1, {1}, rows=4),
    run("scales", [64], 4, [(8, 8)], 1, {1}, row_weights=True),
    run("scales", [64], 4, [(16, 16)], 1, {1}, row_weights=True),
    run("scales", [64], 4, [(24, 24)], 1, {1}, row_weights=True),
    run("scales in turn", [64], 4, [(8, 8), (16, 16), (24, 24)], 3, {3}),
    run("odd sizes, uneven bins", [64], 5, [(17, 23), (15, 9)], 4, {1, 4}),
    run("small_cnn", [16, 32], 4, [(16, 16)], 5, {1, 5}),
    run("small_cnn, other sizes", [16, 32], 4, [(28, 28), (13, 21)], 4, {1, 4}, weighted=False, balanced=True, row_weights=True),
    run("a task without labels", [64], 4, [(8, 8)], 8, {1, 3, 4, 8}, hidden=[-1, 0, 0, -1, 1, 1, -1, 0]),
    run("several labels", [64], 8, [(16, 16), (17, 23)], 6, {1, 2, 6}, several=True),
    run("several labels, row weights", [16, 32], 4, [(16, 16)], 4, {1, 4}, row_weights=True, several=True),
    run("a task whose labels come later", [16, 32], 4, [(16, 16)], 6, {2, 3, 6}, balanced=True, hidden=[1, 1, 1, -1, 0, -1]),
]}, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"'))
