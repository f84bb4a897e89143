"""Stage results on disk: netCDF-4 files, whole or not at all, checked against their contract both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.workflow.files import canonical_json, replace_file

_JSON = "json:"
"""Marks an attribute that netCDF cannot hold and that is therefore written as JSON."""

_COMPRESS_FROM = 65536
"""Size in bytes from which a variable is worth compressing."""


def save(dataset: xr.Dataset, path: Path, contract: str, provenance: dict[str, Any]) -> None:
    """Write a stage's dataset.

    Parameters
    ----------
    dataset : xarray.Dataset
        What the stage gave.
    path : Path
        The netCDF-4 file; it appears only when it is complete.
    contract : str
        Contract that the dataset must keep, or empty for none.
    provenance : dict
        JSON-able facts on how the dataset came about, kept in the attribute ``provenance``.

    Raises
    ------
    ContractError
        If the dataset does not keep its contract; nothing is written.
    """
    if contract:
        check(dataset, contract)
    written = dataset.copy(deep=False)
    written.attrs = {key: _to_netcdf(value) for key, value in dataset.attrs.items() if value is not None}
    written.attrs["provenance"] = canonical_json(provenance)
    for name in written.variables:
        variable = written.variables[name]
        variable.encoding = {}
        variable.attrs = {key: _to_netcdf(value) for key, value in variable.attrs.items() if value is not None}
    encoding = {name: _encoding(variable) for name, variable in written.variables.items()}
    replace_file(
        path,
        lambda temporary: written.to_netcdf(
            temporary, engine="h5netcdf", format="NETCDF4", encoding=encoding, invalid_netcdf=False
        ),
    )


def _encoding(variable: xr.Variable) -> dict[str, Any]:
    if variable.dtype.kind == "f":
        encoding: dict[str, Any] = {"_FillValue": None}
    else:
        encoding = {}
    if variable.dtype.kind in "fiu" and variable.ndim and variable.nbytes >= _COMPRESS_FROM:
        encoding.update(zlib=True, complevel=1, shuffle=True)
    return encoding


def _to_netcdf(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, str | int | float | np.integer | np.floating | np.ndarray):
        return value
    if isinstance(value, list | tuple) and len(value) > 1 and all(type(item) in (int, float) for item in value):
        return list(value)
    return _JSON + json.dumps(value, ensure_ascii=False)


def _from_netcdf(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_JSON):
        return json.loads(value.removeprefix(_JSON))
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def open_lazily(path: Path) -> xr.Dataset:
    """Open a stage file without reading its arrays; close the dataset when done.

    Raises
    ------
    ReadError
        If the file is missing, cut off, or no stage file.
    """
    try:
        dataset = xr.open_dataset(path, engine="h5netcdf", decode_times=False, decode_timedelta=False)
    except FileNotFoundError as error:
        raise ReadError(
            "this result does not exist", where=str(path), hint="run the session: depthlock run SESSION"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(
            f"this result cannot be opened: {error}", where=str(path), hint="delete it and run the session again"
        ) from error
    dataset.attrs = {key: _from_netcdf(value) for key, value in dataset.attrs.items()}
    for name in dataset.variables:
        variable = dataset.variables[name]
        variable.attrs = {key: _from_netcdf(value) for key, value in variable.attrs.items()}
    return dataset


def load(path: Path, contract: str) -> xr.Dataset:
    """Read a stage file into memory and check its contract.

    Parameters
    ----------
    path : Path
        The netCDF-4 file.
    contract : str
        Contract that it must keep, or empty for none.

    Returns
    -------
    xarray.Dataset
        With strings as fixed-width ``str`` arrays, as the stages make them.
    """
    with open_lazily(path) as lazy:
        dataset = lazy.load()
    for name, variable in list(dataset.variables.items()):
        if variable.dtype.kind in "OT":
            text = xr.Variable(variable.dims, variable.values.astype(str), variable.attrs)
            dataset = dataset.assign_coords({name: text}) if name in dataset.coords else dataset.assign({name: text})
    return check(dataset, contract) if contract else dataset


def provenance_of(dataset: xr.Dataset) -> dict[str, Any]:
    """Return how a stage's dataset came about, empty if it does not say."""
    found = dataset.attrs.get("provenance", "{}")
    provenance: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return provenance
