"""What a sputtered depth profile sees of a layer: mixing, roughness and information depth (the MRI model).

Depths are fractions of the layer: 0 is the surface, 1 the substrate's interface. Only the thickness, which enters
elsewhere, turns them into nanometres, so its error does not mix with those of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

Array = NDArray[np.float64]

INTERFACE, ROUGHNESS, MIXING, INFORMATION, RATE_RATIO = range(5)
"""Columns of a response's parameters, all as natural logarithms: time of the interface in s, then roughness,
mixing length and information depth as fractions of the layer, then the substrate's rate over the layer's."""

PARAMETERS = 5

_TABLE_POINTS = 400


def response_cumulative(offset: Array, roughness: Array, mixing: Array, information: Array) -> Array:
    """Integral of the MRI depth response from minus infinity to `offset`.

    The response of a thin layer is, before the Gaussian of the roughness, exp(-(x + w)/w)(1 - exp(-w/l))/w for
    x > -w and exp(x/l)/l for x < -w (Hofmann; delta layer in Liu et al., Appl. Surf. Sci. 314 (2014) 942). Both are
    exponentials convolved with a Gaussian, whose integrals are closed; together they tend to 1.

    Parameters
    ----------
    offset : array
        Reported depth minus depth of the layer, any unit of length.
    roughness, mixing, information : array
        Gaussian standard deviation s, mixing length w and information depth l, same unit, > 0, broadcast to `offset`.

    Returns
    -------
    array
        Between 0 and 1.
    """
    shifted = offset + mixing
    standard = shifted / roughness
    tail_mixing = np.exp(-shifted / mixing + 0.5 * (roughness / mixing) ** 2 + log_ndtr(standard - roughness / mixing))
    tail_information = np.exp(
        shifted / information + 0.5 * (roughness / information) ** 2 + log_ndtr(-standard - roughness / information)
    )
    ahead = np.exp(-mixing / information)
    return np.asarray(ndtr(standard) - (1.0 - ahead) * tail_mixing + ahead * tail_information, dtype=np.float64)


def reported_fraction(time: Array, parameters: Array, tilt: Array | float = 0.0) -> Array:
    """Depth as a fraction of the layer reached at `time`, with the layer's rate up to the interface.

    Parameters
    ----------
    time : array (k,)
        Sputter time in s.
    parameters : array (..., 5)
        Logarithmic response parameters.
    tilt : float or array (...)
        Relative change of the sputter rate from the surface to the interface, whose time stays.

    Returns
    -------
    array (..., k)
    """
    relative = time / np.exp(parameters[..., INTERFACE, None])
    beyond = np.exp(parameters[..., RATE_RATIO, None]) * (relative - 1.0)
    bent = 0.5 * np.asarray(tilt, dtype=np.float64)[..., None] * relative * (1.0 - relative)
    return np.asarray(np.where(relative < 1.0, relative - bent, 1.0 + beyond), dtype=np.float64)


@dataclass(frozen=True)
class Design:
    """What every point sees: `layer` (..., k, n) of the layer's cells, `substrate` (..., k) of the substrate."""

    layer: Array
    substrate: Array

    def of(self, chosen: NDArray[np.bool_]) -> Design:
        """The rows `chosen` of a design with one leading dim."""
        return Design(self.layer[chosen], self.substrate[chosen])


def cell_edges(cells: int) -> Array:
    """Edges of the `cells` equal cells into which the layer is divided, as fractions of it."""
    return np.linspace(0.0, 1.0, cells + 1)


def design(
    time: Array,
    parameters: Array,
    cells: int,
    surface_normalised: Array | float,
    tilt: Array | float = 0.0,
) -> Design:
    """Weights with which the cells of the layer and the substrate enter the signal at each time.

    Parameters
    ----------
    time : array (k,)
        Sputter times in s.
    parameters : array (..., 5)
        Logarithmic response parameters.
    cells : int
        Number of equal cells of the layer.
    surface_normalised : float or array (...)
        1: what a smooth surface does, all of the signal comes from below it; 0: the response's part above the
        surface sees vacuum, as for a surface as rough as the interface.
    tilt : float or array (...)
        Relative change of the sputter rate across the layer.

    Returns
    -------
    Design
    """
    reported = reported_fraction(time, parameters, tilt)
    offset = reported[..., :, None] - cell_edges(cells)
    low, high = float(offset.min()), float(offset.max())
    step = (high - low) / (_TABLE_POINTS - 1) or 1.0
    places: Array = np.asarray(low + step * np.arange(_TABLE_POINTS), dtype=np.float64)
    table = response_cumulative(
        places,
        *(np.exp(parameters[..., k, None]) for k in (ROUGHNESS, MIXING, INFORMATION)),
    )
    # The closed form is dear; a line between the table's points is right to 2e-4 and ten times faster.
    rows = offset.reshape(-1, offset.shape[-2] * offset.shape[-1])
    cumulative = np.stack(
        [np.interp(row, places, values) for row, values in zip(rows, table.reshape(len(rows), -1), strict=True)]
    ).reshape(offset.shape)
    seen = cumulative[..., 0]
    weight = np.asarray(surface_normalised, dtype=np.float64)[..., None]
    scale = 1.0 / np.maximum(1.0 - weight * (1.0 - seen), 1e-6)
    layer = (cumulative[..., :-1] - cumulative[..., 1:]) * scale[..., None]
    return Design(layer, cumulative[..., -1] * scale)
