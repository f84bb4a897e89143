"""Thickness along the streamlines of Laplace's equation between both boundaries.

An alternative to the chord, for curved and rough layers: every point of the crystal's edge has exactly one partner on
the outer boundary, and lines never cross (Jones, Buchbinder & Aharon, Human Brain Mapping 11, 12 (2000)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LAYERS = 24
"""Steps of the mesh from the crystal's edge to the outer boundary."""

REFINED = 2
"""Columns of the mesh to a column of the strip."""

LEAST_GAP = 0.05
"""Thickness in nm below which the two boundaries touch, and a streamline is as long as their distance."""


def streamline_lengths(inner: NDArray[np.float64], outer: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of the streamline from every point of the inner line to the outer one.

    The potential is 0 on the inner and 1 on the outer line, and no flow crosses the two ends; it is found with linear
    finite elements on a mesh between the lines, and its streamlines are integrated in the mesh's own coordinates by
    Heun's method.

    Parameters
    ----------
    inner, outer : ndarray, shape (n, 2)
        Lines as (y, x) in nm, point by point opposite to each other, at least three points.

    Returns
    -------
    ndarray, shape (n,)
        nm.
    """
    gap = np.linalg.norm(outer - inner, axis=1)
    if len(inner) < 3 or float(gap.min()) < LEAST_GAP:
        return np.asarray(gap)
    count = (len(inner) - 1) * REFINED + 1
    at = np.arange(count) / REFINED
    index = np.arange(len(inner))
    lines = [np.column_stack([np.interp(at, index, line[:, axis]) for axis in (0, 1)]) for line in (inner, outer)]
    across = np.linspace(0.0, 1.0, LAYERS + 1)[None, :, None]
    mesh = lines[0][:, None] * (1 - across) + lines[1][:, None] * across
    return np.asarray(_integrated(mesh, _potential(mesh))[::REFINED])


def _potential(mesh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Finite-element solution on a structured mesh of shape (n_s, n_t, 2); shape (n_s, n_t)."""
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    n_s, n_t = mesh.shape[:2]
    number = np.arange(n_s * n_t).reshape(n_s, n_t)
    corner = [number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]]
    # Both diagonals of every cell, each with half the weight, so that the mesh favours no direction.
    cuts = ((0, 1, 2), (0, 2, 3), (0, 1, 3), (1, 2, 3))
    triangles = np.concatenate([np.stack([corner[k].ravel() for k in cut], axis=1) for cut in cuts])
    points = mesh.reshape(-1, 2)[triangles]
    # Edges opposite to each corner: the stiffness is their scalar product over four times the area.
    edges = np.roll(points, -2, axis=1) - np.roll(points, -1, axis=1)
    area = 0.5 * np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
    stiffness = 0.5 * np.einsum("nid,njd->nij", edges, edges) / (4 * np.maximum(area, 1e-12))[:, None, None]
    rows, columns = np.repeat(triangles, 3, axis=1).ravel(), np.tile(triangles, (1, 3)).ravel()
    matrix = sparse.csr_array((stiffness.ravel(), (rows, columns)), shape=(number.size, number.size))
    potential = np.zeros(number.size)
    potential[number[:, -1]] = 1.0
    free = number[:, 1:-1].ravel()
    known = matrix[free] @ potential
    potential[free] = spsolve(matrix[free][:, free].tocsc(), -known)
    return np.asarray(potential.reshape(n_s, n_t))


def _integrated(mesh: NDArray[np.float64], potential: NDArray[np.float64]) -> NDArray[np.float64]:
    """Arc lengths of the streamlines that start at every point of the mesh's first line."""
    n_s, n_t = potential.shape
    along, across = np.gradient(mesh, axis=0), np.gradient(mesh, axis=1, edge_order=2)
    g_ss, g_tt = (along**2).sum(axis=-1), (across**2).sum(axis=-1)
    g_st = (along * across).sum(axis=-1)
    u_s, u_t = np.gradient(potential, axis=0), np.gradient(potential, axis=1, edge_order=2)
    # Contravariant components of the gradient, up to the common factor 1 / det g.
    flow_s, flow_t = g_tt * u_s - g_st * u_t, g_ss * u_t - g_st * u_s
    slope = flow_s / np.maximum(flow_t, 1e-9 * np.abs(flow_t).max())
    speed = np.sqrt(np.maximum(g_tt + 2 * g_st * slope + g_ss * slope**2, 0.0))
    columns = np.arange(n_s, dtype=np.float64)
    place, length = columns.copy(), np.zeros(n_s)
    for step in range(n_t - 1):
        first = np.interp(place, columns, slope[:, step])
        ahead = np.clip(place + first, 0, n_s - 1)
        second = np.interp(ahead, columns, slope[:, step + 1])
        after = np.clip(place + 0.5 * (first + second), 0, n_s - 1)
        length += 0.5 * (np.interp(place, columns, speed[:, step]) + np.interp(after, columns, speed[:, step + 1]))
        place = after
    return length
