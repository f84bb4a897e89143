"""Known artefacts of etched XPS, stated by rule beside the numbers they may touch."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr


def _trend(result: xr.Dataset, label: str, quantity: str) -> float:
    """Change from the first to the last third of the levels in standard errors; 0 where it cannot be told."""
    if label not in set(result["component"].values.tolist()) or result.sizes["level"] < 3:
        return 0.0
    one = result.sel(component=label)
    value, std = one[quantity].values, one[f"{quantity}_std"].values
    part = max(1, value.size // 3)
    if not np.all(np.isfinite(value)):
        return 0.0
    error = np.sqrt((std[:part] ** 2).mean() / part + (std[-part:] ** 2).mean() / part)
    return float((value[-part:].mean() - value[:part].mean()) / error) if error > 0 else 0.0


def hazards(result: xr.Dataset) -> str:
    """The hazards that apply to a fit, as a JSON list of texts.

    Parameters
    ----------
    result : xr.Dataset
        `xps_fit` with areas, fractions and binding energies.

    Returns
    -------
    str
    """
    found = [
        f"{state} grows with etching: Ar+ reduces V5+, so that the trend may be made by the ions."
        for state in ("V4+", "V3+")
        if _trend(result, f"V 2p/{state}", "fraction") > 3.0
    ]
    if _trend(result, "F 1s/MgF2", "area") > 3.0 and "F 1s/CF3" in set(result["component"].values.tolist()):
        found.append(
            "MgF2 grows along the series: X-rays and ions split TFSI-; keep the order and time of acquisition."
        )
    energy = result["binding_energy"].values[result["region_of_point"].values == "C 1s"]
    if energy.size and energy.max() > 299.0 and "F 1s/MgF2" in set(result["component"].values.tolist()):
        found.append("Mg KLL (301-307 eV with Al K-alpha) stands beside C 1s CF3 in this window.")
    return json.dumps(found)
