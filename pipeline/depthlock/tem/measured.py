"""What one image says of the layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthlock.tem.crystal import Crystal
from depthlock.tem.edge_profile import Shift
from depthlock.tem.fringes import LocalFringes
from depthlock.tem.posterior import BoundaryPosterior
from depthlock.tem.spacing import LatticeFit
from depthlock.tem.straighten import Axis
from depthlock.tem.watch import Watched
from depthlock.tem.window_maps import WindowMaps


@dataclass(frozen=True)
class Evidence:
    """What the boundaries of one image rest on.

    Attributes
    ----------
    inner_separation, outer_separation : float
        Distance of the sides' features in standard deviations of 1 nm of one column.
    sharpness : float
        Share of the step from layer to outside that happens at the boundary.
    inner_shift, outer_shift : Shift
        Corrections by the mean brightness profile.
    fringes_used : bool
        Whether the crystal's edge rests on the lattice fringes.
    watched : Watched
        What a second method says of both edges.
    """

    inner_separation: float
    outer_separation: float
    sharpness: float
    inner_shift: Shift
    outer_shift: Shift
    fringes_used: bool
    watched: Watched


@dataclass(frozen=True)
class Boundaries:
    """Both boundaries of the layer in one image.

    Attributes
    ----------
    axis : Axis
        The crystal's smoothed edge, one point a column.
    inner, outer : BoundaryPosterior
        Draws of the depth in nm along the axis' normals.
    used : ndarray of bool, shape (n_s,)
        Columns in which the whole layer lies in the image.
    evidence : Evidence or None
        None where they were drawn by hand.
    """

    axis: Axis
    inner: BoundaryPosterior
    outer: BoundaryPosterior
    used: NDArray[np.bool_]
    evidence: Evidence | None


@dataclass(frozen=True)
class Layer:
    """What one image says of the layer.

    Attributes
    ----------
    flags : tuple of str
        Reasons for doubt; with `boundaries` None the reasons why there is nothing to measure.
    crystal : Crystal or None
    lattice : tuple of LatticeFit
        Reflections of the crystal.
    boundaries : Boundaries or None
    fringes : LocalFringes or None
        Fringes without a common direction, where there is no crystal.
    maps : WindowMaps or None
        Crystallinity over the image.
    labels : ndarray of int8 or None
        The label image that took the place of the segmentation.
    """

    flags: tuple[str, ...] = ()
    crystal: Crystal | None = None
    lattice: tuple[LatticeFit, ...] = ()
    boundaries: Boundaries | None = None
    fringes: LocalFringes | None = None
    maps: WindowMaps | None = None
    labels: NDArray[np.int8] | None = None

    def flagged(self, *more: str) -> Layer:
        """The same with more flags."""
        return replace(self, flags=tuple(dict.fromkeys((*self.flags, *more))))
