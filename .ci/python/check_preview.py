"""Opens the preview page of a demo data set in headless Chromium.

    python .ci/python/check_preview.py SLUICE [SCREENSHOTS]

Asserts the page's elements, that the histogram's figures are those of `sluice plan`
and of a materialized epoch, that nothing is fetched, and that nothing runs over the
edge. Screenshots go to a folder: the given one, or a temporary one.
"""
import base64
import json
import pathlib
import sys
import tempfile

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


def overflowing(width):
    """Elements that reach over the window's edge (unless they scroll by themselves), and text over its picture's."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    name = shots / f"preview-{width}.png"
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
finally:
    browser.quit()
common.finish()
