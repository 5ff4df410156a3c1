"""How long an annotation file of COCO train's size takes to open, and how much memory: the source coco beside
pycocotools' COCO().

    python coco.py make DIR              # 118,000 one-byte files and two annotation files, of about 420 MB and 1.1 GB
    python coco.py run OPENCOCO DIR [ROUNDS]

OPENCOCO is the binary of ./opencoco. Each contestant is a process of its own; rounds are interleaved, and the files are
in the page cache. sluice looks up the size of each of the 118,000 image files and checks every annotation; pycocotools does neither.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import textwrap

IMAGES, OBJECTS, CATEGORIES = 118_000, 860_000, 80
FILES = {"instances.json": 450e6, "instances_1g.json": 2**30}


def make(folder: str) -> None:
    rng = random.Random(15)
    os.makedirs(f"{folder}/images", exist_ok=True)
    for i in range(IMAGES):
        with open(f"{folder}/images/{i:012d}.jpg", "wb") as f:
            f.write(b"x")
    for name, size in FILES.items():
        # What is beside the points takes about 215 bytes an object, and 130 an image.
        points = max(3, round((size - OBJECTS * 215 - IMAGES * 130) / OBJECTS / 14.2))
        with open(f"{folder}/{name}", "w") as f:
            f.write('{"info": {"description": "made by coco.py"}, "licenses": [], "images": [')
            for i in range(IMAGES):
                f.write(", " * (i > 0) + json.dumps({"license": 3, "file_name": f"{i:012d}.jpg", "height": 480, "width": 640,
                                                    "date_captured": "2013-11-14 17:02:52", "id": 3 * i + 9}))
            f.write('], "annotations": [')
            for k in range(OBJECTS):
                x, y, w, h = rng.uniform(0, 400), rng.uniform(0, 300), rng.uniform(20, 200), rng.uniform(20, 150)
                n = max(3, int(rng.expovariate(1 / points)))
                ring = []
                for _ in range(n):
                    ring += [round(x + rng.random() * w, 2), round(y + rng.random() * h, 2)]
                shape = [ring]
                if k % 90 == 0:  # crowds
                    rows, columns = 480, 640
                    counts = [0 + 1000]
                    while sum(counts) < rows * columns - 400 and len(counts) < 300:
                        counts.append(rng.randrange(1, 400))
                    counts.append(rows * columns - sum(counts))
                    shape = {"counts": counts, "size": [rows, columns]}
                f.write(", " * (k > 0) + json.dumps({"segmentation": shape, "area": round(w * h * .7, 4), "iscrowd": int(k % 90 == 0),
                                                    "image_id": 3 * rng.randrange(IMAGES) + 9, "bbox": [round(v, 2) for v in (x, y, w, h)],
                                                    "category_id": rng.randrange(CATEGORIES) + 1, "id": 1000 + k}))
            f.write('], "categories": ' + json.dumps([{"supercategory": "thing", "id": i + 1, "name": f"class {i}"} for i in range(CATEGORIES)]) + "}")


PEER = textwrap.dedent("""
    import contextlib, io, json, sys, time
    from pycocotools.coco import COCO
    began = time.time()
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO(sys.argv[1])
    seconds = time.time() - began
    peak = next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "peak_mib": peak / 1024, "images": len(data.imgs), "objects": len(data.anns)}))
""")


def run(opencoco: str, folder: str, rounds: int) -> None:
    print(f"{'file':20}{'':14}{'open, s':>10}{'peak, MiB':>11}{'resident, MiB':>15}{'a row, us':>11}   (median of {rounds})")
    for name in FILES:
        path = f"{folder}/{name}"
        with open(path, "rb") as f:  # into the page cache
            while f.read(1 << 24):
                pass
        found: dict[str, list[dict[str, float]]] = {"sluice": [], "pycocotools": []}
        for _ in range(rounds):
            for who, command in {"sluice": [opencoco, path, f"{folder}/images"], "pycocotools": [sys.executable, "-c", PEER, path]}.items():
                found[who].append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        for who, list_ in found.items():
            m = {key: statistics.median(r[key] for r in list_) for key in list_[0]}
            if (m["images"], m["objects"]) != (IMAGES, OBJECTS):
                raise SystemExit(f"{who} read {m['images']} images and {m['objects']} objects")
            print(f"{name:20}{who:14}{m['seconds']:10.2f}{m['peak_mib']:11.0f}" +
                  (f"{m['resident_mib']:15.0f}{m['row_us']:11.1f}" if "row_us" in m else ""), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        run(os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 3)
