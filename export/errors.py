"""What can go wrong on the workstation; the rest of the tree is in `device.errors`.

OidoError
└── ExportError           training, evaluation or conversion failed                  exit code 1
    └── CorpusError           training data is missing, damaged or wrongly described
"""

from device.errors import OidoError


class ExportError(OidoError):
    """A model cannot be trained, evaluated or converted; the message says why."""


class CorpusError(ExportError):
    """The training corpus cannot be built or read; the message names the file or package and what to do."""
