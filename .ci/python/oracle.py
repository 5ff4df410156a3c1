"""What a stage does to points, objects and masks, in float64, written from docs/stages and docs/targets.md: nothing of
it is sluice's code. Coordinates are continuous: pixel j covers [j, j+1).

    step = oracle.step(stage, options, drawn, height, width)     # drawn: the stage's part of the column params
    oracle.fate(rings, pieces, [step, ...]), oracle.masked(mask, [step, ...])
"""
import collections
import dataclasses
import math

import numpy as np
from PIL import Image

IGNORE = 255


@dataclasses.dataclass
class Step:
    """One stage: points go by forward (3x3) to a canvas of size (height, width); of the input only window
    (x1, y1, x2, y2) shows, and of the canvas only part."""

    forward: np.ndarray
    size: tuple
    window: tuple
    part: tuple
    border: str = "constant"


def shift(x, y):
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def scaling(x, y):
    return np.diag([float(x), float(y), 1.0])


def about(matrix, x, y):
    return shift(x, y) @ matrix @ shift(-x, -y)


def rotation(degrees):
    """Counter-clockwise on the screen, whose y goes down."""
    quarter = {0: (0, 1), 90: (1, 0), 180: (0, -1), 270: (-1, 0)}.get(degrees % 360)
    sin, cos = quarter or (math.sin(math.radians(degrees)), math.cos(math.radians(degrees)))
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]], float)


def homography(start, end):
    """The 3x3 matrix that maps four points to four others."""
    rows, right = [], []
    for (x, y), (u, v) in zip(start, end, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(np.array(rows, float), np.array(right, float)), 1).reshape(3, 3)


def extent(length, side):
    """Pixels, or a share of a side."""
    return int(length) if length >= 1 else max(1, math.floor(length * side + 1e-9))


def sides(options, height, width):
    return tuple(extent(options.get("size", options.get(name)), side) for name, side in (("height", height), ("width", width)))


def idle(stage, drawn):
    """Whether a stage leaves the picture as it is."""
    if stage in ("center_crop", "resize", "pad", "letterbox"): # draw nothing
        return False
    return drawn is None or drawn.get("flipped") is False


def step(stage, options, drawn, height, width):
    """The step of a stage for a picture of that size. drawn is None where it drew nothing or left the picture as it is."""
    h, w = height, width
    whole = (0, 0, w, h)

    def moved(forward, size=(h, w), window=whole, part=None, border="constant"):
        return Step(forward, tuple(size), window, part or (0, 0, size[1], size[0]), border)

    def resized(to_h, to_w):
        return moved(scaling(to_w / w, to_h / h), (to_h, to_w))

    def window(x, y, width, height):
        return moved(shift(-x, -y), (height, width), (x, y, x + width, y + height))

    if idle(stage, drawn):
        return moved(np.eye(3))
    match stage:
        case "rotate" if options.get("expand"):
            big_w, big_h = Image.new("L", (w, h)).rotate(drawn["degrees"], expand=True).size
            return moved(shift((big_w - w) / 2, (big_h - h) / 2) @ about(rotation(drawn["degrees"]), w / 2, h / 2), (big_h, big_w))
        case "rotate":
            return moved(about(rotation(drawn["degrees"]), w // 2 + 0.5, h // 2 + 0.5))
        case "affine":
            x, y = (math.tan(math.radians(drawn[s])) for s in ("shear_x", "shear_y"))
            shears = np.array([[1, 0, 0], [-y, 1, 0], [0, 0, 1]]) @ np.array([[1, -x, 0], [0, 1, 0], [0, 0, 1]])
            scaled = rotation(drawn["degrees"]) @ scaling(drawn["scale"], drawn["scale"]) @ shears
            return moved(shift(drawn["translate_x"], drawn["translate_y"]) @ about(scaled, w / 2, h / 2))
        case "perspective":
            corners = [drawn[c] for c in ("top_left", "top_right", "bottom_right", "bottom_left")]
            return moved(homography([(0, 0), (w - 1, 0), (w - 1, h - 1), (0, h - 1)], corners))
        case "crop" | "random_iou_crop":
            return window(**drawn)
        case "center_crop":
            to_h, to_w = sides(options, h, w)
            return window(round((w - to_w) / 2), round((h - to_h) / 2), to_w, to_h)
        case "random_resized_crop":
            to_h, to_w = sides(options, h, w)
            cut = window(**drawn)
            return dataclasses.replace(cut, forward=scaling(to_w / drawn["width"], to_h / drawn["height"]) @ cut.forward, size=(to_h, to_w), part=(0, 0, to_w, to_h))
        case "flip" if options.get("direction") == "vertical":
            return moved(np.array([[1, 0, 0], [0, -1, h], [0, 0, 1]], float))
        case "flip":
            return moved(np.array([[-1, 0, w], [0, 1, 0], [0, 0, 1]], float))
        case "resize" if "size" in options:
            short, long = options["size"], options["size"] * max(h, w) // min(h, w)
            if long > options.get("max_size", long):
                short, long = max(1, options["max_size"] * short // long), options["max_size"]
            return resized(*((long, short) if w <= h else (short, long)))
        case "resize":
            return resized(options["height"], options["width"])
        case "random_shortest_size" | "scale_jitter":
            return resized(drawn["height"], drawn["width"])
        case "pad":
            if "padding" in options:
                p = options["padding"]
                left, top, right, bottom = p if len(p) == 4 else (p * 4)[:4]
            else:
                multiple = options.get("multiple", 1)
                to_h, to_w = options.get("size", (-(-h // multiple) * multiple, -(-w // multiple) * multiple))
                to_h, to_w = max(h, to_h), max(w, to_w)
                top_left = options.get("at") == "top_left"
                left, top = (0, 0) if top_left else ((to_w - w) // 2, (to_h - h) // 2)
                right, bottom = to_w - w - left, to_h - h - top
            return moved(shift(left, top), (h + top + bottom, w + left + right), border=options.get("mode", "constant"))
        case "letterbox":
            to_h, to_w = sides(options, h, w)
            factor = min(to_h / h, to_w / w)
            if options.get("scale_up") is False:
                factor = min(factor, 1)
            in_h, in_w = max(1, round(h * factor)), max(1, round(w * factor))
            left, top = (0, 0) if options.get("at") == "top_left" else ((to_w - in_w) // 2, (to_h - in_h) // 2)
            return moved(shift(left, top) @ scaling(in_w / w, in_h / h), (to_h, to_w), part=(left, top, left + in_w, top + in_h))
        case "random_zoom_out":
            return moved(shift(drawn["x"], drawn["y"]), (drawn["height"], drawn["width"]))
    raise ValueError(stage)


def drawn(stages, params):
    """The steps of a row whose column params is that, and what each of its stages, (name, options), drew."""
    height, width = params["source"]
    steps, draws, names = [], [], collections.Counter()
    for name, options in stages:
        names[name] += 1
        draws.append(params.get(name if names[name] == 1 else f"{name}_{names[name]}"))
        steps.append(step(name, options, draws[-1], height, width))
        height, width = steps[-1].size
    return steps, draws


def compose(steps):
    out = np.eye(3)
    for s in steps:
        out = s.forward @ out
    return out


def apply(forward, points):
    """Maps points, [N, 2]."""
    p = np.asarray(points, float).reshape(-1, 2) @ forward[:, :2].T + forward[:, 2]
    return p[:, :2] / p[:, 2:]


def clipped(ring, rectangle):
    """The part of a convex ring of points (lists of two floats) in a rectangle."""
    x1, y1, x2, y2 = rectangle
    for axis, sign, limit in ((0, 1, x1), (0, -1, -x2), (1, 1, y1), (1, -1, -y2)):
        signed = [sign * p[axis] - limit for p in ring]
        if all(s >= 0 for s in signed):
            continue
        out = []
        for i, b in enumerate(ring):
            a, sa, sb = ring[i - 1], signed[i - 1], signed[i]
            if (sa < 0) != (sb < 0):
                t = sa / (sa - sb)
                out.append([a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])])
            if sb >= 0:
                out.append(b)
        ring = out
    return ring


def through(pieces, steps):
    """What is left of convex pieces, after all steps: each is cut by every canvas on the way."""
    for s in steps:
        pieces = [clipped(p, s.window) for p in pieces]
        pieces = [apply(s.forward, p).tolist() for p in pieces if len(p) > 2]
        pieces = [clipped(p, s.part) for p in pieces]
    return [p for p in pieces if len(p) > 2]


def area(ring):
    p = np.asarray(ring, float)
    return abs(np.dot(p[:, 0], np.roll(p[:, 1], -1)) - np.dot(p[:, 1], np.roll(p[:, 0], -1))) / 2


def around(points):
    p = np.concatenate([np.reshape(q, (-1, 2)) for q in points])
    return np.concatenate([p.min(0), p.max(0)])


@dataclasses.dataclass
class Fate:
    """What becomes of an object: the box around all of its points wherever they are, around what is visible (None:
    nothing), areas, and what decides whether it stays."""

    unclipped: np.ndarray
    box: np.ndarray | None
    area: float
    before: float
    visibility: float

    def stays(self, least_area=1, least_side=1, least_visibility=0.1):
        """Whether the object stays; None where that hangs on the last digits."""
        if self.box is None:
            return False
        w, h = self.box[2] - self.box[0], self.box[3] - self.box[1]
        figures = [(self.area, least_area), (w, least_side), (h, least_side), (self.visibility, least_visibility)]
        if any(abs(f - least) < 1e-6 * max(least, 1) for f, least in figures):
            return None
        return all(f > least for f, least in figures)


def fate(rings, pieces, steps):
    """An object of these rings, cut into convex pieces."""
    forward = compose(steps)
    whole = [apply(forward, r) for r in rings]
    left = through(pieces, steps)
    visible = sum(area(p) for p in left)
    total = sum(area(r) for r in whole)
    return Fate(around(whole), around(left) if left else None, visible, sum(area(r) for r in rings), min(visible / total, 1) if total else 1)


def sees(point, steps):
    """Whether every canvas on the way shows a point, its edges included; None at an edge."""
    unsure = False
    p = np.asarray(point, float)
    for s in steps:
        for rectangle in (s.window, s.part):
            if rectangle is s.part:
                p = apply(s.forward, p)[0]
            x1, y1, x2, y2 = rectangle
            least = min(p[0] - x1, p[1] - y1, x2 - p[0], y2 - p[1])
            if least < -1e-6:
                return False
            unsure |= least < 1e-6
    return None if unsure else True


def inside(points, first, end, border):
    """Pixels of a side at these whole numbers; -1: none."""
    if border == "constant":
        return np.where((points >= first) & (points < end), points, -1)
    if border == "edge":
        return np.clip(points, first, end - 1)
    n = end - first
    period = max(2 * (n - 1), 1)
    folded = np.mod(points - first, period)
    return first + np.minimum(folded, period - folded) % max(n, 1)


def masked(mask, steps):
    """A mask after steps, one after the other: each pixel takes the number of the pixel in which its centre came from;
    of two it is the right or lower one."""
    for s in steps:
        back = np.linalg.inv(s.forward)
        y, x = np.mgrid[: s.size[0], : s.size[1]] + 0.5
        p = np.floor(apply(back, np.stack([x.ravel(), y.ravel()], 1)) + 2.0**-32).astype(int)
        u = inside(p[:, 0], s.window[0], s.window[2], s.border)
        v = inside(p[:, 1], s.window[1], s.window[3], s.border)
        out = np.where((u >= 0) & (v >= 0), mask[v, u], IGNORE).reshape(s.size)
        x1, y1, x2, y2 = s.part
        mask = np.full(s.size, IGNORE, np.uint8)
        mask[y1:y2, x1:x2] = out[y1:y2, x1:x2]
    return mask


def composed(mask, steps):
    """A mask by the composed transform: each pixel takes the number at the point that its centre came from, if every
    canvas on the way shows it. Also which pixels' points lie on an edge, of a canvas or between two pixels."""
    y, x = np.mgrid[: steps[-1].size[0], : steps[-1].size[1]] + 0.5
    p = np.stack([x.ravel(), y.ravel()], 1)
    seen, unsure = np.ones(len(p), bool), np.zeros(len(p), bool)
    for s in reversed(steps):
        for rectangle in (s.part, s.window):
            if rectangle is s.window:
                p = apply(np.linalg.inv(s.forward), p)
            least = np.concatenate([p - rectangle[:2], np.subtract(rectangle[2:], p)], 1).min(1)
            seen &= least > 0
            unsure |= abs(least) < 1e-6
    unsure |= (abs(p - np.round(p)) < 1e-6).any(1)
    at = np.clip(np.floor(p).astype(int), 0, np.array(mask.shape[::-1]) - 1)
    return np.where(seen, mask[at[:, 1], at[:, 0]], IGNORE).reshape(steps[-1].size), unsure.reshape(steps[-1].size)
