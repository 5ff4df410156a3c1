"""The table of test images in docs/formats.md: what sluice and Pillow read of the images that packages test themselves with.

    python internal/decode/testdata/formats.py NAME=DIRECTORY... [--list FILE]
    python internal/decode/testdata/formats.py --mutate COUNT SEED KEEP

from the project's root, with the python of .ci/python/requirements.txt. It decodes every file of the directories with
`go test ./internal/decode -run TestDump`, compares with Pillow's exif_transpose and convert("RGB") (.ci/python/judge.py), and replaces what is
between the marks in docs/formats.md. --list writes a line for each file.

--mutate changes bytes of the files of golden.json, COUNT times each, and says what differs where both read the result;
such files are kept in the directory KEEP.

.ci/python/check_formats.py, which .ci/run python runs, asserts the same, and more.
"""
import base64, collections, json, os, random, re, shutil, subprocess, sys, tempfile, warnings

import cv2
import numpy as np

sys.path.insert(0, ".ci/python")
import judge

IMAGES = judge.FORMATS


def sluice(directory, into):
    run = ["go", "test", "-count=1", "-timeout=1h", "./internal/decode", "-run", "TestDump", "-from", os.path.abspath(directory), "-dump", into]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)


def verdict(kind, theirs, ours, error):
    if ours is None:
        if theirs is None:
            return "both refuse"
        return "refused by name" if kind not in IMAGES or "is not supported" in error else "refused"
    if theirs is None:
        return "only sluice reads"
    if ours.shape != theirs.shape:
        return "differ in size"
    most = int(np.abs(ours.astype(int) - theirs).max())
    return "equal" if most == 0 else f"differ by {most}"


def compare(name, directory):
    rows = []
    with tempfile.TemporaryDirectory() as decoded:
        sluice(directory, decoded)
        for root, folders, files in os.walk(directory):
            folders.sort()
            for file in sorted(files):
                path = os.path.join(root, file)
                data = open(path, "rb").read()
                flat = os.path.join(decoded, os.path.relpath(path, directory).replace("/", "__"))
                ours, error = None, ""
                if os.path.exists(flat + ".ppm"):
                    ours = cv2.imread(flat + ".ppm")[:, :, ::-1]
                elif os.path.exists(flat + ".error"):
                    error = open(flat + ".error").read()
                else:
                    continue
                kind, theirs = judge.pillow(data)
                rows.append((name, os.path.relpath(path, directory), kind, verdict(kind, theirs, ours, error), error))
    return rows


def table(rows):
    groups = collections.defaultdict(collections.Counter)
    for name, _, kind, what, _ in rows:
        groups[name, kind if kind in IMAGES else "others"][re.sub(r"differ .*", "differ", what)] += 1
    columns = ["equal", "differ", "refused by name", "refused", "only sluice reads", "both refuse"]
    lines = ["| images of | format | " + " | ".join(columns) + " |", "|---|---|" + "--:|" * len(columns)]
    for (name, kind), count in sorted(groups.items()):
        lines.append(f"| {name} | {kind} | " + " | ".join(str(count[c] or "") for c in columns) + " |")
    return "\n".join(lines)


def mutate(count, seed, keep):
    """Files of golden.json with bytes changed, cut out, doubled or cut off; where both read one, they must agree."""
    rng = random.Random(seed)
    with open("internal/decode/testdata/golden.json") as f:
        cases = json.load(f)["cases"]
    with tempfile.TemporaryDirectory() as made:
        for case in cases:
            whole = base64.b64decode(case["encoded"])
            for i in range(count):
                data = bytearray(whole)
                for _ in range(rng.choice([1, 1, 2, 4])):
                    at = rng.randrange(min(len(data) or 1, rng.choice([64, 1 << 20])))
                    what = rng.randrange(6)
                    if what < 3 and at < len(data):
                        data[at] = rng.choice([rng.randrange(256), data[at] ^ 1 << rng.randrange(8), 0, 255, 1])
                    elif what == 3:
                        del data[at:at + rng.randrange(1, 5)]
                    elif what == 4:
                        data[at:at] = data[at:at + rng.randrange(1, 9)]
                    else:
                        del data[max(at, 1):]
                with open(os.path.join(made, f"{case['name'].replace('/', '-')}-{i}.bin"), "wb") as f:
                    f.write(data)
        rows = compare("mutated", made)
        os.makedirs(keep, exist_ok=True)
        for _, name, kind, what, error in rows:
            if "-v" in sys.argv and what != "equal" and what != "both refuse":
                print(kind, name, what, error)
            if what.startswith("differ") or "panicked" in error:
                print(kind, name, what, error)
                shutil.copy(os.path.join(made, name), keep)
    print(table(rows))


def main():
    warnings.filterwarnings("ignore")
    arguments = sys.argv[1:]
    if arguments[:1] == ["--mutate"]:
        return mutate(int(arguments[1]), int(arguments[2]), arguments[3])
    listing = None
    if "--list" in arguments:
        at = arguments.index("--list")
        listing = arguments[at + 1]
        del arguments[at:at + 2]
    rows = []
    for argument in arguments:
        name, directory = argument.split("=", 1)
        rows += compare(name, directory)
    if listing:
        with open(listing, "w") as f:
            for row in rows:
                f.write("\t".join(str(c) for c in row) + "\n")
    text = table(rows)
    print(text)
    path = "docs/formats.md"
    if os.path.exists(path):
        page = open(path).read()
        begin, end = "<!-- table -->\n", "<!-- end of table -->"
        if begin in page:
            a, b = page.index(begin) + len(begin), page.index(end)
            open(path, "w").write(page[:a] + text + "\n" + page[b:])


main()
