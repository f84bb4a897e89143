"""The depth scale: thickness from images, interface times of the techniques, sputter rates, depth of every point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from depthlock.fusion.depth_response import RATE_RATIO, reported_fraction
from depthlock.fusion.forward_fit import InterfaceFit
from depthlock.model.options import DepthOptions
from depthlock.model.quantity import Quantity, join_flags

Array = NDArray[np.float64]

DEFAULT_THICKNESS_STD = 0.05
"""Relative error of a thickness that is given without one."""

FEWEST_FREEDOM = 2.5
"""Degrees of freedom of the sampling error at least: below 2 a Student's distribution has no standard deviation."""

TYPICAL_THICKNESS = 10.0
"""Thickness in nm that scales the priors of the depth response where none is known; no result depends on it."""


VAGUE_RATIO = 0.4
"""Standard deviation of the logarithm of the ratio of the sputter rates from which it is the prior's (0.6), not the
measurement's."""


@dataclass(frozen=True)
class Thickness:
    """Mean thickness of the sample's layer in nm with its standard error, and reasons not to trust it.

    `freedom` are the degrees of freedom behind `std`, infinite where the error is known: a short piece of layer holds
    few independent positions, and its own scatter says little about how far its mean is from the sample's. `source` is
    ``options``, ``tem``, ``eds`` or ``none``.
    """

    value: float
    std: float
    flag: str
    freedom: float = np.inf
    source: str = "none"

    @property
    def known(self) -> bool:
        """Whether there is a thickness at all."""
        return bool(np.isfinite(self.value))

    @property
    def scale(self) -> float:
        """A length in nm for priors: the thickness, or a typical one."""
        return self.value if self.known else TYPICAL_THICKNESS

    def samples(self, count: int, random: np.random.Generator) -> Array:
        """Samples of the thickness in nm, all positive; NaN if it is not known.

        Log-normal, or log-Student where the error itself is uncertain: a thickness is not negative, and rates are its
        multiples.
        """
        if not self.known:
            return np.full(count, np.nan)
        spread = np.sqrt(np.log1p((self.std / self.value) ** 2))
        drawn = random.standard_normal(count)
        if np.isfinite(self.freedom):
            drawn = np.clip(drawn / np.sqrt(random.chisquare(self.freedom, count) / self.freedom), -8.0, 8.0)
        return np.asarray(self.value * np.exp(spread * drawn), dtype=np.float64)


def layer_thickness(tem: xr.Dataset | None, options: DepthOptions, eds: xr.Dataset | None = None) -> Thickness:
    """The sample's mean thickness: from the options if given there, else from the TEM, else from STEM-EDS.

    What an image says speaks of the imaged piece. `thickness_sampling_std` is the error of its mean as that of the
    whole sample, measurement included; it rests on few independent positions, so it is Student-distributed.
    """
    if options.thickness is not None:
        std = options.thickness_std
        flag = "" if std is not None else "thickness_std_assumed"
        relative = DEFAULT_THICKNESS_STD * options.thickness
        return Thickness(options.thickness, relative if std is None else std, flag, source="options")
    from_tem = Thickness(np.nan, np.nan, "no_thickness")
    if tem is not None:
        mean = tem.sel(statistic="mean")
        value, std = float(mean["cei_thickness"]), float(mean["cei_thickness_std"])
        scatter = float(tem["cei_thickness"].sel(statistic="sd"))
        flag = str(mean["cei_thickness_flag"].item())
        from_tem = _of_image(value, std, float(tem["thickness_sampling_std"]), scatter, flag, "tem")
    return from_tem if from_tem.known or eds is None else eds_thickness(eds)


def eds_thickness(eds: xr.Dataset) -> Thickness:
    """The sample's mean thickness from STEM-EDS; arguments as `layer_thickness`."""
    value, std = float(eds["layer_thickness"]), float(eds["layer_thickness_std"])
    flag = str(eds["layer_thickness_flag"].item())
    return _of_image(value, std, float(eds["thickness_sampling_std"]), float(eds["thickness_sd"]), flag, "eds")


def _of_image(value: float, std: float, sampling: float, scatter: float, flag: str, source: str) -> Thickness:
    if not np.isfinite(value) or value <= 0:
        return Thickness(np.nan, np.nan, "no_thickness")
    if not np.isfinite(sampling):
        return Thickness(value, 0.2 * value, join_flags(flag, "thickness_std_assumed"), source=source)
    measured = std if np.isfinite(std) else 0.0
    between = max(sampling**2 - measured**2, 0.0)
    freedom = np.inf
    if np.isfinite(scatter) and between > 0:
        freedom = float(np.clip(scatter**2 / between, FEWEST_FREEDOM, 200.0))
    return Thickness(value, max(sampling, measured), flag, freedom, source)


def summarise(samples: Array, flag: str = "") -> Quantity:
    """Mean, standard deviation and central 95 % interval of samples; NaN and the flag where there is none."""
    good = samples[np.isfinite(samples)]
    if good.size < 2:
        return Quantity(np.nan, np.nan, np.nan, np.nan, flag)
    lower, upper = np.percentile(good, [2.5, 97.5])
    return Quantity(float(good.mean()), float(good.std(ddof=1)), float(lower), float(upper), flag)


def sputter_rate(thickness: Array, interface: Array, flag: str) -> Quantity:
    """Rate in the layer in nm/s: thickness over the time of the layer's end.

    Parameters
    ----------
    thickness, interface : array (samples,)
        Samples in nm and s.
    flag : str
        Reasons not to trust it.
    """
    return summarise(thickness / interface, flag)


@dataclass(frozen=True)
class PointDepth:
    """Depth of measured points as fractions of the layer and in nm, with standard deviations; shape (point,)."""

    fraction: Array
    depth: Array
    depth_std: Array


def depth_of_points(time: Array, fit: InterfaceFit, thickness: Array) -> PointDepth:
    """Depth of points of a technique from the time at which they were measured.

    Parameters
    ----------
    time : array (point,)
        Sputter or etch time in s.
    fit : InterfaceFit
        Samples of the interface and response.
    thickness : array (samples,)
        Samples of the thickness in nm, NaN if unknown.

    Returns
    -------
    PointDepth
        Beyond the interface the substrate's rate counts, and its error makes `depth_std` grow.
    """
    fraction = reported_fraction(time, fit.response, fit.around.tilt)
    depth = fraction * thickness[:, None]
    return PointDepth(np.median(fraction, axis=0), np.median(depth, axis=0), depth.std(axis=0))


def substrate_rate(thickness: Array, fit: InterfaceFit, flag: str) -> Quantity:
    """The substrate's sputter rate in nm/s; not measured where the profile says hardly more than the prior.

    Parameters
    ----------
    thickness : array (samples,)
        In nm.
    fit : InterfaceFit
        Its response is stretched behind the interface by the layer's rate over the substrate's.
    flag : str
        Reasons not to trust it.
    """
    ratio = fit.response[:, RATE_RATIO]
    if float(np.std(ratio)) > VAGUE_RATIO:
        return Quantity(np.nan, np.nan, np.nan, np.nan, join_flags(flag, "not_measured"))
    return summarise(thickness / fit.interface_time * np.exp(ratio), flag)
