"""What the two ways of reducing a measurement hand on: ions, their count laws, and the scans."""

from __future__ import annotations

from dataclasses import dataclass, field

import xarray as xr

from depthlock.tofsims.assembly import ReducedIon, ScanTable
from depthlock.tofsims.quasi_poisson import CountData


@dataclass(frozen=True)
class Reduction:
    """Reduced ions before their interfaces are fitted.

    Attributes
    ----------
    ions : list of ReducedIon
    data : list of CountData
        Intensity of each ion with its variance law, for fits.
    scans : ScanTable
    attrs : dict
        Plain values for the dataset.
    geometry : dict
        Variables that say where the ions came from.
    """

    ions: list[ReducedIon]
    data: list[CountData]
    scans: ScanTable
    attrs: dict[str, object] = field(default_factory=dict)
    geometry: dict[str, xr.Variable] = field(default_factory=dict)
