"""Golden values of torch.optim.Adam and StepLR, of the newest PyTorch of PyPI:
python golden.py > golden.json"""
import json

import torch

SIZE, STEPS = 40, 12


def start(i):
    return ((i * 7919) % 101 - 50) / 64


def gradient(step, i):
    # 0 in one element of five, in others of very different sizes
    return 0.0 if i % 5 == 0 else ((i * 31 + step * 17) % 23 - 11) / 16 * 10.0 ** -(i % 7)


def adam(without=(), **options):
    """without: the steps in which the parameter has no gradient, as grad = None."""
    param = torch.tensor([start(i) for i in range(SIZE)], dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.Adam([param], **options)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.1)
    out = []
    for step in range(STEPS):
        param.grad = None if step in without else torch.tensor([gradient(step, i) for i in range(SIZE)], dtype=torch.float32)
        optimizer.step()
        schedule.step()
        out.append([float(v) for v in param.detach()])
    state = optimizer.state[param]
    return {"options": options, "without": list(without), "step": int(state["step"]), "params": out, "exp_avg": state["exp_avg"].tolist(), "exp_avg_sq": state["exp_avg_sq"].tolist()}


def step_lr(base, size, gamma, epochs):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, size, gamma)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return {"base": base, "size": size, "gamma": gamma, "rates": rates}


print(json.dumps({
    "torch": torch.__version__.split("+")[0],
    "adam": [
        adam(lr=0.001),
        adam(lr=0.01, weight_decay=0.01),
        adam(lr=0.1, betas=[0.5, 0.9], eps=1e-3, weight_decay=0.5),
        adam(lr=0.001, betas=[0.0, 0.999]),
        adam(lr=0.001, betas=[0.0, 0.0]),
        adam(lr=0.01, weight_decay=0.01, without=[0, 3, 4, 5, 9]),
    ],
    "step_lr": [step_lr(0.001, 10, 0.1, 45), step_lr(0.1, 1, 0.97, 60), step_lr(0.3, 7, 1.0, 15), step_lr(0.3, 3, 2.0, 10)],
}))
