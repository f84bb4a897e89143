"""What is known of a profile before it is measured: its depth response, and that it is positive and smooth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.fusion.depth_response import (
    INFORMATION,
    INTERFACE,
    MIXING,
    PARAMETERS,
    RATE_RATIO,
    ROUGHNESS,
)
from depthlock.fusion.posterior import (
    COLUMNS,
    DRIFT,
    LEVEL,
    SLOPE,
    STRENGTH,
    SUBSTRATE,
    TRANSIENT,
    Measurement,
    Prior,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ResponsePrior:
    """Log-normal priors of a technique's depth response: median and relative std (of the logarithm) each.

    Attributes
    ----------
    interface : tuple
        Time of the interface in s.
    roughness, mixing, information : tuple
        As fractions of the layer.
    rate_ratio : tuple
        Substrate's sputter rate over the layer's.
    transient_std : float
        Standard deviation of the logarithm of the surface transient's gain; 0 for a technique without one.
    drift_std : float
        Standard deviation of the drift of the gain over one layer.
    """

    interface: tuple[float, float]
    roughness: tuple[float, float]
    mixing: tuple[float, float]
    information: tuple[float, float]
    rate_ratio: tuple[float, float]
    transient_std: float = 0.5
    drift_std: float = 0.03


def profile_prior(measurement: Measurement, prior: ResponsePrior, is_substrate: bool) -> Prior:
    """Weak priors of levels and shape around the size of the data; the response is held."""
    mean, std = np.zeros(COLUMNS), np.ones(COLUMNS)
    std[:PARAMETERS] = 0.0
    intensity = (measurement.value - measurement.background) / np.maximum(measurement.gain, 1e-12)
    noise = np.sqrt(np.maximum(measurement.value, 1.0)) if measurement.std is None else measurement.std
    floor = float(np.median(noise / np.maximum(measurement.gain, 1e-12))) / np.sqrt(len(intensity))
    interface = prior.interface[0]
    beyond = measurement.time > 1.4 * interface
    if not beyond.any():
        beyond = measurement.time >= measurement.time[-1]
    plateau = max(float(np.mean(intensity[beyond])), floor)
    inside = measurement.time < interface
    level = max(float(np.median(intensity[inside])) if inside.any() else plateau, floor)
    mean[SUBSTRATE] = np.log(plateau)
    std[SUBSTRATE] = 0.7 if is_substrate else 2.0
    # What dissolves from the substrate is less than the substrate and spreads smoothly; other species may pile up.
    mean[LEVEL] = np.log(plateau) - 2.5 if is_substrate else np.log(level)
    std[LEVEL] = 1.5 if is_substrate else 3.0
    std[SLOPE] = 2.0 if is_substrate else 6.0
    mean[STRENGTH], std[STRENGTH] = (np.log(2.0), 1.0) if is_substrate else (np.log(6.0), 1.3)
    std[TRANSIENT] = prior.transient_std
    # In the layer a drift cannot be told from a slope of the profile; only a plateau shows it.
    std[DRIFT] = prior.drift_std if is_substrate else 0.0
    return Prior(mean, std)


def free_response(columns: Prior, prior: ResponsePrior) -> None:
    """Free the response's columns, in place, around what is known of it."""
    pairs = {
        INTERFACE: prior.interface,
        ROUGHNESS: prior.roughness,
        MIXING: prior.mixing,
        INFORMATION: prior.information,
        RATE_RATIO: prior.rate_ratio,
    }
    for column, (median, spread) in pairs.items():
        columns.mean[column] = np.log(median)
        columns.std[column] = spread
