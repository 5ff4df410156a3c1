"""Opens the preview page of a demo data set, and those of pictures with targets, in headless Chromium.

    python .ci/python/check_preview.py SLUICE [SCREENSHOTS]

Asserts the page's elements, that the histogram's figures are those of `sluice plan`
and of a materialized epoch, that nothing is fetched, and that nothing runs over the
edge; that boxes, polygons, keypoints and masks lie on both pictures where they belong. Screenshots go to a folder: the given one, or a temporary one.
"""
import base64
import json
import pathlib
import sys
import tempfile

from PIL import Image
from selenium import webdriver

import common

shots = pathlib.Path(sys.argv.pop(2)) if len(sys.argv) > 2 else pathlib.Path(tempfile.mkdtemp(prefix="sluice-preview-"))
args = common.arguments(__doc__)
shots.mkdir(parents=True, exist_ok=True)
demo = pathlib.Path(tempfile.mkdtemp(prefix="sluice-preview-demo-"))
common.run(args.sluice, "demo", "-o", demo)
pipeline, per_class = demo / "pipeline.yaml", 3
common.run(args.sluice, "preview", pipeline, "-o", demo / "page.html", "--per-class", per_class)
plan = json.loads(common.run(args.sluice, "plan", pipeline, "--json"))
drawn = json.loads((demo / "dataset" / "manifest.json").read_text())["classes"]

# Pictures with targets, each flipped: a box with a polygon and keypoints, a crowd, and masks of two classes.
targets = pathlib.Path(tempfile.mkdtemp(prefix="sluice-preview-targets-"))
WIDTH, HEIGHT = 120, 80
polygon, points = [10, 20, 60, 20, 35, 60], [30, 25, 2, 40, 30, 1]
(targets / "images").mkdir()
(targets / "masks").mkdir()
for name in "ab":
    Image.new("RGB", (WIDTH, HEIGHT), "gray").save(targets / f"images/{name}.png")
    mask = Image.new("L", (WIDTH, HEIGHT), 0)
    mask.paste(1, (0, 0, 30, HEIGHT))
    mask.save(targets / f"masks/{name}.png")
found = [{"id": 1, "image_id": i, "category_id": 1, "iscrowd": 0, "bbox": [10, 20, 50, 40], "segmentation": [polygon], "keypoints": points} for i in (1, 2)]
found += [{"id": 9, "image_id": 1, "category_id": 2, "iscrowd": 1, "bbox": [70, 10, 20, 20]}]
(targets / "objects.json").write_text(json.dumps({
    "images": [{"id": i, "file_name": f"{name}.png", "height": HEIGHT, "width": WIDTH} for i, name in enumerate("ab", 1)],
    "annotations": [a | {"id": i} for i, a in enumerate(found, 1)],
    "categories": [{"id": 1, "name": "kite", "keypoints": ["nose", "tail"]}, {"id": 2, "name": "crowd"}],
}))  # fmt: skip
stages = ("decode: {}", "flip: {p: 1}", "batch: {size: 2, sizes: keep}")
objects = common.pipeline("{coco: {file: objects.json, images: images}}", *stages, folder=targets)
masked = common.pipeline("{folder: {path: images, tasks: [], masks: {path: '../masks/{stem}.png'}}}", *stages, folder=targets)
for name, file in (("objects", objects), ("masks", masked)):
    common.run(args.sluice, "preview", file, "-o", targets / f"{name}.html")

options = webdriver.ChromeOptions()
options.binary_location = "/usr/bin/chromium"
for flag in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
             "disable-component-update", "disable-sync", f"user-data-dir={tempfile.mkdtemp(prefix='sluice-chromium-')}"):  # fmt: skip
    options.add_argument(f"--{flag}")
options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


def figures():
    """What the page shows, read in one go."""
    return browser.execute_script("""
        const all = (selector, of, root = document) => [...root.querySelectorAll(selector)].map(of);
        const widest = s => Math.max(...all('g.bar rect', r => r.width.baseVal.value, s));
        const most = s => Math.max(...all('g.bar', g => Math.max(g.dataset.before, g.dataset.after), s));
        return {
            groups: all('section.group', s => ({class: s.dataset.class, draws: all('figure.draw', f => ({
                position: +f.dataset.position,
                images: all('img', i => i.naturalWidth, f),
                params: all('dt', t => t.textContent, f), values: all('dd', t => t.textContent, f)}), s)})),
            bars: all('section.histogram', s => [s.dataset.task, Object.fromEntries(
                all('g.bar', g => [g.dataset.class, [+g.dataset.before, +g.dataset.after]], s))]),
            scales: all('section.histogram', s => all('g.bar', g => ['before', 'after'].map(
                k => g.querySelector('.' + k).width.baseVal.value - +g.dataset[k] * widest(s) / most(s)), s)),
        }""")


def overflowing(width, page="preview"):
    """Elements that reach over the window's edge (unless they scroll by themselves), and text over its picture's."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    name = shots / f"{page}-{width}.png"
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})
    name.write_bytes(base64.b64decode(shot["data"]))
    print(f"     screenshot: {name}")
    return browser.execute_script("""
        const wide = [], edge = document.documentElement.clientWidth, scrolls = e => e && (
            ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
        if (document.documentElement.scrollWidth > edge) wide.push(`page ${document.documentElement.scrollWidth} of ${edge}`);
        for (const e of document.body.querySelectorAll('*')) {
            if (e.getBoundingClientRect().right > edge + 0.5 && !scrolls(e)) wide.push(`${e.tagName} ${e.className.baseVal ?? e.className}`);
            if (e.tagName == 'text') {
                const box = e.getBoundingClientRect(), svg = e.ownerSVGElement.getBoundingClientRect();
                if (box.right > svg.right + 0.5 || box.left < svg.left - 0.5) wide.push(`text ${e.textContent} over its picture`);
            }
        }
        return [...new Set(wide)].slice(0, 8)""")


def overlays():
    """What is drawn over each picture of the page: shapes as left, top, right, bottom in the picture's own pixels, as they are on the screen."""
    return browser.execute_script("""
        return [...document.querySelectorAll('.picture')].map(p => {
            const img = p.querySelector('img'), on = img.getBoundingClientRect(), [w, h] = arguments;
            const fit = getComputedStyle(img).objectFit == 'contain' ? Math.min(on.width / w, on.height / h) : NaN; // with bars beside it
            const place = (x, y) => [(x - on.left - on.width / 2) / fit + w / 2, (y - on.top - on.height / 2) / fit + h / 2];
            const shown = e => { const m = e.getScreenCTM(), b = e.getBBox();
                return [[b.x, b.y], [b.x + b.width, b.y + b.height]].flatMap(([x, y]) => place(m.a * x + m.e, m.d * y + m.f)); };
            const all = s => [...p.querySelectorAll('.objects ' + s)];
            const middle = b => [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2];
            const mask = p.querySelector('img.mask'); let pixels = null;
            if (mask) {
                const c = document.createElement('canvas'); [c.width, c.height] = [w, h];
                const draw = c.getContext('2d'); draw.drawImage(mask, 0, 0, w, h);
                pixels = Array.from({length: w}, (_, x) => [...draw.getImageData(x, h / 2, 1, 1).data].join(' '));
            }
            const at = mask && mask.getBoundingClientRect();
            return {result: img.className == 'result', key: img.alt[0], pixels, boxes: all('rect').map(shown), crowds: all('rect.crowd').length,
                polygons: all('polygon').map(shown), names: all('text').map(t => t.textContent), points: all('circle').map(c => middle(shown(c))),
                hidden: all('circle.hidden').length, visible: all('rect').every(r => getComputedStyle(r).stroke != 'none'),
                mask: mask && getComputedStyle(mask).objectFit == 'contain' && ['left', 'top', 'right', 'bottom'].map(k => at[k] - on[k])};
        })""", WIDTH, HEIGHT)


def flipped(box):
    return [WIDTH - box[2], box[1], WIDTH - box[0], box[3]]


def apart(have, want):
    """The largest distance of shapes in any order."""
    have, want = sorted(have), sorted(want)
    return max((abs(a - b) for x, y in zip(have, want, strict=True) for a, b in zip(x, y, strict=True)), default=0)


def check_objects():
    browser.get((targets / "objects.html").as_uri())
    seen = overlays()
    common.expect({(o["key"], o["result"]) for o in seen} == {(k, r) for k in "ab" for r in (False, True)}, "both pictures of both samples are there")
    for o in seen:
        crowd = o["key"] == "a"
        turn = flipped if o["result"] else lambda box: box
        what = f"{o['key']}, {'after' if o['result'] else 'before'}"
        common.at_most(f"{what}: boxes, pixels off", apart(o["boxes"], [turn(b) for b in [[10, 20, 60, 60], [70, 10, 90, 30]][: 1 + crowd]]), 0.2)
        common.at_most(f"{what}: polygons, pixels off", apart(o["polygons"], [turn([10, 20, 60, 60])]), 0.2)
        common.at_most(f"{what}: keypoints, pixels off", apart(o["points"], [turn([30, 25, 30, 25])[:2], turn([40, 30, 40, 30])[:2]]), 0.2)
        common.equal(f"{what}: names, crowds, hidden points", (sorted(o["names"]), o["crowds"], o["hidden"], o["visible"]), (["crowd", "kite"][1 - crowd :], crowd, 1, True))


def check_masks():
    browser.get((targets / "masks.html").as_uri())
    seen = overlays()
    common.equal("pictures with a mask", sum(bool(o["mask"]) for o in seen), 4)
    for o in seen:
        what = f"mask of {o['key']}, {'after' if o['result'] else 'before'}"
        common.at_most(f"{what}: pixels off its picture", max(map(abs, o["mask"])), 0.2)
        line = o["pixels"][::-1] if o["result"] else o["pixels"]
        common.expect(len(set(line[:30])) == len(set(line[30:])) == 1 and line[0] != line[30], f"{what}: the classes have colours of their own, and their places")


try:
    browser.get((demo / "page.html").as_uri())
    page = figures()
    first = plan["tasks"][0]
    common.equal("one group per class", sorted(g["class"] for g in page["groups"]), sorted(first["classes"]))
    draws = [d for g in page["groups"] for d in g["draws"]]
    common.equal("draws", [len(g["draws"]) for g in page["groups"]], [per_class] * len(first["classes"]))
    common.equal("draws without two loaded images", [d for d in draws if len(d["images"]) != 2 or min(d["images"]) == 0], [])
    wanted = {"rotate", "crop", "flip"}
    poor = [d for d in draws if not wanted <= set(d["params"]) or not all(d["values"])]
    common.equal(f"{len(draws)} draws, without the parameters of {sorted(wanted)}", poor, [])

    # Histograms: samples as the plan counts them, draws as the materialized epoch holds them.
    for task, counts in zip(plan["tasks"], plan["counts"]):
        want = {c: [counts[i], drawn[task["name"]][i]] for i, c in enumerate(task["classes"])}
        common.equal(f"bars of {task['name']}", dict(page["bars"])[task["name"]], want)
    off = [abs(o) for histogram in page["scales"] for bar in histogram for o in bar]
    common.at_most(f"{len(off)} bars: pixels off their counts' share", max(off), 0.2)

    for width in (1280, 420):
        common.equal(f"over the edge at {width} px", overflowing(width), [])
    events = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    asked = {e["params"]["request"]["url"].split(",")[0] for e in events if e["method"] == "Network.requestWillBeSent"}
    external = {u for u in asked if not u.startswith(("file:", "data:", "chrome:", "about:"))}
    common.equal(f"requests beside {len(asked)} of its own", external, set())
    common.equal("messages in the console", [e["message"] for e in browser.get_log("browser")], [])
    check_objects()
    common.equal("objects: over the edge at 1280 px", overflowing(1280, "preview-objects"), [])
    check_masks()
finally:
    browser.quit()
common.finish()
