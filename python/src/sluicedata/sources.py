"""Sources, as typed functions: generated from the engine's catalogues.

Do not edit: go test ./flow/pipefile -run TestPythonFiles -update writes this file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal

from .pipelines import Component, component, composite

__all__ = [
    "arrow",
    "coco",
    "concat",
    "folder",
    "huggingface",
    "manifest",
    "parquet",
    "voc",
    "webdataset",
    "yolo",
]


def folder(
    path: str | os.PathLike[str],
    *,
    tasks: Sequence[str] | None = None,
    classes: Sequence[str | int] | str | Mapping[str, Sequence[str | int] | str] | None = None,
    label: Literal["innermost", "outermost"] | None = None,
    class_order: Literal["text", "natural"] = "text",
    metadata: Literal["auto", "none"] = "auto",
    meta: Sequence[str | int | Mapping[str, Literal["text", "int", "float"]]] | None = None,
    masks: str | Mapping[str, object] | None = None,
    multi: Mapping[str, str | Mapping[str, object]] | None = None,
    values: Sequence[str] | Mapping[str, str] | None = None,
    objects: str | Mapping[str, object] | None = None,
) -> Component:
    """A folder of images, or an archive of one (.tar, .tar.gz, .tar.zst, .zip); the innermost folders are the labels.

    Args:
        path: the folder, or a .tar, .tar.gz, .tar.zst or .zip of one.
        tasks: names of the label folders, outermost first (default: class), or of the label columns where metadata
            files give the labels (default: every column but file_name, weight and those of meta).
        classes: fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map
            from task to these.
        label: which folders are the labels: innermost, directly above the images, or outermost, directly below path
            (default: innermost, and images at different depths are an error).
        class_order: order of classes unless classes fixes it: text, byte by byte as torchvision's ImageFolder, or
            natural, numbers in names as numbers.
        metadata: whether metadata.csv and metadata.jsonl in the folder or below give the labels, as in Hugging
            Face's imagefolder: auto, where there are any, or none.
        meta: columns of the metadata files to be delivered unchanged, as meta.<name>, text or numbers: a list of
            names, or of {name: text | int | float}.
        masks: masks of class numbers beside the images: where each is, such as masks/{stem}.png, or {path, ignore,
            values, classes}.
        multi: tasks of several labels, from columns of the metadata files: {tags: {column, classes, separator}}, or
            {tags: column}.
        values: values in place of classes, from columns of the metadata files: a list of columns, or {name:
            column}.
        objects: a column of the metadata files that holds objects, as in Hugging Face's imagefolder: the column, or
            {column, bbox, classes, keypoints, mirror}.
    """
    return component(
        folder,
        {
            "path": path,
            "tasks": tasks,
            "classes": classes,
            "label": label,
            "class_order": class_order,
            "metadata": metadata,
            "meta": meta,
            "masks": masks,
            "multi": multi,
            "values": values,
            "objects": objects,
        },
    )


def webdataset(
    shards: str | Sequence[str],
    *,
    image: Sequence[str] | None = None,
    tasks: Mapping[str, str] | None = None,
    classes: Sequence[str | int] | str | Mapping[str, Sequence[str | int] | str] | None = None,
    meta: Mapping[str, str] | None = None,
    masks: str | Mapping[str, object] | None = None,
    multi: Mapping[str, str | Mapping[str, object]] | None = None,
    values: Sequence[str] | Mapping[str, str] | None = None,
    objects: str | Mapping[str, object] | None = None,
    index: Literal["auto", "none"] = "auto",
) -> Component:
    """Shards of a WebDataset: tars in which a sample is members of one name (0001.jpg, 0001.cls).

    Args:
        shards: the shards: a file, a pattern with braces (train-{000..099}.tar) or wildcards (train-*.tar), or a
            list of these; .tar, or .tar.gz and .tar.zst, which are unpacked into the cache.
        image: the extensions of the image, the best first: a sample's image is its member with the first of these
            (default: jpg, jpeg, png, and the other formats that are decoded).
        tasks: where the labels of each task are: the extension of a member (cls), or a path in a JSON member
            (json:attributes.color) (default: {class: cls}, and {color: color.cls} and the like, of the members that
            there are).
        classes: fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map
            from task to these.
        meta: values to be delivered unchanged, as meta.<name>: where they are, as for tasks.
        masks: masks of class numbers: the extension of the members that they are, such as seg.png, or {member,
            ignore, values, classes}.
        multi: tasks of several labels: {tags: {column, classes, separator}}, or {tags: column}; a column is a
            member's extension or a path in a JSON member, as for tasks.
        values: values in place of classes, as {age: json:age}, from the same places.
        objects: where the objects are in a JSON member, such as json:objects: this, or {column, bbox, classes,
            keypoints, mirror}.
        index: index files next to the shards, as DALI's wds2idx writes them (.idx): auto uses those that fit, none
            uses none.
    """
    return component(
        webdataset,
        {
            "shards": shards,
            "image": image,
            "tasks": tasks,
            "classes": classes,
            "meta": meta,
            "masks": masks,
            "multi": multi,
            "values": values,
            "objects": objects,
            "index": index,
        },
    )


def manifest(
    path: str | os.PathLike[str],
    *,
    path_column: str = "path",
    tasks: Sequence[str] | None = None,
    weight_column: str | None = None,
    classes: Sequence[str | int] | str | Mapping[str, Sequence[str | int] | str] | None = None,
    meta: Sequence[str | int | Mapping[str, Literal["text", "int", "float"]]] | None = None,
    masks: str | Mapping[str, object] | None = None,
    multi: Mapping[str, str | Mapping[str, object]] | None = None,
    values: Sequence[str] | Mapping[str, str] | None = None,
    objects: str | Mapping[str, object] | None = None,
    max_line: int = 1048576,
    max_cell: int = 65536,
    max_columns: int = 1000,
) -> Component:
    """A CSV or JSONL file that lists images with their labels.

    Args:
        path: the list: .csv, .tsv, .jsonl or .ndjson.
        path_column: the column that holds each image's path, relative to the list's folder.
        tasks: the label columns (default: every column but those of path, weight and meta).
        weight_column: the column of each sample's weight, a number of at least 0 (default: weight, if there is such
            a column).
        classes: fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map
            from task to these.
        meta: columns to be delivered unchanged, as meta.<name>, text or numbers: a list of names, or of {name: text
            | int | float} where the type does not follow from the cells.
        masks: masks of class numbers beside the images: where each is, relative to the list's folder, such as
            masks/{stem}.png, or {path, ignore, values, classes}.
        multi: tasks of several labels: {tags: {column, classes, separator}}, or {tags: column}.
        values: values in place of classes: a list of columns, or {name: column}.
        objects: a column of objects, as in Hugging Face's metadata.jsonl: the column, or {column, bbox, classes,
            keypoints, mirror}.
        max_line: most bytes of a row.
        max_cell: most bytes of a path, a label or a weight.
        max_columns: most columns of the list.
    """
    return component(
        manifest,
        {
            "path": path,
            "path_column": path_column,
            "tasks": tasks,
            "weight_column": weight_column,
            "classes": classes,
            "meta": meta,
            "masks": masks,
            "multi": multi,
            "values": values,
            "objects": objects,
            "max_line": max_line,
            "max_cell": max_cell,
            "max_columns": max_columns,
        },
    )


def coco(
    file: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    annotations: Literal["stored", "displayed"] | None = None,
    keypoints: Mapping[str, Literal["continuous", "index"]] | None = None,
) -> Component:
    """Images with boxes, polygons and keypoints, from an annotation file of COCO's or LVIS's form.

    Args:
        file: the annotation file, such as instances_train2017.json.
        images: the folder that file names are relative to (default: the folder of file).
        annotations: which picture annotations were made on where a file says that it is to be turned (EXIF):
            stored, as it is in the file, or displayed, as it is shown (default: the one whose height and width the
            file of annotations gives).
        keypoints: how keypoints are read: {convention: index} where their coordinates are numbers of pixels.
    """
    return component(
        coco,
        {
            "file": file,
            "images": images,
            "annotations": annotations,
            "keypoints": keypoints,
        },
    )


def voc(
    path: str | os.PathLike[str],
    *,
    xml: str = "Annotations",
    images: str = "JPEGImages",
    set: str | None = None,
    origin: int = 1,
    classes: Sequence[str | int] | str | Mapping[str, Sequence[str | int] | str] | None = None,
    annotations: Literal["stored", "displayed"] | None = None,
) -> Component:
    """Images with boxes in XML files of PASCAL VOC, one for each image.

    Args:
        path: the folder that has Annotations and JPEGImages.
        xml: the folder of XML files, in path.
        images: the folder of images, in path.
        set: a file of names without extension, one a line, in path, such as ImageSets/Main/train.txt (default:
            all).
        origin: number of the first pixel: 1, with both corners inside; or 0, corners as continuous coordinates.
        classes: names in the order of their numbers, or a file with one a line (.json: a list; default: those that
            occur, sorted).
        annotations: which picture annotations were made on where a file says that it is to be turned (EXIF):
            stored, as it is in the file, or displayed, as it is shown (default: the one that has the size in the
            XML).
    """
    return component(
        voc,
        {
            "path": path,
            "xml": xml,
            "images": images,
            "set": set,
            "origin": origin,
            "classes": classes,
            "annotations": annotations,
        },
    )


def yolo(
    data: str | os.PathLike[str] | None = None,
    *,
    split: Literal["train", "val", "test"] = "train",
    images: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    classes: Sequence[str | int] | str | Mapping[str, Sequence[str | int] | str] | None = None,
) -> Component:
    """Images with boxes, polygons or keypoints in a text file each, from a data.yaml or folders.

    Args:
        data: a data.yaml, which names folders and classes.
        split: with data: the part that is read.
        images: instead of data: the folder of images, with those within it.
        labels: with images: the folder of text files (default: the one named labels in place of images).
        classes: with images: names in the order of their numbers, or a file with one a line (.json: a list).
    """
    return component(
        yolo,
        {
            "data": data,
            "split": split,
            "images": images,
            "labels": labels,
            "classes": classes,
        },
    )


def arrow(
    path: str | os.PathLike[str],
    *,
    scale: float | None = None,
    epoch: int | None = None,
    image: str = "image",
    tasks: Sequence[str] | None = None,
    weight_column: str | None = None,
    classes: Sequence[str | int] | str | Mapping[str, Sequence[str | int] | str] | None = None,
    meta: Sequence[str | int | Mapping[str, Literal["text", "int", "float"]]] | None = None,
) -> Component:
    """Arrow files: what sluice materialize wrote, as encoded images or pixels, or files of others.

    Args:
        path: a directory that sluice materialize wrote, an .arrow file (or .arrows, .ipc, .feather), or a folder of
            such files.
        scale: which scale of a directory with several.
        epoch: which epoch of a directory with several, from 0.
        image: the column of the images.
        tasks: the tasks, or in files that sluice did not write the label columns (default: those that sluice
            wrote).
        weight_column: the column of each sample's weight, a number of at least 0 (default: weight, in files that
            sluice wrote).
        classes: fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map
            from task to these.
        meta: columns to be delivered unchanged, as meta.<name>: a list of names, or of {name: text | int | float}
            (default: those that sluice wrote).
    """
    return component(
        arrow,
        {
            "path": path,
            "scale": scale,
            "epoch": epoch,
            "image": image,
            "tasks": tasks,
            "weight_column": weight_column,
            "classes": classes,
            "meta": meta,
        },
    )


def huggingface(
    saved: str | os.PathLike[str],
    *,
    split: str | None = None,
    image: str | None = None,
    tasks: Sequence[str] | None = None,
    classes: Sequence[str | int] | str | Mapping[str, Sequence[str | int] | str] | None = None,
    meta: Sequence[str | int | Mapping[str, Literal["text", "int", "float"]]] | None = None,
    multi: Mapping[str, str | Mapping[str, object]] | None = None,
    values: Sequence[str] | Mapping[str, str] | None = None,
    objects: str | Mapping[str, object] | None = None,
) -> Component:
    """A data set of Hugging Face's datasets, as save_to_disk wrote it.

    Args:
        saved: the folder that save_to_disk wrote.
        split: which split of a DatasetDict (default: the only one).
        image: the column of the images (default: the only one of the feature Image).
        tasks: the label columns (default: those of the feature ClassLabel).
        classes: fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map
            from task to these.
        meta: columns to be delivered unchanged, as meta.<name>: a list of names, or of {name: text | int | float}.
        multi: tasks of several labels, from columns of lists: {tags: {column, classes}}, or {tags: column}.
        values: values in place of classes: a list of columns, or {name: column}.
        objects: the column of objects, such as objects: this, or {column, bbox, classes, keypoints, mirror}.
    """
    return component(
        huggingface,
        {
            "saved": saved,
            "split": split,
            "image": image,
            "tasks": tasks,
            "classes": classes,
            "meta": meta,
            "multi": multi,
            "values": values,
            "objects": objects,
        },
    )


def concat(
    sources: Mapping[str, Component],
    *,
    label: str = "source",
    classes: Sequence[str | int] | str | Mapping[str, Sequence[str | int] | str] | None = None,
) -> Component:
    """Several sources as one, each under a name.

    Args:
        sources: the sources by name, such as {"web": folder("data/web")}.
        label: name of the task that says which source a sample is from; none: there is no such task.
        classes: fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map
            from task to these (default: the order of all sources).
    """
    return composite(
        concat,
        sources,
        {
            "label": label,
            "classes": classes,
        },
    )


def parquet(
    files: str | Sequence[str],
    *,
    image: str | None = None,
    tasks: Sequence[str] | None = None,
    weight_column: str | None = None,
    classes: Sequence[str | int] | str | Mapping[str, Sequence[str | int] | str] | None = None,
    meta: Sequence[str | int | Mapping[str, Literal["text", "int", "float"]]] | None = None,
    multi: Mapping[str, str | Mapping[str, object]] | None = None,
    values: Sequence[str] | Mapping[str, str] | None = None,
    objects: str | Mapping[str, object] | None = None,
) -> Component:
    """Parquet files with a column of images, of datasets, pandas, Polars, DuckDB or sluice.

    Args:
        files: the Parquet files: a path or a pattern, such as data/train-*.parquet, or a list of these.
        image: the column of images: bytes, or a structure of bytes and path (default: the only such column).
        tasks: the label columns (default: those that are class labels by the files' metadata).
        weight_column: the column of each sample's weight, a number of at least 0 (default: weight, if there is such
            a column of numbers).
        classes: fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map
            from task to these.
        meta: columns to be delivered unchanged, as meta.<name>: a list of names, or of {name: text | int | float}
            for another type than the column's.
        multi: tasks of several labels, from columns of lists or texts: {tags: {column, classes, separator}}, or
            {tags: column}.
        values: values in place of classes: a list of columns, or {name: column}.
        objects: the column of objects, such as objects: this, or {column, bbox, classes, keypoints, mirror}.
    """
    return component(
        parquet,
        {
            "files": files,
            "image": image,
            "tasks": tasks,
            "weight_column": weight_column,
            "classes": classes,
            "meta": meta,
            "multi": multi,
            "values": values,
            "objects": objects,
        },
    )
