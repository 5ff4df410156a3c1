"""Pipelines made of the transforms of torchvision and timm."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluicedata import Loader, Transform, UnsupportedTransform, from_torchvision, sources

torch = pytest.importorskip("torch")
v1 = pytest.importorskip("torchvision.transforms")
v2 = pytest.importorskip("torchvision.transforms.v2")


def stages(*transforms: Any) -> list[Any]:
    """The stages behind decode."""
    found: list[Any] = from_torchvision(list(transforms)).to_dict()["stages"]
    assert found[0] == "decode"
    return found[1:]


@pytest.mark.parametrize(
    ("make", "want"),
    [
        (lambda t: t.Resize(40), {"resize": {"size": 40}}),
        (lambda t: t.Resize([40]), {"resize": {"size": 40}}),
        (lambda t: t.Resize((40, 30)), {"resize": {"height": 40, "width": 30}}),
        (lambda t: t.Resize((40, 40)), {"resize": {"height": 40, "width": 40}}),
        (
            lambda t: t.Resize(40, interpolation=t.InterpolationMode.BICUBIC),
            {"resize": {"size": 40, "interpolation": "bicubic"}},
        ),
        (lambda t: t.Resize(40, interpolation=1), {"resize": {"size": 40, "interpolation": "lanczos"}}),
        (
            lambda t: t.Resize(40, interpolation=t.InterpolationMode.NEAREST_EXACT),
            {"resize": {"size": 40, "interpolation": "nearest"}},
        ),
        (lambda t: t.CenterCrop(24), {"center_crop": {"size": 24}}),
        (lambda t: t.CenterCrop((24, 20)), {"center_crop": {"height": 24, "width": 20}}),
        (lambda t: t.RandomCrop((24, 20)), {"crop": {"height": 24, "width": 20}}),
        (lambda t: t.RandomCrop(24, padding=0), {"crop": {"size": 24}}),
        (lambda t: t.RandomResizedCrop(24), {"random_resized_crop": {"size": 24}}),
        (
            lambda t: t.RandomResizedCrop((24, 20), scale=(0.2, 0.9), ratio=(1, 2)),
            {"random_resized_crop": {"height": 24, "width": 20, "scale": [0.2, 0.9], "ratio": [1.0, 2.0]}},
        ),
        (lambda t: t.RandomHorizontalFlip(), {"flip": {"p": 0.5}}),
        (lambda t: t.RandomHorizontalFlip(1), {"flip": {"p": 1.0}}),
        (lambda t: t.RandomVerticalFlip(0.3), {"flip": {"p": 0.3, "direction": "vertical"}}),
        (lambda t: t.RandomRotation(30), {"affine": {"degrees": [-30.0, 30.0], "interpolation": "nearest"}}),
        (
            lambda t: t.RandomRotation((10, 20), interpolation=t.InterpolationMode.BILINEAR, expand=True, fill=9),
            {"rotate": {"degrees": [10.0, 20.0], "fill": 9, "expand": True}},
        ),
        (
            lambda t: t.RandomAffine((-5, 20), interpolation=t.InterpolationMode.BILINEAR, fill=(1, 2, 3)),
            {"affine": {"degrees": [-20.0, 5.0], "fill": [1, 2, 3]}},
        ),
        (
            lambda t: t.RandomAffine(0, translate=(0.1, 0), scale=(0.5, 2), shear=(-4, 4, 0, 3)),
            {
                "affine": {
                    "translate": [0.1, 0.0],
                    "scale": [0.5, 2.0],
                    "shear": [-4.0, 4.0, 0.0, 3.0],
                    "interpolation": "nearest",
                }
            },
        ),
        (lambda t: t.RandomPerspective(0.4, p=1), {"perspective": {"distortion_scale": 0.4}}),
        (lambda t: t.RandomPerspective(fill=7), {"perspective": {"p": 0.5, "distortion_scale": 0.5, "fill": 7}}),
        (lambda t: t.ColorJitter(0.4, hue=0.1), {"color_jitter": {"brightness": [0.6, 1.4], "hue": [-0.1, 0.1]}}),
        (
            lambda t: t.ColorJitter(contrast=(0, 0), saturation=3),
            {"color_jitter": {"contrast": [0, 1e-9], "saturation": [0.0, 4.0]}},
        ),
        (lambda t: t.RandomGrayscale(0.2), {"grayscale": {"p": 0.2}}),
        (lambda t: t.Grayscale(3), "grayscale"),
        (lambda t: t.RandomInvert(0.2), {"invert": {"p": 0.2}}),
        (lambda t: t.RandomSolarize(99, p=1), {"solarize": {"threshold": 99.0}}),
        (lambda t: t.RandomSolarize(0, p=1), "invert"),
        (lambda t: t.RandomAutocontrast(), {"autocontrast": {"p": 0.5}}),
        (lambda t: t.RandomEqualize(1), "equalize"),
        (lambda t: t.RandomAdjustSharpness(2), {"sharpness": {"p": 0.5, "factor": [2.0, 2.0]}}),
        (lambda t: t.RandomAdjustSharpness(0, 1), {"sharpness": {"factor": [0, 1e-9]}}),
        (
            lambda t: t.RandAugment(3, 4, 11, interpolation=t.InterpolationMode.BILINEAR, fill=(1, 2, 3)),
            {"rand_augment": {"num_ops": 3, "magnitude": 4.0, "num_magnitude_bins": 11, "fill": [1, 2, 3]}},
        ),
        (
            lambda t: t.RandAugment(1, 0),
            {"rand_augment": {"num_ops": 1, "magnitude": 1e-9, "interpolation": "nearest"}},
        ),
        (lambda t: t.TrivialAugmentWide(), {"trivial_augment_wide": {"interpolation": "nearest"}}),
        (
            lambda t: t.RandomApply([t.TrivialAugmentWide(5)], p=0.5),
            {"trivial_augment_wide": {"num_magnitude_bins": 5, "interpolation": "nearest", "p": 0.5}},
        ),
        (lambda t: t.RandomPosterize(3), {"posterize": {"p": 0.5, "bits": 3}}),
        (lambda t: t.RandomApply([t.RandomHorizontalFlip(0.5)], p=0.5), {"flip": {"p": 0.25}}),
        (lambda t: t.RandomApply([t.Grayscale(3)], p=0.5), {"grayscale": {"p": 0.5}}),
        (lambda t: t.RandomApply([t.CenterCrop(8)], p=1), {"center_crop": {"size": 8}}),
        (lambda t: t.RandomChoice([t.CenterCrop(8), t.Resize(8)], p=[1, 0]), {"center_crop": {"size": 8}}),
        (lambda t: t.RandomOrder([t.CenterCrop(8)]), {"center_crop": {"size": 8}}),
    ],
)
@pytest.mark.parametrize("version", [v1, v2], ids=["v1", "v2"])
def test_one_transform(version: Any, make: Callable[[Any], Any], want: Any) -> None:
    assert stages(make(version)) == [want]


def test_what_changes_nothing_is_left_out() -> None:
    nothing = [
        v1.RandomHorizontalFlip(0),
        v1.RandomRotation(0),
        v1.RandomAffine(0),
        v1.ColorJitter(),
        v1.RandomPerspective(0),
        v1.RandomSolarize(256),
        v1.RandomAdjustSharpness(1),
        v1.RandomApply([v1.GaussianBlur(3)], p=0),
        v2.Identity(),
        v2.RGB(),
        torch.nn.Identity(),
    ]
    pipeline = from_torchvision(nothing)
    assert pipeline.to_dict()["stages"] == ["decode"]
    assert [note.split(":")[0] for note in pipeline.notes] == [
        "[0] RandomHorizontalFlip",
        "[1] RandomRotation",
        "[2] RandomAffine",
        "[3] ColorJitter",
        "[4] RandomPerspective",
        "[5] RandomSolarize",
        "[6] RandomAdjustSharpness",
        "[7] RandomApply",
    ]


def test_types() -> None:
    normalize = v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    figures = {"normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}
    floats = v2.ToDtype(torch.float32, scale=True)
    assert stages(v1.ToTensor()) == ["to_tensor"]
    assert stages(v1.ToTensor(), normalize) == ["to_tensor", figures]
    assert stages(v1.PILToTensor()) == [{"to_tensor": {"dtype": "uint8"}}]
    assert stages(v1.PILToTensor(), v1.ConvertImageDtype(torch.float32), normalize) == ["to_tensor", figures]
    assert stages(v2.ToImage(), v2.ToDtype(torch.uint8, scale=True), floats, normalize, v2.ToPureTensor()) == [
        "to_tensor",
        figures,
    ]
    assert stages(v2.ToImage(), v2.ToDtype({"others": None}), v2.ToPureTensor()) == [{"to_tensor": {"dtype": "uint8"}}]
    assert stages(v1.ToTensor(), v1.ToPILImage(), v1.CenterCrop(8)) == [{"center_crop": {"size": 8}}]
    assert stages(v1.ToTensor(), v1.Normalize(torch.tensor([0.485]), np.array([0.229]))) == [
        "to_tensor",
        {"normalize": {"mean": [0.485], "std": [0.229]}},
    ]
    levels = from_torchvision([v2.ToImage(), v2.ToDtype(torch.float32), v2.Normalize([127.5] * 3, [51.0] * 3)])
    assert levels.to_dict()["stages"][1:] == ["to_tensor", {"normalize": {"mean": [0.5] * 3, "std": [0.2] * 3}}]
    assert len(levels.notes) == 1


def test_grayscale_is_how_files_are_decoded() -> None:
    pipeline = from_torchvision([v1.RandomHorizontalFlip(), v1.Grayscale(), v1.ColorJitter(0.4, 0.4, 0.4, 0.4)])
    assert pipeline.to_dict()["stages"] == [
        {"decode": {"mode": "gray"}},
        {"flip": {"p": 0.5}},
        {"color_jitter": {"brightness": [0.6, 1.4], "contrast": [0.6, 1.4]}},
    ]
    assert pipeline.notes == ()
    assert "differ by the rounding" in from_torchvision([v1.Resize(8), v1.Grayscale()]).notes[0]
    with pytest.raises(UnsupportedTransform, match="before those"):
        from_torchvision([v1.ColorJitter(0.4), v1.Grayscale()])


def test_behind_the_tensor_stages_come_before_it() -> None:
    flips = from_torchvision([v1.ToTensor(), v1.Normalize([0.5], [0.5]), v1.RandomHorizontalFlip(), v1.RandomCrop(8)])
    assert [*flips.to_dict()["stages"][1:3]] == [{"flip": {"p": 0.5}}, {"crop": {"size": 8}}]
    assert flips.notes == ()
    resized = from_torchvision([v1.ToTensor(), v1.Resize(8), v1.RandomRotation(30, fill=1.0)])
    assert resized.to_dict()["stages"][2] == {
        "affine": {"degrees": [-30.0, 30.0], "interpolation": "nearest", "fill": 255}
    }
    assert [note.split(":")[0] for note in resized.notes if "rounds to whole levels" in note] == [
        "[1] Resize",
        "[2] RandomRotation",
    ]


def test_interpolation_of_tensors() -> None:
    small = v2.Resize((8, 8), antialias=False)
    assert stages(v2.ToImage(), small)[0] == {"resize": {"height": 8, "width": 8, "antialias": False}}
    assert stages(small)[0] == {"resize": {"height": 8, "width": 8}}  # Pillow always averages
    nearest = v2.Resize(8, interpolation=v2.InterpolationMode.NEAREST)
    assert stages(nearest)[0] == {"resize": {"size": 8, "interpolation": "nearest"}}
    with pytest.raises(UnsupportedTransform, match="nearest-exact"):
        from_torchvision([v2.ToImage(), nearest])


def test_containers_and_presets() -> None:
    models = pytest.importorskip("torchvision.models")
    nested = v1.Compose([v1.Resize(32), torch.nn.Sequential(v1.CenterCrop(24), v2.Compose([v1.ToTensor()]))])
    assert stages(nested) == [{"resize": {"size": 32}}, {"center_crop": {"size": 24}}, "to_tensor"]
    assert from_torchvision(v1.Resize(32)).to_dict()["stages"] == ["decode", {"resize": {"size": 32}}]
    preset = models.EfficientNet_B0_Weights.IMAGENET1K_V1.transforms()
    assert stages(preset) == [
        {"resize": {"size": 256, "interpolation": "bicubic"}},
        {"center_crop": {"size": 224}},
        "to_tensor",
        {"normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}},
    ]

    def _convert_image_to_rgb(image: Any) -> Any:  # CLIP's
        return image.convert("RGB")

    assert stages(v1.Resize(32), _convert_image_to_rgb) == [{"resize": {"size": 32}}]


def test_choices() -> None:
    flip, jitter, elastic = v1.RandomHorizontalFlip(0.5), v1.ColorJitter(0.4), v1.ElasticTransform()
    assert stages(v2.RandomChoice([v2.Identity(), v2.Grayscale(3)], p=[3, 1])) == [{"grayscale": {"p": 0.25}}]
    assert stages(v2.RandomChoice([v2.CenterCrop(8), v2.Grayscale(3)])) == [
        {"one_of": {"stages": [{"center_crop": {"size": 8}}, "grayscale"]}}
    ]
    assert (
        stages(v2.RandomChoice([v2.Identity(), v2.CenterCrop(8), v2.Grayscale(3), v2.RandomInvert()]))[0]["one_of"]["p"]
        == 0.75
    )
    assert stages(v1.RandomChoice([flip, v1.Grayscale(3)], p=[1, 2])) == [
        {"one_of": {"stages": [{"flip": {"p": 0.5}}, "grayscale"], "weights": [1.0, 2.0]}}
    ]
    # A flip moves whole pixels: whether it comes before or after others makes no difference.
    assert [*map(list, stages(v1.RandomOrder([jitter, flip, v1.RandomVerticalFlip()])))] == [
        ["color_jitter"],
        ["flip"],
        ["flip"],
    ]
    for transform in (
        v1.RandomApply([flip, jitter], p=0.5),
        v1.RandomApply([v1.Resize(8)], p=0.5),
        v1.RandomApply([v1.ToTensor()], p=0.5),
        v1.RandomApply([elastic], p=0.5),
        v2.RandomChoice([v2.ToImage(), v2.Grayscale(3)]),
        v1.RandomOrder([jitter, v1.RandomRotation(3)]),
    ):
        with pytest.raises(UnsupportedTransform):
            from_torchvision([transform])


def test_erasing() -> None:
    figures = {"normalize": {"mean": [0.5], "std": [0.5]}}
    tensor, normalize = v1.ToTensor(), v1.Normalize([0.5], [0.5])
    ranges = {"scale": [0.02, 0.33], "ratio": [0.3, 3.3]}
    assert stages(tensor, normalize, v1.RandomErasing(value="random")) == [
        "to_tensor",
        figures,
        {"random_erasing": {"p": 0.5, **ranges, "value": "random"}},
    ]
    assert stages(v2.ToImage(), v2.RandomErasing(1, value=[1, 2, 3]))[0] == {
        "random_erasing": {"p": 1.0, **ranges, "value": [1, 2, 3]}
    }
    assert stages(tensor, v1.RandomApply([v1.RandomErasing(0.5)], 0.5))[-1] == {
        "random_erasing": {"p": 0.25, **ranges, "value": 0.0}
    }
    assert stages(v1.RandomApply([v1.GaussianBlur(9)], 0.3)) == [
        {"gaussian_blur": {"kernel_size": 9, "sigma": [0.1, 2.0], "p": 0.3}}
    ]
    assert stages(v2.ToImage(), v2.GaussianNoise(sigma=0.2))[0] == {"gaussian_noise": {"mean": 0.0, "sigma": 0.2}}
    assert from_torchvision(v1.RandomErasing(0)).to_dict()["stages"] == ["decode"]
    for transforms, says in (
        ([tensor, v1.RandomErasing(), normalize], "put it before"),
        ([tensor, v1.RandomErasing(), v1.CenterCrop(8)], "put it before"),
        ([v2.ToImage(), v2.RandomErasing(value="random")], "behind the conversion"),
        ([v2.ToImage(), v2.RandomErasing(value=0.5)], "no level"),
        ([v1.GaussianBlur((3, 5))], "square"),
        ([v2.GaussianNoise(clip=False)], "clip=True"),
    ):
        with pytest.raises(UnsupportedTransform, match=says):
            from_torchvision(transforms)


def test_sizes_and_borders() -> None:
    def options(*transforms: Any) -> list[Any]:
        return [s for s in from_torchvision(list(transforms)).to_dict()["stages"] if s != "decode"]

    assert options(v2.Resize(32, max_size=64)) == [{"resize": {"size": 32, "max_size": 64}}]
    assert options(v1.Pad(4), v1.RandomCrop(32)) == [{"pad": {"padding": [4, 4, 4, 4]}}, {"crop": {"size": 32}}]
    assert options(v1.Pad((1, 2), padding_mode="edge")) == [{"pad": {"padding": [1, 2, 1, 2], "mode": "edge"}}]
    assert options(v2.Pad(3, fill=(1, 2, 3))) == [{"pad": {"padding": [3, 3, 3, 3], "fill": [1, 2, 3]}}]
    assert options(v1.Pad(0)) == []
    assert options(v2.RandomShortestSize(20)) == [{"random_shortest_size": {"min": [20]}}]
    assert options(v2.ScaleJitter((20, 30))) == [{"scale_jitter": {"target": [30, 20], "range": [0.1, 2.0]}}]
    # p is written where it is 1, as the stage's own is 0.5.
    assert options(v2.RandomZoomOut(p=1)) == [{"random_zoom_out": {"p": 1.0, "side_range": [1.0, 4.0]}}]
    assert options(v2.RandomApply([v2.RandomZoomOut(p=0.5)], 0.5)) == [
        {"random_zoom_out": {"p": 0.25, "side_range": [1.0, 4.0]}}
    ]
    for transform, says in ((v1.Pad(2, padding_mode="symmetric"), "reflect"), (v2.Pad(-2), "CenterCrop")):
        with pytest.raises(UnsupportedTransform, match=says):
            from_torchvision([transform])


def test_all_without_an_equal_are_listed_at_once() -> None:
    def own(image: Any) -> Any:
        return image

    transforms = v1.Compose(
        [
            v1.Resize(32),
            v2.RandomChannelPermutation(),
            v1.Compose([v1.ToTensor(), v1.ElasticTransform()]),
            v1.RandomCrop(32, padding=4),
            own,
        ]
    )
    with pytest.raises(UnsupportedTransform) as caught:
        from_torchvision(transforms)
    assert [entry.place for entry in caught.value.transforms] == ["1", "2.1", "3", "4"]
    assert caught.value.transforms[1].transform is transforms.transforms[2].transforms[1]
    lines = str(caught.value).splitlines()
    assert lines[0] == "4 transforms have no equal stage:"
    assert lines[1].startswith("  [1] RandomChannelPermutation(): no stage does this")
    assert "write Pad before it" in lines[3]
    assert "own" in lines[4]
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("transform", "says"),
    [
        (lambda: v2.Resize(None, max_size=64), "max_size"),
        (lambda: v2.Resize(32, interpolation=5), "no interpolation hamming"),
        (lambda: v1.RandomRotation(30, center=(3, 4)), "centre"),
        (lambda: v1.RandomRotation(30, interpolation=v1.InterpolationMode.BICUBIC), "nearest or bilinear"),
        (lambda: v1.RandomAffine(30, fill=0.5), "colour"),
        (lambda: v1.RandomCrop(32, pad_if_needed=True), "doesn't pad"),
        (lambda: v1.Normalize([0.5], [0.5]), "ToTensor"),
        (lambda: [v1.ToTensor(), v1.Normalize([0.5], [2.0])], "0..1"),
        (lambda: [v1.ToTensor(), v1.Normalize([0.5], [0.5]), v1.Normalize([0.5], [0.5])], "one Normalize"),
        (lambda: [v1.ToTensor(), v1.Normalize([0.5], [0.5]), v1.ColorJitter(0.4)], "put it before"),
        (lambda: [v2.ToImage(), v2.ToDtype(torch.float32)], "0..1 here"),
        (lambda: [v2.ToImage(), v2.ToDtype(torch.float16, scale=True)], r"image\.to\(torch\.float16\)"),
        (lambda: v2.AugMix(), "policy"),
        (lambda: v2.MixUp(num_classes=3), "stage mixup to the pipeline, behind batch"),
    ],
)
def test_reasons(transform: Callable[[], Any], says: str) -> None:
    with pytest.raises(UnsupportedTransform, match=says) as caught:
        from_torchvision(transform())
    assert len(caught.value.transforms) == 1


def test_notes_say_how_far_pixels_may_be_apart() -> None:
    rotation = v1.RandomRotation(30, interpolation=v1.InterpolationMode.BILINEAR)
    (note,) = from_torchvision([v1.Resize(32), rotation, v1.ColorJitter(0.4, hue=0.1)]).notes
    assert note.startswith(
        "[1] RandomRotation: pixels differ by at most 1 of 255 levels, by at most 0.5 on average: at the edge"
    )
    resize, jitter = from_torchvision([v2.ToImage(), v2.Resize(32), v2.ColorJitter(0.4, hue=0.1)]).notes
    assert resize.startswith("[1] Resize: pixels differ by at most 1 of 255 levels, by at most 0.01 on average")
    assert jitter.startswith("[2] ColorJitter: pixels differ by at most 24 of 255")
    (plain,) = from_torchvision([v2.ToImage(), v2.ColorJitter(0.4)]).notes
    assert plain.startswith("[1] ColorJitter: pixels differ by at most 4 of 255")


def test_what_is_left_for_the_loop(make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's program: RandomChannelPermutation, taken out of the Compose, draws for each image of a batch."""
    page = Path(__file__).parents[2] / "docs" / "python-transforms.md"
    if not page.exists():
        pytest.skip("docs isn't there: this is the package alone")
    block = next(b for b in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M) if "permute" in b)
    monkeypatch.chdir(make_folder({"cat": 40, "dog": 24}, "data/train").parents[1])
    names = {
        "transform": v2.Compose([v2.RandomResizedCrop(32), v2.ToTensor(), v2.RandomChannelPermutation()]),
        "Loader": Loader,
        "from_torchvision": from_torchvision,
        "sources": sources,
        "pictures": sources.folder("data/train"),
    }
    with pytest.raises(UnsupportedTransform, match=r"take it out of the Compose.*torch\.stack"):
        from_torchvision(names["transform"])
    torch.manual_seed(1)
    exec(block, names)
    with Loader(from_torchvision(names["kept"], names["pictures"], shuffle=True, batch_size=64)) as loader:
        (before,) = [image for image, _ in loader]
    orders = list(itertools.permutations(range(3)))
    drawn = [next(o for o in orders if torch.equal(a[list(o)], b)) for a, b in zip(before, names["image"], strict=True)]
    assert len(drawn) == 64
    assert set(drawn) == set(orders)


def test_a_loader_of_it_gives_the_batches_of_a_dataloader(make_folder: Callable[..., Path]) -> None:
    """ImageFolder, a Compose and a DataLoader, to the bit."""
    datasets = pytest.importorskip("torchvision.datasets")
    data = pytest.importorskip("torch.utils.data")
    folder = make_folder({"cat": 5, "dog": 4}, height=60, width=45)
    compose = v1.Compose(
        [v1.Resize(40), v1.CenterCrop(32), v1.ToTensor(), v1.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    )
    pipeline = from_torchvision(compose, sources.folder(folder), batch_size=4, fuse="exact")
    with Loader(pipeline) as loader:
        ours = list(loader)
        theirs = list(data.DataLoader(datasets.ImageFolder(folder, compose), batch_size=4))
        assert len(ours) == len(theirs) == 3
        for (x, y), (image, label) in zip(ours, theirs, strict=True):
            assert torch.equal(x, image)
            assert torch.equal(y, label)


def test_timm() -> None:
    timm = pytest.importorskip(
        "timm.data", reason="timm isn't installed: pip install timm has its transforms converted"
    )
    figures = {"normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}
    assert stages(timm.create_transform(48)) == [
        {"resize": {"size": 54}},
        {"center_crop": {"size": 48}},
        "to_tensor",
        figures,
    ]
    assert stages(timm.create_transform(48, use_prefetcher=True))[-1] == {"to_tensor": {"dtype": "uint8"}}
    split = timm.create_transform(48, is_training=True, color_jitter_prob=0.5, grayscale_prob=0.2, separate=True)
    assert stages(*split) == [
        {"random_resized_crop": {"size": 48}},
        {"flip": {"p": 0.5}},
        {"color_jitter": {"brightness": [0.6, 1.4], "contrast": [0.6, 1.4], "saturation": [0.6, 1.4], "p": 0.5}},
        {"grayscale": {"p": 0.2}},
        "to_tensor",
        figures,
    ]
    with pytest.raises(UnsupportedTransform) as caught:
        from_torchvision(
            timm.create_transform(
                48, is_training=True, auto_augment="rand-m9-tweights", interpolation="random", re_prob=0.2
            )
        )
    assert [type(t).__name__ for _, t, _ in caught.value.transforms] == [
        "RandomResizedCropAndInterpolation",
        "RandAugment",
    ]
    for text in ("rand-m9-n2-p0.5-mstd0.5-inc1", "rand-m7-n4-p0.9-mstd101-mmax15"):
        policy = timm.create_transform(48, is_training=True, auto_augment=text, mean=(0.5, 0.5, 0.5))
        assert {"rand_augment": {"timm": text, "fill": 128}} in stages(policy)
    erasing = timm.create_transform(48, is_training=True, re_prob=0.2, re_mode="pixel", gaussian_blur_prob=0.1)
    assert stages(erasing)[-2:] == [
        figures,
        {"random_erasing": {"p": 0.2, "scale": [0.02, 1 / 3], "ratio": [0.3, 3.333333333333], "value": "random"}},
    ]
    assert {"gaussian_blur": {"kernel_size": 23, "sigma": [0.1, 2.0], "p": 0.1}} in stages(erasing)
    for options, says in (({"re_mode": "rand"}, "random colour"), ({"re_count": 3}, "one rectangle")):
        with pytest.raises(UnsupportedTransform, match=says):
            from_torchvision(timm.create_transform(48, is_training=True, re_prob=0.2, **options))


def test_source_and_settings() -> None:
    pipeline = from_torchvision(
        v1.ToTensor(), {"folder": {"path": "train"}}, shuffle=True, batch_size=8, drop_last=True, seed=3
    )
    assert pipeline.to_dict() == {
        "version": 1,
        "seed": 3,
        "source": {"folder": {"path": "train"}},
        "stages": ["shuffle", "decode", "to_tensor", {"batch": {"size": 8, "drop_last": True}}],
    }


def test_an_image_folder_is_its_folder(make_folder: Callable[..., Path]) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    root = make_folder({"b": 2, "a10": 1, "a9": 1})
    (root / "b" / "deep").mkdir()
    (root / "b" / "0000.png").rename(root / "b" / "deep" / "0000.png")
    listed = datasets.ImageFolder(str(root))
    made = from_torchvision([v1.Resize((8, 8)), v1.ToTensor()], listed, batch_size=4)
    assert made.source == sources.folder(root, label="outermost")
    with Loader(made, format="numpy") as loader:
        keys = {
            Path(key).as_posix(): int(label)
            for batch in loader
            for key, label in zip(batch.key, batch.label["class"], strict=True)
        }
    assert keys == {Path(path).relative_to(root).as_posix(): label for path, label in listed.samples}
    with pytest.raises(TypeError, match=r"DatasetFolder may read files its own way: give sources\.folder"):
        from_torchvision(v1.ToTensor(), datasets.DatasetFolder(str(root), lambda path: path, (".png",)))


def test_a_path_is_no_source() -> None:
    with pytest.raises(TypeError, match=r"source: 'data/train' is a path.* give sources\.folder\('data/train'\)"):
        from_torchvision(v1.ToTensor(), "data/train")


def test_the_engine_takes_it() -> None:
    """Training and evaluation as torchvision's references have them: evaluation to the bit."""
    image = np.random.default_rng(1).integers(0, 256, (61, 83, 3), np.uint8)
    normalize = v1.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    evaluation = v1.Compose([v1.Resize(40), v1.CenterCrop(32), v1.ToTensor(), normalize])
    got = Transform(from_torchvision(evaluation), fuse="exact")(image)
    pillow = pytest.importorskip("PIL.Image")
    assert torch.equal(got, evaluation(pillow.fromarray(image)))
    training = v1.Compose(
        [
            v1.RandomResizedCrop(32),
            v1.RandomHorizontalFlip(),
            v1.ColorJitter(0.4, 0.4, 0.4, 0.1),
            v1.ToTensor(),
            normalize,
        ]
    )
    drawn = Transform(from_torchvision(training, seed=7)).draw(image)
    assert tuple(drawn.image.shape) == (3, 32, 32)
    assert {"random_resized_crop", "flip", "color_jitter"} <= set(drawn.params)
