"""A technique's depth scale and species, and the priors of the depth response that the techniques share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.fusion.depth_scale import Thickness
from depthlock.fusion.forward_fit import InterfaceFit, LayerFit
from depthlock.model.options import DepthOptions

Array = NDArray[np.float64]

POOR_FIT = 3.0
"""Mean squared pull from which the model does not describe the data."""

LAYER_ROLES = ("organic", "inorganic")
"""Roles of what the layer is made of."""


@dataclass(frozen=True)
class Species:
    """One ion or component: what was measured at which time, its role and its fit.

    Attributes
    ----------
    name, role, technique : str
    time, signal, signal_std : array (point,)
        As measured.
    fit : LayerFit or None
        None where there is no depth scale or nothing to fit.
    flag : str
    """

    name: str
    role: str
    technique: str
    time: Array
    signal: Array
    signal_std: Array
    fit: LayerFit | None
    flag: str


@dataclass(frozen=True)
class TechniqueFit:
    """A technique's depth scale and species.

    Attributes
    ----------
    technique : str
        ``tofsims`` or ``xps``.
    time : array (point,)
        Times of all points, also of those that were not used.
    interface : InterfaceFit or None
        None where no interface was found.
    substrate : str
        Species, or region, that showed the interface; empty if none.
    species : tuple of Species
    flag : str
        Reasons not to trust the depth scale.
    """

    technique: str
    time: Array
    interface: InterfaceFit | None
    substrate: str
    species: tuple[Species, ...]
    flag: str


def length_prior(thickness: Thickness, length: float, spread: float) -> tuple[float, float]:
    """Prior of a length in nm as a fraction of the layer; wider where the thickness is a guess."""
    return length / thickness.scale, float(np.hypot(spread, 0.0 if thickness.known else 0.5))


def rate_ratio_prior(options: DepthOptions, thickness: Thickness, interface: float) -> tuple[float, float]:
    """Prior of the substrate's sputter rate over the layer's: from the options, or wide."""
    if options.substrate_rate is not None and thickness.known:
        return options.substrate_rate * interface / thickness.value, 0.1
    # Rates of unlike materials under one beam differ by up to a factor of 2 or so.
    return 1.0, 0.6
