"""Connected components of a graph that is given by its edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def connected(count: int, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least number that each of ``count`` nodes is connected with by edges (n, 2)."""
    labels = np.arange(count)
    while len(edges) and (labels[edges[:, 0]] != labels[edges[:, 1]]).any():
        least = labels[edges].min(axis=1)
        np.minimum.at(labels, edges[:, 0], least)
        np.minimum.at(labels, edges[:, 1], least)
        labels = labels[labels]
    return labels
