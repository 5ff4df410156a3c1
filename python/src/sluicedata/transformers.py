"""A Loader in the Trainer of Hugging Face's transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from .errors import StateError
from .loader import Loader

__all__ = ["LoaderTrainerMixin"]


class LoaderTrainerMixin:
    """Makes a transformers.Trainer take a Loader as its train_dataset and eval_dataset, and resume in it exactly.

    Use it as ``class LoaderTrainer(LoaderTrainerMixin, Trainer): pass``. The batches go to the model as they are, so
    the Loaders want keys, ``keys={"pixel_values": "image", "labels": "label.class"}``. Batch size, order and ranks are the pipeline's: the
    arguments per_device_train_batch_size, dataloader_num_workers and accelerator_config (dispatch_batches, split_batches) do nothing, since
    accelerate isn't asked to prepare the Loader.

    Each checkpoint has the Loader's state in its trainer_state.json, and ``train(resume_from_checkpoint=...)`` goes on behind the last
    batch that was trained on, whatever ignore_data_skip says: nothing is made again in order to be skipped. A state
    of another pipeline or of other data is a StateError.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loader_view: _View | None = None
        train: Any = getattr(self, "train_dataset", None)
        if isinstance(train, Loader):
            self._loader_view = _View(train)
            self.add_callback(LoaderState(self._loader_view))  # type: ignore[attr-defined]

    def get_train_dataloader(self) -> Any:
        """The Loader, with what the Trainer asks of a DataLoader."""
        if self._loader_view is not None:
            return self._loader_view
        return super().get_train_dataloader()  # type: ignore[misc]

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """The Loader that was given as eval_dataset, to the Trainer or to evaluate."""
        chosen: Any = self.eval_dataset if eval_dataset is None else eval_dataset  # type: ignore[attr-defined]
        if isinstance(chosen, str) and isinstance(self.eval_dataset, Mapping):  # type: ignore[attr-defined]
            chosen = self.eval_dataset[chosen]  # type: ignore[attr-defined]
        return chosen if isinstance(chosen, Loader) else super().get_eval_dataloader(eval_dataset)  # type: ignore[misc]


class LoaderState(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Keeps the training Loader's state in the Trainer's."""

    def __init__(self, view: _View | None = None) -> None:
        self._view = view

    def state(self) -> dict[str, Any]:
        """What goes into trainer_state.json, when a checkpoint is written."""
        loader = None if self._view is None else self._view.loader.state_dict()
        return {"args": {}, "attributes": {"saved": loader}}

    def on_train_begin(self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **_: Any) -> None:
        """Takes the Loader to where the checkpoint was written."""
        if state.global_step == 0 or not isinstance(train_dataloader, _View):
            return
        kept = state.stateful_callbacks.get(type(self).__name__) or {}
        saved = (kept.get("attributes") or {}).get("saved")
        if saved is None:
            raise StateError(
                "the checkpoint has no state of a Loader: it was written by a Trainer without LoaderTrainerMixin. "
                "Begin anew with its weights, or go on with the loader that it was trained with"
            )
        self._view = train_dataloader
        train_dataloader.resume(
            saved, 0 if args.ignore_data_skip else state.global_step, args.gradient_accumulation_steps
        )


class _View:
    """What the Trainer asks of a DataLoader, of a Loader."""

    batch_size = None
    drop_last = False
    prefetch_factor = None

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.dataset = _Rest(self)
        self.done = 0  # batches of the epoch at hand that an earlier process trained on

    def __iter__(self) -> Iterator[Any]:
        return iter(self.loader)

    def __len__(self) -> int:
        return len(self.loader)

    def set_epoch(self, epoch: int) -> None:
        self.loader.set_epoch(epoch)

    def resume(self, saved: Mapping[str, Any], step: int, accumulate: int) -> None:
        """Loads a state that was written after so many steps of the optimizer, 0: no matter how many."""
        self.loader.load_state_dict(saved)
        if step == 0:
            return
        batches = len(self)
        steps = max(-(-batches // accumulate), 1)
        epoch, self.done = step // steps, step % steps * accumulate
        place = self.loader.state_dict()
        had = place["batch"] // self.loader.world_size * self.loader._planned()["variants_per_batch"] + place["variant"]
        if (epoch, self.done) != (place["epoch"], had):
            raise StateError(
                f"the checkpoint is of step {step}, which is epoch {epoch}, batch {self.done} of {batches}, and its Loader was at "
                f"epoch {place['epoch']}, batch {had}: resume with as many processes and the gradient_accumulation_steps "
                "that it was written with, or set ignore_data_skip=True"
            )


class _Rest(torch.utils.data.IterableDataset[Any]):
    """The epoch that a Trainer resumes in: it asks for all of its batches and drops those that it has had, which aren't made again."""

    def __init__(self, view: _View) -> None:
        self._view = view

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self._view.done):
            yield None
        yield from self._view

    def __len__(self) -> int:
        """Samples in an epoch, of all processes."""
        return max(0, int(self._view.loader.plan.get("rows_per_epoch") or 0))
