"""TensorFlow, which only those need who train and convert: imported when it is asked for, with its chatter off."""

import importlib
import logging
import os
from typing import Any

from export.errors import ExportError


def tensorflow(purpose: str) -> Any:
    """The module. Importing it takes seconds.

    Args:
        purpose: what needs it, as the beginning of the error: "training a network".

    Raises:
        ExportError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
    try:
        return importlib.import_module("tensorflow")
    except ImportError as error:
        raise ExportError(f"{purpose} needs TensorFlow: pip install 'oido[train]' ({error})") from error
