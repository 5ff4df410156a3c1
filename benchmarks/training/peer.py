"""The recipe's training step in PyTorch: python3 peer.py THREADS STEPS

The model and the optimizer of docs/recipe/recipe-multi.trainer.yaml, on random pictures and labels that lie in
memory: batches of 32, each at the scales 0.5, 1 and 1.5 of 224 in turn, a step each. A first round of the three isn't counted.
Prints JSON: mean seconds of a step, wall and processors, by the side of the pictures.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[1]))
steps = int(sys.argv[2])
conv = torch.nn.Conv2d(3, 64, 3, padding=1)
heads = torch.nn.ModuleList([torch.nn.Linear(64 * 56 * 56, n) for n in (10, 5)])
adam = torch.optim.Adam([*conv.parameters(), *heads.parameters()], lr=0.001)
base, labels = torch.rand(32, 3, 224, 224), [torch.randint(n, (32,)) for n in (10, 5)]
batches = {int(224 * s): F.interpolate(base, scale_factor=s) if s != 1 else base for s in (0.5, 1, 1.5)}
seconds = {side: {"wall": 0.0, "cpu": 0.0} for side in batches}
for step in range(steps + 1):
    for side, x in batches.items():
        start, cpu = time.perf_counter(), time.process_time()
        adam.zero_grad()
        z = F.max_pool2d(F.relu(conv(x)), 2)
        if side != 112:  # there the pool is 56x56 already, and PyTorch would copy it
            z = F.adaptive_avg_pool2d(z, 56)
        z = z.flatten(1)
        loss = sum(F.cross_entropy(head(z), y) for head, y in zip(heads, labels))
        loss.backward()
        adam.step()
        loss.item()
        if step > 0:
            seconds[side]["wall"] += (time.perf_counter() - start) / steps
            seconds[side]["cpu"] += (time.process_time() - cpu) / steps
print(json.dumps(seconds))
