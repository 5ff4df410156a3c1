"""Writes golden.json: what some polygons cover and share, and how a mask is blurred, by other means.

cd internal/polygon/testdata && python3 golden.py > golden.json   (numpy, opencv-python, pycocotools)

- pixels: by the even-odd rule at pixel centres, in exact fractions, as slow and obvious as can be.
- coco: by pycocotools (frPyObjects), whose outline goes through a grid of fifths of a pixel.
- rest: the area of the first polygon without the second, in exact fractions: the plane is cut into slabs at all
  corners and crossings, between which every line is straight and none cross.
- blurred: the pixels by cv2.GaussianBlur in float64, edges repeated.
"""

import json
import random
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
from pycocotools import mask as coco

HEIGHT, WIDTH, ONE = 24, 30, 4096


def edges(ring):
    return [(ring[i - 1], ring[i]) for i in range(len(ring))]


def at_height(edge, y):
    (ax, ay), (bx, by) = edge
    return Fraction(ax) + Fraction(bx - ax) * (Fraction(y) - ay) / (by - ay)


def inside(ring, x, y):
    crossed = [at_height(e, y) for e in edges(ring) if (e[0][1] <= y) != (e[1][1] <= y)]
    return sum(c <= x for c in crossed) % 2 == 1


def filled(ring):
    half = ONE // 2
    return [[int(inside(ring, x * ONE + half, y * ONE + half)) for x in range(WIDTH)] for y in range(HEIGHT)]


def crossing_heights(all_edges):
    heights = set()
    for i, (a, b) in enumerate(all_edges):
        heights |= {Fraction(a[1]), Fraction(b[1])}
        for c, d in all_edges[:i]:
            r, s, q = (b[0] - a[0], b[1] - a[1]), (d[0] - c[0], d[1] - c[1]), (c[0] - a[0], c[1] - a[1])
            det = r[0] * s[1] - r[1] * s[0]
            if det:
                t, u = Fraction(q[0] * s[1] - q[1] * s[0], det), Fraction(q[0] * r[1] - q[1] * r[0], det)
                if 0 < t < 1 and 0 < u < 1:
                    heights.add(a[1] + t * r[1])
    return sorted(heights)


def rest_area(own, other):
    """The area of own without other, in pixels."""
    both = [(e, 0) for e in edges(own)] + [(e, 1) for e in edges(other)]
    heights = crossing_heights([e for e, _ in both])
    area = Fraction(0)
    for low, high in pairwise(heights):
        middle = (low + high) / 2
        lines = sorted(
            (at_height(e, middle), of) for e, of in both if min(e[0][1], e[1][1]) < middle < max(e[0][1], e[1][1])
        )
        is_in = [False, False]
        for (x, of), following in pairwise(lines):
            is_in[of] = not is_in[of]
            if is_in[0] and not is_in[1]:
                area += (following[0] - x) * (high - low)
    return float(area / ONE / ONE)


def polygon(rng):
    kind = rng.randrange(3)
    if kind == 0:  # any points
        return [[rng.randrange(WIDTH * ONE), rng.randrange(HEIGHT * ONE)] for _ in range(rng.randrange(3, 9))]
    if kind == 1:  # corners on whole and half pixels
        half = ONE // 2
        return [[rng.randrange(2 * WIDTH) * half, rng.randrange(2 * HEIGHT) * half] for _ in range(rng.randrange(3, 7))]
    x, y, n = rng.uniform(8, WIDTH - 8), rng.uniform(8, HEIGHT - 8), rng.randrange(5, 14)
    points = []
    for k in range(n):  # a star
        d, turn = rng.uniform(3, 9), 2 * np.pi * k / n
        points.append([round((x + d * np.cos(turn)) * ONE), round((y + d * np.sin(turn)) * ONE)])
    return points


def bits(rows):
    return ["".join(str(v) for v in row) for row in rows]


rng = random.Random(16)
cases = []
for number in range(60):
    own, other = polygon(rng), polygon(rng)
    pixels = filled(own)
    flat = [v / ONE for p in own for v in p]
    runs = coco.frPyObjects([flat], HEIGHT, WIDTH)
    case = {
        "own": own,
        "other": other,
        "pixels": bits(pixels),
        "coco": bits(coco.decode(runs)[:, :, 0]),
        "rest": rest_area(own, other),
    }
    if number % 20 == 0:
        sigma = [0.7, 1.5, 3.0][number // 20]
        size = 2 * int(np.ceil(3 * sigma)) + 1
        blurred = cv2.GaussianBlur(np.array(pixels, np.float64), (size, size), sigma, borderType=cv2.BORDER_REPLICATE)
        case |= {"sigma": sigma, "blurred": np.round(blurred, 6).ravel().tolist()}
    cases.append(case)
print(json.dumps(cases, separators=(",", ":")).replace('{"own"', '\n{"own"'))
