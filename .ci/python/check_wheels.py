"""Checks wheels of the Python package: their tags, what is in them, and that the engine is of their platform.

    check_wheels.py FOLDER...
"""
import argparse
import base64
import hashlib
import pathlib
import re
import struct
import zipfile

from common import at_most, equal, expect, finish

PLATFORMS = {
    "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64": ("ELF", 62),
    "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64": ("ELF", 183),
    "macosx_12_0_x86_64": ("Mach-O", 0x01000007),
    "macosx_12_0_arm64": ("Mach-O", 0x0100000C),
}


def elf(data):
    """Machine of an ELF file, and whether it needs a loader (PT_INTERP), which a static one doesn't."""
    machine, = struct.unpack_from("<H", data, 18)
    offset, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    return machine, any(struct.unpack_from("<I", data, offset + i * size)[0] == 3 for i in range(count))


def macho(data):
    """CPU of a Mach-O file, and the macOS that it wants (LC_BUILD_VERSION), as 12.0."""
    cpu, = struct.unpack_from("<I", data, 4)
    count, = struct.unpack_from("<I", data, 16)
    at, wants = 32, None
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, at)
        if command == 0x32:
            version, = struct.unpack_from("<I", data, at + 12)
            wants = f"{version >> 16}.{version >> 8 & 255}"
        at += size
    return cpu, wants


def check(file):
    print(f"     {file.name}: {file.stat().st_size / 1e6:.1f} MB")
    name, version, tag = re.fullmatch(r"(\w+)-([\w.]+)-py3-none-(.+)\.whl", file.name).groups()
    expect(tag in PLATFORMS, f"tag {tag}")
    kind, machine = PLATFORMS[tag]
    with zipfile.ZipFile(file) as wheel:
        members = {i.filename: i for i in wheel.infolist()}
        info = f"{name}-{version}.dist-info"
        engine = wheel.read("sluicedata/_bin/sluice")
        equal("mode of the engine", oct(members["sluicedata/_bin/sluice"].external_attr >> 16 & 0o777), "0o755")
        expect(f"{version}".encode() in engine, f"the engine knows that it is {version}")
        if kind == "ELF":
            equal("format of the engine", engine[:4], b"\x7fELF")
            equal("its machine, and whether it wants a loader", elf(engine), (machine, False))
        else:
            equal("format of the engine", engine[:4], struct.pack("<I", 0xFEEDFACF))
            equal("its machine, and the macOS it wants", macho(engine), (machine, "12.0"))
        licences = wheel.read("sluicedata/_bin/LICENSES.txt").decode()
        expect("gorgonia.org/tensor v" in licences and "Apache License" in licences, "licences of what is in the engine")
        expect(f"{info}/licenses/LICENSE" in members, "the package's licence")
        expect("sluicedata/py.typed" in members, "py.typed")
        foreign = [m for m in members if not m.startswith(("sluicedata/", info)) or "__pycache__" in m or "test" in m]
        equal("files that don't belong there", foreign, [])
        metadata = wheel.read(f"{info}/METADATA").decode()
        needs = sorted(re.findall(r"(?m)^Requires-Dist: (\w+)[^;\n]*$", metadata))
        equal("what it needs", needs, ["numpy", "pyarrow"])
        tags = re.findall(r"(?m)^Tag: (.+)$", wheel.read(f"{info}/WHEEL").decode())
        equal("tags in WHEEL", sorted(tags), sorted(f"py3-none-{t}" for t in tag.split(".")))
        wrong = [line for line in wheel.read(f"{info}/RECORD").decode().split() if not recorded(wheel, *line.rsplit(",", 2))]
        equal("lines of RECORD that are wrong", wrong, [])
    at_most("megabytes", file.stat().st_size / 1e6, 13)
    return tag


def recorded(wheel, name, digest, size):
    if name.endswith("/RECORD"):
        return digest == size == ""
    data = wheel.read(name)
    want = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return digest == f"sha256={want}" and int(size) == len(data)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=pathlib.Path, nargs="+")
tags = [check(file) for folder in parser.parse_args().folder for file in sorted(folder.glob("*.whl"))]
expect(len(set(tags)) >= 3, f"wheels of {len(set(tags))} platforms")
finish()
