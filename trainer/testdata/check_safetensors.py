"""Reads a file of this package with Python's safetensors, and writes it anew."""
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

source, target = sys.argv[1:]
tensors = load_file(source)
assert list(tensors) == sorted(tensors), list(tensors)
assert tensors["conv.weight"].shape == (2, 3) and tensors["conv.weight"].dtype == np.float32
assert tensors["conv.weight"].tolist() == [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]]
assert tensors["scalar"].shape == () and tensors["scalar"] == 7
assert tensors["empty"].shape == (0, 4)
assert np.isnan(tensors["heads.größe <&>.bias"][0])
with safe_open(source, framework="np") as f:
    metadata = f.metadata()
    assert len(metadata.pop("sluice.sha256")) == 64
    assert metadata == {"b": "2 <&>", "plan": "ü"}, metadata
save_file(tensors, target, metadata={"plan": "ü", "b": "2 <&>"})
