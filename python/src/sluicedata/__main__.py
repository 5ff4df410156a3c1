"""`sluice` and `python -m sluicedata`: the engine's command line, in the place of this process."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from ._binary import engine_path
from .errors import EngineError


def main() -> NoReturn:
    """Becomes the engine, with the arguments of this process."""
    try:
        engine = engine_path()
        os.execv(engine, ["sluice", *sys.argv[1:]])
    except (EngineError, OSError) as error:
        sys.exit(f"sluice: {error}")


if __name__ == "__main__":
    main()
