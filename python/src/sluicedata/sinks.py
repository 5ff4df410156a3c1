"""Formats of data sets, as typed functions: generated from the engine's catalogues.

Do not edit: go test ./flow/pipefile -run TestPythonFiles -update writes this file.
"""

from __future__ import annotations

from typing import Literal

from .pipelines import Component, component

__all__ = [
    "arrow",
    "coco",
    "folder",
    "masks",
    "parquet",
    "webdataset",
    "yolo",
]


def arrow(
    codec: Literal["none", "lz4", "zstd"] = "none",
    *,
    part_rows: int = 4096,
    class_names: bool = False,
) -> Component:
    """Arrow IPC files with a manifest; resumes after a crash.

    Args:
        codec: compression of the buffers; none can be mapped into memory.
        part_rows: rows of a file, rounded down to whole batches, at least one.
        class_names: also the names of classes, class.<task>, with a dictionary, for DuckDB, Polars and pandas.
    """
    return component(
        arrow,
        {
            "codec": codec,
            "part_rows": part_rows,
            "class_names": class_names,
        },
    )


def webdataset(
    image: Literal["jpg", "png", "raw"] = "jpg",
    *,
    quality: int = 95,
    subsampling: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0",
    restart_rows: int | None = None,
    shard_size: int | str = "500MiB",
    shard_rows: int | None = None,
    bare: bool = False,
) -> Component:
    """Tars of samples for webdataset and load_dataset("webdataset"); resumes after a crash.

    Args:
        image: what pixels are encoded as: jpg, png, or raw (.npy; in Parquet bytes of a fixed length), which
            float32 needs; files that no stage decoded stay as they are.
        quality: of JPEG, 1 to 100, as Pillow and libjpeg have it.
        subsampling: of JPEG's chroma.
        restart_rows: of JPEG: a restart marker after each so many rows of blocks, so that decoders can skip what
            they don't need; 0: none.
        shard_size: size that shards have about: rows are counted by the mean size of the source's files, or an
            estimate where pixels are encoded, so that shards have equal numbers of rows.
        shard_rows: rows of a shard instead, rounded down to whole batches, at least one.
        bare: leave out the .json members.
    """
    return component(
        webdataset,
        {
            "image": image,
            "quality": quality,
            "subsampling": subsampling,
            "restart_rows": restart_rows,
            "shard_size": shard_size,
            "shard_rows": shard_rows,
            "bare": bare,
        },
    )


def folder(
    image: Literal["jpg", "png", "raw"] = "jpg",
    *,
    quality: int = 95,
    subsampling: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0",
    restart_rows: int | None = None,
    flat: bool = False,
    task: str | None = None,
    part_rows: int = 4096,
) -> Component:
    """Image files in folders of classes, or with metadata.csv, as ImageFolder and imagefolder read; resumes after a crash.

    Args:
        image: what pixels are encoded as: jpg, png, or raw (.npy; in Parquet bytes of a fixed length), which
            float32 needs; files that no stage decoded stay as they are.
        quality: of JPEG, 1 to 100, as Pillow and libjpeg have it.
        subsampling: of JPEG's chroma.
        restart_rows: of JPEG: a restart marker after each so many rows of blocks, so that decoders can skip what
            they don't need; 0: none.
        flat: all files in the folder images, and metadata.csv with their classes, in place of a folder for each
            class.
        task: whose classes the folders are; default: the only one.
        part_rows: files of a part, which is what a run that resumes keeps or makes again.
    """
    return component(
        folder,
        {
            "image": image,
            "quality": quality,
            "subsampling": subsampling,
            "restart_rows": restart_rows,
            "flat": flat,
            "task": task,
            "part_rows": part_rows,
        },
    )


def parquet(
    image: Literal["jpg", "png", "raw"] = "jpg",
    *,
    quality: int = 95,
    subsampling: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0",
    restart_rows: int | None = None,
    codec: Literal["none", "snappy", "zstd"] = "none",
    part_rows: int = 4096,
    group_rows: int = 1024,
    group_size: int | str = "64MiB",
    class_names: bool = False,
) -> Component:
    """Parquet files for pyarrow, DuckDB, Polars and load_dataset("parquet"); resumes after a crash.

    Args:
        image: what pixels are encoded as: jpg, png, or raw (.npy; in Parquet bytes of a fixed length), which
            float32 needs; files that no stage decoded stay as they are.
        quality: of JPEG, 1 to 100, as Pillow and libjpeg have it.
        subsampling: of JPEG's chroma.
        restart_rows: of JPEG: a restart marker after each so many rows of blocks, so that decoders can skip what
            they don't need; 0: none.
        codec: compression of all columns; image files hardly become smaller, raw pixels do.
        part_rows: rows of a file, rounded down to whole batches, at least one.
        group_rows: rows of a row group, at most.
        group_size: bytes after which a row group ends, before compression; each takes as much memory while it is
            written.
        class_names: add a column class.TASK with the name of the class for each task.
    """
    return component(
        parquet,
        {
            "image": image,
            "quality": quality,
            "subsampling": subsampling,
            "restart_rows": restart_rows,
            "codec": codec,
            "part_rows": part_rows,
            "group_rows": group_rows,
            "group_size": group_size,
            "class_names": class_names,
        },
    )


def coco(
    image: Literal["jpg", "png"] = "jpg",
    *,
    quality: int = 95,
    subsampling: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0",
    part_rows: int = 4096,
    keypoints: Literal["continuous", "index"] = "continuous",
) -> Component:
    """Image files and instances.json, as pycocotools and torchvision's CocoDetection read; resumes after a crash.

    Args:
        image: what pixels are encoded as: jpg or png; files that no stage decoded stay as they are.
        quality: of JPEG, 1 to 100, as Pillow and libjpeg have it.
        subsampling: of JPEG's chroma.
        part_rows: pictures of a part, which is what a run that resumes keeps or makes again.
        keypoints: what coordinates of keypoints mean: continuous, where a pixel's centre is at .5, or index, the
            numbers of pixels, as COCO's own files.
    """
    return component(
        coco,
        {
            "image": image,
            "quality": quality,
            "subsampling": subsampling,
            "part_rows": part_rows,
            "keypoints": keypoints,
        },
    )


def yolo(
    image: Literal["jpg", "png"] = "jpg",
    *,
    quality: int = 95,
    subsampling: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0",
    part_rows: int = 4096,
    objects: Literal["auto", "boxes", "polygons", "keypoints"] = "auto",
) -> Component:
    """Image files, a text of objects beside each, and data.yaml, as ultralytics reads; resumes after a crash.

    Args:
        image: what pixels are encoded as: jpg or png; files that no stage decoded stay as they are.
        quality: of JPEG, 1 to 100, as Pillow and libjpeg have it.
        subsampling: of JPEG's chroma.
        part_rows: pictures of a part, which is what a run that resumes keeps or makes again.
        objects: what lines are: boxes, polygons, or keypoints (a box and its keypoints); auto: polygons where the
            source has them, else keypoints where it has them, else boxes.
    """
    return component(
        yolo,
        {
            "image": image,
            "quality": quality,
            "subsampling": subsampling,
            "part_rows": part_rows,
            "objects": objects,
        },
    )


def masks(
    image: Literal["jpg", "png"] = "jpg",
    *,
    quality: int = 95,
    subsampling: Literal["4:2:0", "4:2:2", "4:4:4"] = "4:2:0",
    part_rows: int = 4096,
) -> Component:
    """Image files and a PNG mask of class numbers beside each; resumes after a crash.

    Args:
        image: what pixels are encoded as: jpg or png; files that no stage decoded stay as they are.
        quality: of JPEG, 1 to 100, as Pillow and libjpeg have it.
        subsampling: of JPEG's chroma.
        part_rows: pictures of a part, which is what a run that resumes keeps or makes again.
    """
    return component(
        masks,
        {
            "image": image,
            "quality": quality,
            "subsampling": subsampling,
            "part_rows": part_rows,
        },
    )
