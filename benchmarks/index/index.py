"""How long a source of many small pictures takes to open, and to give its first batch, from the start of the process.

    python index.py SLUICE DIR [ROUNDS]

DIR is what make.py wrote. Each contestant is a process of its own; rounds are interleaved. Listing for the
first time is measured once (sluice index; datasets' cache), on files that are in the page cache.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time

import pyarrow as pa

sluice, data = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
temp = tempfile.mkdtemp(prefix="sluice-index-")
os.environ["SLUICE_CACHE"] = f"{temp}/cache"
os.environ["HF_HOME"] = f"{temp}/hf"
os.environ["HF_HUB_OFFLINE"] = "1"

SOURCES = {
    "folders": f"folder: {{path: {data}/folders}}",
    "shards": f"webdataset: {{shards: '{data}/shards/train-{{000..099}}.tar'}}",
    "parquet": f"parquet: {{files: '{data}/parquet/*.parquet', tasks: [label]}}",
}

PEERS = {
    "folders": ("torchvision ImageFolder", """
        import torch, torchvision
        from torchvision.transforms import ToTensor
        data = torchvision.datasets.ImageFolder(f"{data}/folders", ToTensor())
        opened = time.time()
        next(iter(torch.utils.data.DataLoader(data, 64, shuffle=True)))
    """),
    "shards": ("webdataset (no index: it reads in order)", """
        import webdataset
        data = webdataset.WebDataset(f"{data}/shards/train-{{000..099}}.tar", shardshuffle=100, empty_check=False).shuffle(1000).decode("rgb8").to_tuple("jpg", "cls").batched(64)
        opened = time.time()
        next(iter(data))
    """),
    "parquet": ("datasets load_dataset", """
        import datasets
        datasets.disable_progress_bars()
        data = datasets.load_dataset("parquet", data_files=f"{data}/parquet/*.parquet", split="train").cast_column("image", datasets.Image()).shuffle(seed=0)
        opened = time.time()
        data[:64]
    """),
}


def pipeline(name: str) -> str:
    file = f"{temp}/{name}.yaml"
    with open(file, "w") as f:
        f.write(f"version: 1\nsource: {{{SOURCES[name]}}}\nstages: [shuffle, decode, {{resize: {{height: 32, width: 32}}}}, to_tensor, {{batch: {{size: 64}}}}]\n")
    return file


def finished(process: subprocess.Popen[bytes]) -> float:
    """Ends a process; its largest resident memory in MiB."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    return usage.ru_maxrss / 1024


def run_sluice(name: str) -> dict[str, float]:
    file, begin = pipeline(name), time.time()
    finished(subprocess.Popen([sluice, "index", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))  # nothing is listed again
    opened = time.time() - begin
    begin = time.time()
    process = subprocess.Popen([sluice, "stream", file], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    batch = pa.ipc.open_stream(process.stdout).read_next_batch()
    first = time.time() - begin
    assert batch.num_rows == 64
    process.stdout.close()
    return {"open": opened, "first batch": first, "MiB": finished(process)}


def run_peer(name: str) -> dict[str, float]:
    code = f"import time, sys, json\nstart = float(sys.argv[1]); data = {data!r}\n" + textwrap.dedent(PEERS[name][1]) + "\nfirst = time.time()\nprint(json.dumps([opened - start, first - start]))"
    process = subprocess.Popen([sys.executable, "-c", code, str(time.time())], stdout=subprocess.PIPE)
    out = process.stdout.read()
    memory = finished(process)
    opened, first = json.loads(out)
    return {"open": opened, "first batch": first, "MiB": memory}


print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {rounds} rounds\n")
print("| form | contestant | listing, once | open | first batch | memory |\n|---|---|---|---|---|---|", flush=True)
for name in SOURCES:
    begin = time.time()
    report = json.loads(subprocess.run([sluice, "index", "--json", pipeline(name)], check=True, stdout=subprocess.PIPE).stdout)
    listing = {"sluice": f"{time.time() - begin:.1f} s, {report['sources'][0]['bytes'] / 2**20:.0f} MiB"}
    begin = time.time()
    run_peer(name)
    listing["peer"] = f"{time.time() - begin:.1f} s" if name == "parquet" else "each time"
    time.sleep(2.5)  # younger files are listed again
    results: dict[str, list[dict[str, float]]] = {"sluice": [], "peer": []}
    for _ in range(rounds):
        results["sluice"].append(run_sluice(name))
        results["peer"].append(run_peer(name))
    for who, label in (("sluice", "sluice"), ("peer", PEERS[name][0])):
        cells = []
        for figure, unit, digits in (("open", "s", 2), ("first batch", "s", 2), ("MiB", "MiB", 0)):
            values = sorted(r[figure] for r in results[who])
            cells.append(f"{statistics.median(values):.{digits}f} ({values[0]:.{digits}f}-{values[-1]:.{digits}f}) {unit}")
        print(f"| {name} | {label} | {listing[who]} | {' | '.join(cells)} |", flush=True)
shutil.rmtree(temp)
