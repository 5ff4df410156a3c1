"""Other loaders on the work of benchmarks/loaders: peers.py PEER RECIPE WORKERS IMAGES FOLDER BATCH

Prints a line of JSON about itself when it is ready. For each line "go" on stdin it makes IMAGES images, in batches of
BATCH x 3 x 224 x 224 float32, and prints a line of JSON: {"images": .., "seconds": .., "made": ..}. Files are taken in turn.
For a line "look" it makes as many, and says what their values are like. A line "use RECIPE FORMAT FOLDER" changes what it makes, and
FORMAT is one of encode.py's; the answer says which versions it uses, or that it has none. RECIPE may be empty until then.

A peer is a class with load(), which imports and returns versions, and either draw(file, out), which fills
out, 3 x 224 x 224, or batches(), a generator of whole batches. Peers of the first kind are run as a DataLoader does: in this
process with 1 worker, else in processes that fill whole batches in shared memory. The memory of a batch is used
again, which is faster than a DataLoader's. mix(batch) makes mixed pictures of a batch, in memory of their own.
"""

import importlib
import itertools
import json
import math
import mmap
import multiprocessing
import os
import random
import sys
import time

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", NO_ALBUMENTATIONS_UPDATE="1")
os.environ.setdefault("NUMBA_NUM_THREADS", sys.argv[3])

import numpy as np

BATCH, SIDE, AHEAD = int(sys.argv[6]), 224, 2  # AHEAD: batches that a worker may be ahead, as a DataLoader's prefetch_factor
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def offsets(w, h):
    """The recipe's window: left, top, width, height."""
    return random.randrange(max(w // 4, 1)), random.randrange(max(h // 4, 1)), w // 2, h // 2


def window(w, h, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """RandomResizedCrop's window, as torchvision draws it, in plain Python."""
    for _ in range(10):
        area = w * h * random.uniform(*scale)
        aspect = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
        cw, ch = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < cw <= w and 0 < ch <= h:
            return random.randint(0, w - cw), random.randint(0, h - ch), cw, ch
    cw, ch = min(w, round(h * ratio[1])), min(h, round(w / ratio[0]))
    return (w - cw) // 2, (h - ch) // 2, cw, ch


def shorter(w, h, size=256):
    """Resize(256)'s sides."""
    return (size, int(size * h / w)) if w < h else (int(size * w / h), size)


class OpenCV:
    """Step after step with OpenCV on one thread per worker; bilinear, not antialiased."""

    recipes = "recipe", "rrc", "center", "decode"
    needs = ("cv2",)
    formats = "jpeg", "png", "webp", "gif", "bmp", "ppm", "tiff"
    mix = None

    def load(self):
        global cv2
        import cv2

        cv2.setNumThreads(1)
        # One table per channel makes float32 of bytes, normalized: faster than NumPy's arithmetic.
        self.tables = [((np.arange(256) / 255 - m) / s).astype(np.float32) for m, s in zip(MEAN, STD)]
        return {"opencv": cv2.__version__, "numpy": np.__version__}

    def picture(self, img):
        h, w = img.shape[:2]
        if self.recipe == "recipe":
            m = cv2.getRotationMatrix2D((w // 2, h // 2), random.uniform(-30, 30), 1)
            img = cv2.warpAffine(img, m, (w, h), flags=cv2.INTER_LINEAR)
            x, y, cw, ch = offsets(w, h)
            img = cv2.resize(img[y : y + ch, x : x + cw], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        elif self.recipe == "rrc":
            x, y, cw, ch = window(w, h)
            img = cv2.resize(img[y : y + ch, x : x + cw], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        else:
            img = cv2.resize(img, shorter(w, h), interpolation=cv2.INTER_LINEAR)
            y, x = (img.shape[0] - SIDE) // 2, (img.shape[1] - SIDE) // 2
            return img[y : y + SIDE, x : x + SIDE]
        return cv2.flip(img, 1) if random.random() < 0.5 else img

    def read(self, file):
        return cv2.imread(file)

    def draw(self, file, out):
        img = self.read(file)
        if self.recipe == "decode":
            return
        planes = cv2.split(self.picture(img))  # blue, green, red
        for c in range(3):
            cv2.LUT(planes[2 - c], self.tables[c], dst=out[c])


class OpenCVComposed(OpenCV):
    """OpenCV with rotation, crop, flip and resize composed by hand into one warpAffine that makes 224 x 224 pixels."""

    recipes = ("recipe",)

    def picture(self, img):
        h, w = img.shape[:2]
        m = np.vstack([cv2.getRotationMatrix2D((w // 2, h // 2), random.uniform(-30, 30), 1), [0, 0, 1]])
        x, y, cw, ch = offsets(w, h)
        sx, sy = SIDE / cw, SIDE / ch
        to = np.array([[sx, 0, (0.5 - x) * sx - 0.5], [0, sy, (0.5 - y) * sy - 0.5], [0, 0, 1]])
        if random.random() < 0.5:
            to = np.array([[-1, 0, SIDE - 1], [0, 1, 0], [0, 0, 1]]) @ to
        return cv2.warpAffine(img, (to @ m)[:2], (SIDE, SIDE), flags=cv2.INTER_LINEAR)


def torchvision_policy(recipe):
    """What a recipe does to a picture in bytes behind crop and flip, and to a normalized one."""
    if recipe == "torchvision":  # references/classification, whose interpolation is bilinear
        return T.TrivialAugmentWide(interpolation=T.InterpolationMode.BILINEAR), T.RandomErasing(0.1, inplace=True)
    if recipe == "timm":  # the nearest that there is: no deviation of the magnitude, no invert and solarize_add
        once = T.RandomApply([T.RandAugment(num_ops=1, magnitude=27, interpolation=T.InterpolationMode.BILINEAR, fill=128)], 0.5)
        return T.Compose([once, once]), T.RandomErasing(0.25, (0.02, 1 / 3), (0.3, 1 / 0.3), value="random", inplace=True)
    if recipe == "simclr":
        jitter, blur = T.ColorJitter(0.8, 0.8, 0.8, 0.2), T.GaussianBlur(23, (0.1, 2))
        return T.Compose([T.RandomApply([jitter], 0.8), T.RandomGrayscale(0.2), T.RandomApply([blur], 0.5)]), lambda img: img
    return None, lambda img: img


def import_torchvision():
    """For a peer that leaves the mixing of batches to it."""
    global torch, T
    import torch
    import torchvision
    import torchvision.transforms.v2 as T

    torch.set_num_threads(1)
    return {"torch": torch.__version__, "torchvision": torchvision.__version__}


def torchvision_mix(recipe):
    """torchvision's mixup or cutmix of a batch, and of labels of 1000 classes; None: the recipe has none."""
    if recipe != "torchvision":
        return None
    choice = T.RandomChoice([T.MixUp(alpha=0.2, num_classes=1000), T.CutMix(alpha=1.0, num_classes=1000)])
    labels = torch.arange(BATCH)
    return lambda batch: choice(torch.from_numpy(batch), labels)[0].numpy()


class Pillow:
    """torchvision on Pillow's pictures; resize is antialiased."""

    recipes = "recipe", "rrc", "center", "decode", "torchvision", "timm", "simclr"
    needs = "PIL", "torchvision"
    formats = OpenCV.formats

    def load(self):
        global torch, T, F, Image
        import PIL
        import torch
        import torchvision
        from PIL import Image

        try:
            import torchvision.transforms.v2 as T
            import torchvision.transforms.v2.functional as F
        except ImportError:  # before 0.15
            import torchvision.transforms as T
            import torchvision.transforms.functional as F

        torch.set_num_threads(1)
        self.bilinear = T.InterpolationMode.BILINEAR
        self.normal = T.Normalize(MEAN, STD, inplace=True)
        self.window = T.RandomResizedCrop(SIDE)
        self.center = T.Compose([T.Resize(256), T.CenterCrop(SIDE)])
        self.policy, self.erasing = torchvision_policy(self.recipe)
        self.mix = torchvision_mix(self.recipe)
        return {"torch": torch.__version__, "torchvision": torchvision.__version__, "pillow": PIL.__version__}

    def open(self, file):
        img = Image.open(file).convert("RGB")
        return img, *img.size

    def tensor(self, img):
        return F.pil_to_tensor(img).to(torch.float32).div_(255)

    def draw(self, file, out):
        img, w, h = self.open(file)
        if self.recipe == "decode":
            return
        if self.recipe == "recipe":
            img = F.rotate(img, random.uniform(-30, 30), self.bilinear, center=[w // 2, h // 2])
            x, y, cw, ch = offsets(w, h)
            img = self.resize(F.crop(img, y, x, ch, cw))
        elif self.recipe == "center":
            img = self.center(img)
        else:
            img = self.window(img)
        if self.recipe != "center" and random.random() < 0.5:
            img = F.hflip(img)
        if self.policy:
            img = self.policy(img)
        torch.from_numpy(out).copy_(self.erasing(self.normal(self.tensor(img))))

    def resize(self, img):
        return F.resize(img, [SIDE, SIDE], self.bilinear)


class Tensors(Pillow):
    """torchvision's own decoders and its operations on tensors; resize is antialiased."""

    formats = "jpeg", "png", "webp", "gif"

    def load(self):
        versions = super().load()
        global io
        import torchvision.io as io

        self.window = T.RandomResizedCrop(SIDE, antialias=True)
        self.center = T.Compose([T.Resize(256, antialias=True), T.CenterCrop(SIDE)])
        self.decoder = {"jpeg": io.decode_jpeg, "png": io.decode_png, "webp": io.decode_webp}.get(self.kind)
        return versions

    def open(self, file):
        data = io.read_file(file)
        img = self.decoder(data, mode=io.ImageReadMode.RGB) if self.decoder else io.decode_gif(data)
        return img, img.shape[2], img.shape[1]

    def tensor(self, img):
        return img.to(torch.float32).div_(255)

    def resize(self, img):
        return F.resize(img, [SIDE, SIDE], self.bilinear, antialias=True)


class Timm(Pillow):
    """timm's create_transform, on Pillow's pictures."""

    recipes, formats = ("timm",), ("jpeg",)
    needs = ("timm",)

    def load(self):
        versions = super().load()
        import timm
        import timm.data.auto_augment as auto

        posterize = auto.NAME_TO_OP["PosterizeIncreasing"]  # of no bits, which is rare, Pillow 13 refuses
        auto.NAME_TO_OP["PosterizeIncreasing"] = lambda img, bits, **more: posterize(img, max(bits, 1), **more)
        self.mix = None
        self.transform = timm.data.create_transform(
            SIDE, is_training=True, auto_augment="rand-m9-mstd0.5-inc1", re_prob=0.25, re_mode="pixel", interpolation="bilinear", mean=MEAN, std=STD
        )
        return {"timm": timm.__version__, **versions}

    def draw(self, file, out):
        torch.from_numpy(out).copy_(self.transform(Image.open(file).convert("RGB")))


class Albumentations(OpenCV):
    """albumentations' Compose, which calls OpenCV: its Rotate, a Lambda that crops, its Resize, and so on."""

    recipes = "recipe", "rrc", "center", "torchvision", "timm", "simclr"
    needs = ("albumentations",)

    def load(self):
        versions = super().load()
        global A
        import albumentations as A

        def crop(img, **_):
            h, w = img.shape[:2]
            x, y, cw, ch = offsets(w, h)
            return img[y : y + ch, x : x + cw]

        window = [A.RandomResizedCrop(size=(SIDE, SIDE)), A.HorizontalFlip(p=0.5)]
        steps = {
            "recipe": [A.Rotate(limit=30, interpolation=cv2.INTER_LINEAR, border_mode=cv2.BORDER_CONSTANT, p=1), A.Lambda(image=crop, p=1), A.HorizontalFlip(p=0.5), A.Resize(SIDE, SIDE)],
            "rrc": window,
            "center": [A.SmallestMaxSize(256), A.CenterCrop(SIDE, SIDE)],
            "torchvision": window + [A.OneOf(wide_operations(), p=1)],
            "timm": window + [A.OneOf(timm_operations(), p=0.5) for _ in range(2)],
            "simclr": window + [A.ColorJitter(0.8, 0.8, 0.8, 0.2, p=0.8), A.ToGray(p=0.2), A.GaussianBlur(23, (0.1, 2), p=0.5)],
        }[self.recipe]
        erasing = {"torchvision": [A.Erasing(p=0.1)], "timm": [A.Erasing((0.02, 1 / 3), (0.3, 1 / 0.3), fill="random", p=0.25)]}
        self.compose = A.Compose(steps + [A.Normalize(MEAN, STD)] + erasing.get(self.recipe, []))
        self.mix = None
        if self.recipe == "torchvision":  # it has none for batches
            versions |= import_torchvision()
            self.mix = torchvision_mix(self.recipe)
        return {"albumentations": A.__version__, **versions}

    def draw(self, file, out):
        img = cv2.imread(file)
        np.copyto(out, self.compose(image=cv2.cvtColor(img, cv2.COLOR_BGR2RGB, dst=img))["image"].transpose(2, 0, 1))


def wide_operations():
    """TrivialAugmentWide's, each as likely. Magnitudes are of the same ranges; sharpness is A.Sharpen, which never softens, so
    half as often, beside a blur; shears and rotations are about the middle."""
    degrees = math.degrees(math.atan(0.99))
    moved = [{"shear": {"x": (-degrees, degrees), "y": 0}}, {"shear": {"x": 0, "y": (-degrees, degrees)}}]
    moved += [{"translate_px": {"x": (-32, 32), "y": 0}}, {"translate_px": {"x": 0, "y": (-32, 32)}}, {"rotate": (-135, 135)}]
    return [
        A.NoOp(p=1),
        *(A.Affine(**how, interpolation=cv2.INTER_LINEAR, p=1) for how in moved),
        A.ColorJitter((0.01, 1.99), 0, 0, 0, p=1),
        A.ColorJitter(0, (0.01, 1.99), 0, 0, p=1),
        A.ColorJitter(0, 0, (0.01, 1.99), 0, p=1),
        A.OneOf([A.Sharpen(alpha=(0, 0.99), lightness=(1, 1), p=1), A.Blur(3, p=1)], p=1),
        A.Posterize(num_bits=(2, 8), p=1),
        A.Solarize(threshold_range=(0, 1), p=1),
        A.AutoContrast(method="pil", p=1),
        A.Equalize(p=1),
    ]


def timm_operations():
    """timm's at magnitude 9, towards either side; what differs as in wide_operations, and magnitudes have no deviation."""
    degrees = math.degrees(math.atan(0.27))
    moved = [{"shear": {"x": (-s, -s), "y": 0}} for s in (degrees, -degrees)] + [{"shear": {"x": 0, "y": (-s, -s)}} for s in (degrees, -degrees)]
    moved += [{"translate_percent": {"x": s, "y": 0}} for s in (-0.405, 0.405)] + [{"translate_percent": {"x": 0, "y": s}} for s in (-0.405, 0.405)]
    moved += [{"rotate": (s, s)} for s in (-27, 27)]
    sides = [A.Affine(**how, interpolation=cv2.INTER_LINEAR, fill=128, p=1) for how in moved]
    factors = [tuple((f, f) if i == k else (0 if i == 3 else (1, 1)) for i in range(4)) for k in range(3) for f in (0.19, 1.81)]
    jitter = [A.ColorJitter(*f, p=1) for f in factors]
    either = [A.OneOf(pair, p=1) for pair in zip(sides[::2] + jitter[::2], sides[1::2] + jitter[1::2])]
    return [
        A.AutoContrast(method="pil", p=1),
        A.Equalize(p=1),
        A.InvertImg(p=1),
        *either,
        A.Posterize(num_bits=1, p=1),  # none isn't to be had
        A.Solarize(threshold_range=(26 / 255, 26 / 255), p=1),
        A.Lambda(image=added_below, p=1),
        A.OneOf([A.Sharpen(alpha=(0.81, 0.81), lightness=(1, 1), p=1), A.Blur(3, p=1)], p=1),
    ]


def added_below(img, **_):
    """timm's solarize_add, of 99."""
    return cv2.LUT(img, np.array([min(v + 99, 255) if v < 128 else v for v in range(256)], np.uint8))


class DALI:
    """DALI's pipeline on the CPU, as many threads as workers; resize is antialiased."""

    recipes = "recipe", "rrc", "center", "decode", "torchvision", "timm", "simclr"
    needs = ("nvidia.dali",)
    formats = "jpeg", "png", "webp", "bmp", "ppm", "tiff"
    mix = None

    def load(self):
        import nvidia.dali as dali
        from nvidia.dali import fn, types
        from nvidia.dali.auto_aug import rand_augment, trivial_augment

        def chance(p):
            return fn.random.coin_flip(probability=p, dtype=types.BOOL)

        @dali.pipeline_def(batch_size=BATCH, num_threads=self.workers, device_id=None, prefetch_queue_depth=2, enable_conditionals=True)
        def pipeline():
            encoded, _ = fn.readers.file(files=self.files)
            mirror = fn.random.coin_flip(probability=0.5) if self.recipe != "center" else 0
            if self.recipe == "decode":
                return fn.decoders.image(encoded, device="cpu")
            if self.recipe == "recipe":
                img = self.turned(fn, types, encoded)
            elif self.recipe == "center":
                img = fn.resize(fn.decoders.image(encoded, device="cpu"), resize_shorter=256, interp_type=types.INTERP_LINEAR)
            else:  # decodes the window only
                img = fn.decoders.image_random_crop(encoded, device="cpu", random_area=[0.08, 1.0], random_aspect_ratio=[3 / 4, 4 / 3])
                img = fn.resize(img, size=(SIDE, SIDE), interp_type=types.INTERP_LINEAR)
            if self.recipe == "torchvision":
                img = trivial_augment.trivial_augment_wide(img, fill_value=0)
            elif self.recipe == "timm":  # the nearest that there is, as with torchvision
                for _ in range(2):
                    if chance(0.5):
                        img = rand_augment.rand_augment(img, n=1, m=27, monotonic_mag=True)
            elif self.recipe == "simclr":  # the order of adjustments is fixed, and the contrast's centre is 128
                if chance(0.8):
                    factor = [fn.random.uniform(range=(0.2, 1.8)) for _ in range(3)]
                    img = fn.color_twist(img, brightness=factor[0], contrast=factor[1], saturation=factor[2], hue=fn.random.uniform(range=(-72.0, 72.0)))
                if chance(0.2):
                    img = fn.saturation(img, saturation=0.0)
                if chance(0.5):
                    img = fn.gaussian_blur(img, window_size=23, sigma=fn.random.uniform(range=(0.1, 2.0)))
            img = fn.crop_mirror_normalize(
                img, dtype=types.FLOAT, output_layout="CHW", crop=(SIDE, SIDE), mirror=mirror, mean=[255 * m for m in MEAN], std=[255 * s for s in STD]
            )
            if self.recipe in ("torchvision", "timm") and chance({"torchvision": 0.1, "timm": 0.25}[self.recipe]):  # of one value: there is no noise
                area, ratio = fn.random.uniform(range=(0.02, 0.33)), fn.random.uniform(range=(math.log(0.3), math.log(3.3)))
                high, wide = (dali.math.sqrt(area * dali.math.exp(sign * ratio)) for sign in (1, -1))
                high, wide = dali.math.min(high, 0.99), dali.math.min(wide, 0.99)
                at = [fn.random.uniform(range=(0.0, 1.0)) * (1.0 - side) for side in (high, wide)]
                img = fn.erase(img, anchor=fn.stack(*at), shape=fn.stack(high, wide), axis_names="HW", normalized=True, fill_value=0.0)
            return img

        self.pipeline = pipeline()
        self.pipeline.build()
        versions = {"dali": dali.__version__}
        if self.recipe == "torchvision":  # as DALI's users do, on what it returns
            versions |= import_torchvision()
            self.mix = torchvision_mix(self.recipe)
        return versions

    def turned(self, fn, types, encoded):
        img = fn.decoders.image(encoded, device="cpu")
        img = fn.rotate(img, angle=fn.random.uniform(range=(-30.0, 30.0)), keep_size=True, fill_value=0, interp_type=types.INTERP_LINEAR)
        at = fn.random.uniform(range=(0.0, 0.25), shape=(2,))
        img = fn.slice(img, at, (0.5, 0.5), axes=(0, 1))
        return fn.resize(img, size=(SIDE, SIDE), interp_type=types.INTERP_LINEAR)

    def batches(self):
        while True:
            made = self.pipeline.run()
            yield self.mix(np.asarray(made[0].as_tensor())) if self.mix else made


class DALIComposed(DALI):
    """DALI with rotation, crop and resize composed by hand into one warp_affine that makes 224 x 224 pixels, not antialiased."""

    recipes = ("recipe",)

    def turned(self, fn, types, encoded):
        img = fn.decoders.image(encoded, device="cpu")
        hw = fn.cast(fn.peek_image_shape(encoded)[0:2], dtype=types.FLOAT)
        wh = fn.stack(hw[1], hw[0])
        m = fn.transforms.rotation(angle=fn.random.uniform(range=(-30.0, 30.0)), center=wh * 0.5)
        m = fn.transforms.translation(m, offset=wh * fn.random.uniform(range=(-0.25, 0.0), shape=(2,)))
        m = fn.transforms.scale(m, scale=(2.0 * SIDE) / wh)
        return fn.warp_affine(img, m, size=(SIDE, SIDE), inverse_map=False, fill_value=0, interp_type=types.INTERP_LINEAR)


class SPDL(OpenCV):
    """SPDL's pipeline of threads around OpenCV's functions; a thread fills a whole batch."""

    recipes = "recipe", "rrc", "center"
    needs = ("spdl.pipeline",)

    def load(self):
        versions = super().load()
        from importlib.metadata import version

        import spdl.pipeline

        memory = [np.empty((BATCH, 3, SIDE, SIDE), np.float32) for _ in range(16)]  # more than are under way
        files = itertools.cycle(self.files)

        def lists():
            for slot in itertools.cycle(memory):
                yield slot, [next(files) for _ in range(BATCH)]

        def make(job):
            slot, names = job
            for i, name in enumerate(names):
                self.draw(name, slot[i])
            return slot

        builder = spdl.pipeline.PipelineBuilder().add_source(lists()).pipe(make, concurrency=self.workers, output_order="input")
        self.pipeline = builder.add_sink(2).build(num_threads=self.workers)
        return {"spdl": version("spdl"), **versions}

    def batches(self):
        with self.pipeline.auto_stop():
            yield from self.pipeline.get_iterator()


class Grain(OpenCV):
    """grain's MapDataset around OpenCV's functions: its processes with 2 workers, in this process with 1."""

    recipes = "recipe", "rrc", "center"
    needs = ("grain.python",)

    def load(self):
        versions = super().load()
        from importlib.metadata import version

        return {"grain": version("grain"), **versions}

    def sample(self, file):
        if multiprocessing.parent_process() is not None:
            cv2.setNumThreads(1)
        out = np.empty((3, SIDE, SIDE), np.float32)
        self.draw(file, out)
        return out

    def batches(self):
        from absl import flags
        import grain.python as grain

        if not flags.FLAGS.is_parsed():
            flags.FLAGS(["peers.py"])
        data = grain.MapDataset.source(self.files).repeat().map(self.sample).batch(BATCH)
        data = data.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=1))
        if self.workers > 1:
            data = data.mp_prefetch(grain.MultiprocessingOptions(num_workers=self.workers, per_worker_buffer_size=AHEAD))
        yield from data


class FFCV:
    """FFCV's loader on a .beton file with the JPEG files as they are; its decoders resize by OpenCV's area filter."""

    recipes = "rrc", "center"
    needs = ("ffcv",)
    def load(self):
        import tempfile
        from importlib.metadata import version

        import ffcv.fields.rgb_image
        import torch
        from ffcv.fields import IntField, RGBImageField
        from ffcv.fields.rgb_image import CenterCropRGBImageDecoder, RandomResizedCropRGBImageDecoder
        from ffcv.loader import Loader, OrderOption
        from ffcv.transforms import NormalizeImage, RandomHorizontalFlip, ToTensor, ToTorchImage
        from ffcv.writer import DatasetWriter
        from PIL import Image

        torch.set_num_threads(1)
        self.folder = tempfile.TemporaryDirectory()
        name = os.path.join(self.folder.name, "data.beton")

        class Files:
            def __len__(_):
                return max(2 * self.images, len(self.files))  # long epochs, for each starts threads anew

            def __getitem__(_, i):
                return pictures[self.files[i % len(self.files)]], 0

        # FFCV would encode the pictures again; the files' own bytes are what the others decode.
        pictures = {file: np.array(Image.open(file).convert("RGB")) for file in self.files}
        known = {hash(picture.tobytes()): file for file, picture in pictures.items()}
        ffcv.fields.rgb_image.encode_jpeg = lambda pixels, quality: np.fromfile(known[hash(pixels.tobytes())], np.uint8)
        DatasetWriter(name, {"image": RGBImageField(write_mode="jpg"), "label": IntField()}, num_workers=1).from_indexed_dataset(Files())
        if self.recipe == "rrc":
            steps = [RandomResizedCropRGBImageDecoder((SIDE, SIDE)), RandomHorizontalFlip()]
        else:
            steps = [CenterCropRGBImageDecoder((SIDE, SIDE), ratio=SIDE / 256)]
        steps += [NormalizeImage(255 * np.array(MEAN), 255 * np.array(STD), np.float32), ToTensor(), ToTorchImage()]
        self.loader = Loader(
            name, batch_size=BATCH, num_workers=self.workers, order=OrderOption.SEQUENTIAL, os_cache=True, drop_last=True, pipelines={"image": steps, "label": None}
        )
        return {"ffcv": version("ffcv")}

    def batches(self):
        while True:
            yield from self.loader


def rgb8(img):
    """What a decoder returns, as RGB in bytes: without alpha, the high bytes of 16 bits, grey three times."""
    if img.dtype == np.uint16:
        img = (img >> 8).astype(np.uint8)
    if img.ndim == 2:
        return np.repeat(img[:, :, None], 3, 2)
    return np.ascontiguousarray(img[:, :, :3]) if img.shape[2] > 3 else img


class ImageCodecs(OpenCV):
    """imagecodecs' decoders, then as OpenCV. Of PNG files it has three: libspng's, which is the fastest where it reads a file."""

    recipes = "rrc", "center", "decode"
    needs = ("imagecodecs",)
    formats = "jpeg", "png", "webp", "gif", "bmp", "tiff"

    def load(self):
        versions = super().load()
        import imagecodecs

        names = {"jpeg": "jpeg8", "png": "png" if self.format in ("png-mask", "png-16") else "spng"}
        self.decoder = getattr(imagecodecs, names.get(self.kind, self.kind) + "_decode")
        return {"imagecodecs": imagecodecs.__version__, **versions}

    def read(self, file):
        with open(file, "rb") as f:
            img = self.decoder(f.read())
        return rgb8(img[0] if img.ndim == 4 else img)


class SimpleJPEG(OpenCV):
    """simplejpeg's decoder (libjpeg-turbo), then as OpenCV."""

    recipes, formats = ImageCodecs.recipes, ("jpeg",)
    needs = ("simplejpeg",)

    def load(self):
        versions = super().load()
        import simplejpeg
        from importlib.metadata import version

        self.decoder = simplejpeg.decode_jpeg
        return {"simplejpeg": version("simplejpeg"), **versions}

    def read(self, file):
        with open(file, "rb") as f:
            return self.decoder(f.read(), "RGB")


class TurboJPEG(SimpleJPEG):
    """PyTurboJPEG's decoder, with the system's libjpeg-turbo."""

    needs = ("turbojpeg",)

    def load(self):
        versions = OpenCV.load(self)
        from importlib.metadata import version

        import turbojpeg

        self.decoder = turbojpeg.TurboJPEG().decode
        return {"PyTurboJPEG": version("PyTurboJPEG"), **versions}

    def read(self, file):
        with open(file, "rb") as f:
            return self.decoder(f.read())


class LibWebP(OpenCV):
    """libwebp's own bindings (the package webp), then as OpenCV."""

    recipes, formats = ImageCodecs.recipes, ("webp",)
    needs = ("webp",)

    def load(self):
        versions = super().load()
        import webp
        from importlib.metadata import version

        self.decoder, self.mode = webp.WebPData, webp.WebPColorMode.RGB
        return {"webp": version("webp"), **versions}

    def read(self, file):
        with open(file, "rb") as f:
            return self.decoder.from_buffer(f.read()).decode(color_mode=self.mode)


class Spng(OpenCV):
    """pyspng's decoder (libspng), then as OpenCV."""

    recipes, formats = ImageCodecs.recipes, ("png",)
    needs = ("pyspng",)

    def load(self):
        versions = super().load()
        import pyspng

        self.decoder = pyspng.load
        return {"pyspng": pyspng.__version__, **versions}

    def read(self, file):
        with open(file, "rb") as f:
            return rgb8(self.decoder(f.read(), "RGB" if self.format != "png-16" else None))


class Vips(OpenCV):
    """libvips' decoders, on one thread a worker, then as OpenCV."""

    recipes, formats = ImageCodecs.recipes, ("jpeg", "png", "webp", "gif", "tiff")
    needs = ("pyvips",)

    def load(self):
        os.environ["VIPS_CONCURRENCY"] = "1"
        versions = super().load()
        from importlib.metadata import version

        import pyvips

        pyvips.cache_set_max(0)  # it would keep what it has read
        self.decoder = pyvips.Image.new_from_file
        return {"libvips": ".".join(str(pyvips.version(i)) for i in range(3)), "pyvips": version("pyvips"), **versions}

    def read(self, file):
        return rgb8(self.decoder(file, access="sequential").numpy())


PEERS = {
    "opencv": OpenCV,
    "opencv-composed": OpenCVComposed,
    "pillow": Pillow,
    "tensors": Tensors,
    "albumentations": Albumentations,
    "dali": DALI,
    "dali-composed": DALIComposed,
    "spdl": SPDL,
    "grain": Grain,
    "ffcv": FFCV,
    "timm": Timm,
    "imagecodecs": ImageCodecs,
    "simplejpeg": SimpleJPEG,
    "turbojpeg": TurboJPEG,
    "libwebp": LibWebP,
    "pyspng": Spng,
    "vips": Vips,
}


class Here:
    """Runs draw in this process."""

    def __init__(self, peer, batches):
        self.peer, self.batches = peer, batches
        self.slot = np.empty((BATCH, 3, SIDE, SIDE), np.float32)
        self.files = itertools.cycle(peer.files)

    def round(self):
        for _ in range(self.batches):
            self.batch()

    def batch(self):
        for i in range(BATCH):
            self.peer.draw(next(self.files), self.slot[i])
        return self.peer.mix(self.slot) if self.peer.mix else self.slot

    def look(self):
        return look(self.batch() for _ in range(self.batches))

    def close(self):
        pass


class Processes:
    """Runs draw in processes, which make every so manieth batch, in shared memory."""

    def __init__(self, peer, batches):
        self.workers, self.batches = peer.workers, batches
        context = multiprocessing.get_context("fork")
        self.start, self.free, self.ready = ([context.Semaphore(n) for _ in range(peer.workers)] for n in (0, AHEAD, 0))
        self.processes = []
        for k in range(peer.workers):
            slots = [np.frombuffer(mmap.mmap(-1, BATCH * 3 * SIDE * SIDE * 4), np.float32).reshape(BATCH, 3, SIDE, SIDE) for _ in range(AHEAD)]
            self.processes.append(context.Process(target=self.work, args=(peer, k, slots), daemon=True))
            self.processes[-1].start()

    def work(self, peer, k, slots):
        random.seed(k)
        peer.load()  # sets the number of threads anew
        parent = os.getppid()

        def take(semaphore):
            while not semaphore.acquire(timeout=5):
                if os.getppid() != parent:  # killed
                    os._exit(1)

        at = k * BATCH
        slots = itertools.cycle(slots)
        while True:
            take(self.start[k])
            for _ in range(k, self.batches, self.workers):
                take(self.free[k])
                slot = next(slots)
                own = np.empty_like(slot) if peer.mix else slot
                for i in range(BATCH):
                    peer.draw(peer.files[(at + i) % len(peer.files)], own[i])
                if peer.mix:
                    np.copyto(slot, peer.mix(own))
                at += self.workers * BATCH
                self.ready[k].release()

    def round(self):
        for s in self.start:
            s.release()
        for b in range(self.batches):
            self.ready[b % self.workers].acquire()
            self.free[b % self.workers].release()

    def close(self):
        for process in self.processes:
            process.terminate()
            process.join()


class Ahead:
    """Runs a loader that makes batches ahead of what is asked for. Those that it has are not counted: they are taken
    first, until it must be waited for. So it is as busy at the first batch counted as at the last."""

    def __init__(self, peer, batches):
        self.count = batches
        self.batches = peer.batches()
        self.mean = 0.0  # seconds of a batch, in the last round

    def warm(self):
        """Empties the queue; returns how many were in it."""
        for n in range(1, 200):
            begin = time.perf_counter()
            next(self.batches)
            if time.perf_counter() - begin > max(0.3 * self.mean, 0.015):
                break
        return n

    def round(self):
        begin = time.perf_counter()
        for _ in range(self.count):
            next(self.batches)
        self.mean = (time.perf_counter() - begin) / self.count

    def look(self):
        return look(values(next(self.batches)) for _ in range(self.count))

    def rest(self, n):
        """Lets it fill the queue before another contestant is measured."""
        time.sleep(self.mean * (n + 2) + 0.1)

    def close(self):
        self.batches = None


def values(batch):
    """A batch as NumPy's array."""
    batch = batch[0] if isinstance(batch, (tuple, list)) else batch
    return batch.as_array() if hasattr(batch, "as_array") else np.asarray(batch)


def look(batches):
    """Of batches: their shape, mean and deviation of values, and how far neighbours in a row are apart, in the mean."""
    shapes, sums, n = set(), np.zeros(3), 0
    for batch in batches:
        shapes.add(" x ".join(map(str, batch.shape)) + f" {batch.dtype}")
        sums += batch.mean(dtype=np.float64), np.square(batch, dtype=np.float64).mean(), np.abs(np.diff(batch)).mean(dtype=np.float64)
        n += 1
    mean, squares, step = sums / n
    return {"shape": ", ".join(sorted(shapes)), "mean": mean, "deviation": math.sqrt(squares - mean * mean), "step": step}


def begin(name, recipe, format, folder):
    """A peer that is ready to make what is asked for, its runner and its libraries' versions; or why there is none."""
    peer = PEERS[name]()
    peer.recipe, peer.workers, peer.images = recipe, int(sys.argv[3]), int(sys.argv[4]) // BATCH * BATCH
    peer.format, peer.kind = format, format.split("-")[0]
    if recipe not in peer.recipes:
        return f"{name} has no {recipe}"
    if peer.kind not in getattr(peer, "formats", ("jpeg",)):
        return f"{name} has no {format}"
    peer.files = sorted(entry.path for entry in os.scandir(folder))
    versions = peer.load()
    random.seed(peer.workers)
    runner = Ahead if hasattr(peer, "batches") else Here if peer.workers == 1 else Processes
    return peer, runner(peer, peer.images // BATCH), versions


def main():
    name, recipe, folder = sys.argv[1], sys.argv[2], sys.argv[5]
    runner, versions = None, {}
    if recipe:
        begun = begin(name, recipe, "jpeg", folder)
        if isinstance(begun, str):
            sys.exit(begun)
        peer, runner, versions = begun
    else:
        for module in PEERS[name].needs:
            importlib.import_module(module)
    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        line = line.split()
        if line[0] == "use":
            if runner:
                runner.close()
            runner = None
            try:
                begun = begin(name, *line[1:])
            except Exception as e:
                begun = f"{type(e).__name__}: {e}".splitlines()[0]
            if isinstance(begun, str):
                print(json.dumps({"missing": begun}), flush=True)
                continue
            peer, runner, versions = begun
            print(json.dumps({"versions": versions}), flush=True)
            continue
        if line[0] == "look":
            print(json.dumps(runner.look()), flush=True)
            continue
        ahead = hasattr(peer, "batches")
        taken = runner.warm() if ahead else 0
        start = time.perf_counter()
        runner.round()
        seconds = time.perf_counter() - start
        if ahead:
            runner.rest(taken)
        # made: what the processors have worked on since "go"
        print(json.dumps({"images": peer.images, "seconds": seconds, "made": peer.images + taken * BATCH}), flush=True)


if __name__ == "__main__":
    main()
