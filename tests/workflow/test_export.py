"""Volumes on disk: what other programs read is what the store holds."""

from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile
import xarray as xr

from depthlock.model.errors import WorkflowError
from depthlock.tofsims.volumes import even_in_depth, ion_volumes
from depthlock.workflow import store
from depthlock.workflow.export import VolumeExport, export_volumes

OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"


def small_events() -> xr.Dataset:
    rng = np.random.default_rng(1)
    bins, cells = 30, 6 * 8 * 9
    rows = [np.sort(rng.choice(cells, 40, replace=False)) for _ in range(bins)]
    return xr.Dataset(
        {
            "mass_bin": ("bin", np.arange(bins)),
            "indptr": ("bin_edge", 40 * np.arange(bins + 1)),
            "pixel_id": ("event", np.concatenate(rows).astype(np.uint32)),
            "count": ("event", np.ones(40 * bins, np.uint32)),
        },
        coords={"sputter_time": ("scan", 3.0 * np.arange(6), {"units": "s"})},
        attrs={"row_shape": [6, 1, 8, 9], "pixel_pitch_um": 0.5, "shots_per_pixel": 2},
    ).chunk({"event": 100})


PROFILE = xr.Dataset(
    {"used_scans": ("scan", np.ones(6, np.int8))},
    coords={
        "ion": ("ion", ["MgF2-", "V-"], {"units": "1"}), "role": ("ion", ["inorganic", "substrate"]),
        "mz": ("ion", [61.98, 50.94]), "bin_low": ("ion", [0, 15]), "bin_high": ("ion", [15, 30]),
        "share": ("ion", [0.5, 1.0]),
    },
    attrs={"source": "a/profile.h5"},
)  # fmt: skip

DEPTH = xr.Dataset({"scan_depth": ("scan", [0.0, 1.0, 2.0, 4.0, 6.0, 8.0])})


def results(folder: Path, depth: xr.Dataset | None) -> SimpleNamespace:
    datasets = {"tofsims_profile": PROFILE, "depth_profile": depth}
    return SimpleNamespace(
        samples=("one", "two"),
        folder=folder,
        path=lambda _, sample: folder if sample == "one" else None,
        events=lambda _: small_events(),
        dataset=lambda _, stage: datasets[stage],
    )


def test_ome_tiff_holds_ions_as_channels_with_their_scale(tmp_path: Path) -> None:
    (path,) = export_volumes(results(tmp_path, DEPTH), VolumeExport())
    assert path == tmp_path / "exports" / "one" / "tofsims_volume.ome.tif"
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        (series,) = file.series
        assert (series.axes, series.shape) == ("CZYX", (2, 6, 8, 9))
        expected = even_in_depth(ion_volumes(small_events(), PROFILE, DEPTH))["counts"].values
        assert series.asarray() == pytest.approx(expected, rel=1e-6)
        root = ET.fromstring(file.ome_metadata)  # noqa: S314 (written just now)
    pixels = root.find(f".//{OME}Pixels")
    assert [channel.get("Name") for channel in pixels.findall(f"{OME}Channel")] == ["MgF2-", "V-"]
    assert (float(pixels.get("PhysicalSizeX")), pixels.get("PhysicalSizeXUnit")) == (0.5, "µm")
    assert float(pixels.get("PhysicalSizeZ")) == pytest.approx(9.5 / 6)
    assert pixels.get("PhysicalSizeZUnit") == "nm"
    planes = pixels.findall(f"{OME}Plane")
    assert len(planes) == 12
    assert float(planes[0].get("DeltaT")) == float(planes[6].get("DeltaT"))


def test_netcdf_opens_lazily_and_keeps_the_contract(tmp_path: Path) -> None:
    wanted = VolumeExport(("one",), ("V-",), (2, 2, 3), "netcdf")
    (path,) = export_volumes(results(tmp_path, DEPTH), wanted, tmp_path / "elsewhere")
    assert path == tmp_path / "elsewhere" / "one" / "tofsims_volume.nc"
    expected = ion_volumes(small_events(), PROFILE, DEPTH, ["V-"], (2, 2, 3))
    with store.open_lazily(path) as lazy:
        assert lazy["counts"].shape == (1, 3, 4, 3)
        assert lazy["depth"].values.tolist() == [0.5, 3.0, 7.0]
        assert np.array_equal(lazy["counts"].values, expected["counts"].values)
    assert float(store.load(path, "tofsims_volume")["pulses"][0]) == 2 * 2 * 2 * 3


def test_without_depth_planes_are_scans_with_their_times(tmp_path: Path) -> None:
    (path,) = export_volumes(results(tmp_path, None), VolumeExport(ions=("V-",)))
    with tifffile.TiffFile(path) as file:
        root = ET.fromstring(file.ome_metadata)  # noqa: S314 (written just now)
    pixels = root.find(f".//{OME}Pixels")
    assert pixels.get("PhysicalSizeZ") is None
    assert [float(plane.get("DeltaT")) for plane in pixels.findall(f"{OME}Plane")] == [0, 3, 6, 9, 12, 15]


def test_a_sample_without_single_ions_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match="two has no store of single ions"):
        list(export_volumes(results(tmp_path, None), VolumeExport(("two",))))
    assert not (tmp_path / "exports").exists()
