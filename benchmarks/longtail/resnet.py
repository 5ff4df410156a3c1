"""ResNet-8 in PyTorch, trained on the batches of a Loader."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sluicedata import Loader, collate

WEIGHT_DECAY, MOMENTUM, WARM_UP = 5e-4, 0.9, 0.1  # the last is a share of the steps


class Block(nn.Module):
    """Two convolutions and a shortcut (He et al. 2016), which is a 1x1 convolution where shapes differ."""

    def __init__(self, channels: int, to: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, to, 3, stride, 1, bias=False), nn.BatchNorm2d(to)
        self.conv2, self.norm2 = nn.Conv2d(to, to, 3, 1, 1, bias=False), nn.BatchNorm2d(to)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut.extend([nn.Conv2d(channels, to, 1, stride, bias=False), nn.BatchNorm2d(to)])

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class ResNet8(nn.Sequential):
    """78,042 weights with 10 classes. The first convolution has stride 2, where He et al. have 1: a quarter of the work."""

    def __init__(self, classes: int) -> None:
        first = [nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
        blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)]
        super().__init__(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


@dataclass(frozen=True)
class Trained:
    """A model, and what it took."""

    model: ResNet8
    steps: int
    loss: float  # mean over the last epoch
    seconds: float  # of this process's processor


def train(loader: Loader, task: str, epochs: int, lr: float, seed: int, balanced_softmax: bool) -> Trained:
    """SGD with Nesterov's momentum; the rate rises over the first tenth of the steps, and falls to 0 as a cosine."""
    torch.manual_seed(seed)
    begin = time.process_time()
    classes = len(loader.classes[task])
    model = ResNet8(classes).to(memory_format=torch.channels_last).train()  # half the time
    prior = torch.tensor(loader.counts[task], dtype=torch.float32).log() if balanced_softmax else torch.zeros(classes)
    decayed, others = [p for p in model.parameters() if p.ndim > 1], [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr, MOMENTUM, nesterov=True)
    total = epochs * len(loader)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step / total))
    steps, loss_sum = 0, 0.0
    for _ in range(epochs):
        loss_sum = 0.0
        for batch in loader:
            target, _ = collate.soft_labels(batch, task, classes)
            loss = F.cross_entropy(model(batch.image) + prior, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            steps, loss_sum = steps + 1, loss_sum + loss.item()
    return Trained(model.eval(), steps, loss_sum / len(loader), time.process_time() - begin)


def rate(done: float) -> float:
    """The learning rate as a share of the highest, with this share of the steps done."""
    if done < WARM_UP:
        return (done + 0.01) / (WARM_UP + 0.01)
    return 0.5 + 0.5 * math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))


@torch.inference_mode()
def recalls(model: ResNet8, loader: Loader, task: str) -> list[float]:
    """The recall of each class, in percent."""
    classes = len(loader.classes[task])
    right, seen = torch.zeros(classes), torch.zeros(classes)
    for batch in loader:
        label = batch.label[task]
        right += torch.bincount(label[model(batch.image).argmax(1) == label], minlength=classes)
        seen += torch.bincount(label, minlength=classes)
    return (100 * right / seen).tolist()
