"""Families of packages: those that share material, which cross-validation keeps together."""

import functools

import numpy as np

from export.corpus.recipe import load_splits
from export.evaluation.metrics import Groups

_MADE = ("ambience/", "espeak/", "synthetic/")
"""Packages of the open corpus that the recipe does not list."""


def family(package: str) -> str:
    """The family of a package.

    Those of the open corpus begin alike: fillets-ng-data-cs, asterisk-core-sounds-es-g722. Of a user's own, such
    as gig-1 and gig-2, each is a family: one package there is one source.
    """
    ours = package in _recipe_packages() or package.startswith(_MADE)
    return package.partition("-")[0] if ours else package


def families_of(packages: Groups) -> Groups:
    """(n,) the family of each package."""
    names, row = np.unique(packages, return_inverse=True)
    return np.array([family(str(name)) for name in names])[row]


@functools.cache
def _recipe_packages() -> frozenset[str]:
    return frozenset(load_splits())
