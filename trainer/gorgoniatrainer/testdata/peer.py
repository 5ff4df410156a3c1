"""The step of BenchmarkStep in PyTorch: python3 peer.py THREADS [SIZE...] prints seconds per step."""

import statistics
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[1]))
conv = torch.nn.Conv2d(3, 64, 3, padding=1)
heads = torch.nn.ModuleList([torch.nn.Linear(64 * 56 * 56, n) for n in (10, 5)])
adam = torch.optim.Adam([*conv.parameters(), *heads.parameters()], lr=0.001)
for size in map(int, sys.argv[2:] or ["112"]):
    x, y = torch.rand(32, 3, size, size), [torch.randint(n, (32,)) for n in (10, 5)]
    times = []
    for _ in range(7):
        start = time.perf_counter()
        adam.zero_grad()
        z = F.max_pool2d(F.relu(conv(x)), 2)
        z = F.adaptive_avg_pool2d(z, 56).flatten(1) if size != 112 else z.flatten(1)
        sum(F.cross_entropy(head(z), t) for head, t in zip(heads, y)).backward()
        adam.step()
        times.append(time.perf_counter() - start)
    print(f"{size}x{size}, {sys.argv[1]} threads: {statistics.median(times[1:]):.4f} s per step, least {min(times[1:]):.4f}")
