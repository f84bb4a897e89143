"""Element maps: HyperSpy's and pictures', with a dark-field image beside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from depthlock.model.contracts import check
from depthlock.model.errors import ReadError
from depthlock.readers import registry
from depthlock.readers.eds_maps import read_maps
from depthlock.readers.eds_planes import fitted_plane


def real_maps(folder: Path) -> dict[str, Path]:
    lines = {"Er": "La", "Sr": "Ka", "Ti": "Ka", "Y": "Ka"}
    return {element: folder / "eds" / f"lukmuk_REBCO_on_STO_{element}_{line}.hspy" for element, line in lines.items()}


def test_maps_of_a_film(real_data: Path) -> None:
    maps = check(read_maps(real_maps(real_data)), "eds_maps")
    assert maps["counts"].shape == (4, 45, 65)
    assert maps.attrs["pixel_size_nm"] == pytest.approx([0.8651, 0.8651], rel=1e-3)
    assert maps["line"].values.tolist() == ["La", "Ka", "Ka", "Ka"]
    rows = maps["counts"].mean("x")
    assert float(rows.sel(element="Sr")[-1]) > 50 * float(rows.sel(element="Sr")[5])


def test_a_map_by_itself_names_its_element(real_data: Path) -> None:
    path = real_maps(real_data)["Sr"]
    assert registry.find(path).name == "eds_maps"
    assert registry.describe(path)["element"] == "Sr"


def test_the_wrong_element_is_told(real_data: Path) -> None:
    with pytest.raises(ReadError, match=r"map of Sr_Ka.*says Ti"):
        read_maps({"Ti": real_maps(real_data)["Sr"]})


def write(path: Path, values: np.ndarray, pixel: float | None = None) -> Path:
    if pixel is None:
        tifffile.imwrite(path, values)
    else:
        tifffile.imwrite(path, values, imagej=True, resolution=(1 / pixel, 1 / pixel), metadata={"unit": "nm"})
    return path


def test_tiff_maps_with_a_larger_dark_field(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    counts = rng.poisson(2.0, (2, 20, 30)).astype(np.uint16)
    files = {e: write(tmp_path / f"{e}.tif", values) for e, values in zip("FC", counts, strict=True)}
    dark = np.kron(rng.random((20, 30)), np.ones((4, 4))).astype(np.float32)
    maps = check(read_maps(files, write(tmp_path / "haadf.tif", dark, 0.25)), "eds_maps")
    np.testing.assert_array_equal(maps["counts"].values, counts)
    assert maps.attrs["pixel_size_nm"] == pytest.approx([1.0, 1.0]), "four pixels of the dark-field image"
    assert np.corrcoef(maps["haadf"].values.ravel(), dark[::4, ::4].ravel())[0, 1] > 0.8
    assert maps.attrs["display"] == 0


def test_coloured_exports_are_no_counts(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    coloured = np.zeros((20, 30, 3), dtype=np.uint8)
    coloured[..., 1] = rng.integers(0, 200, (20, 30))
    maps = read_maps({"F": write(tmp_path / "F.tif", coloured)})
    assert maps.attrs["display"] == 1
    assert "no counts" in maps.attrs["notes"][0]


def test_maps_that_do_not_belong_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    one, other = (rng.poisson(2.0, shape).astype(np.uint16) for shape in ((20, 30), (20, 31)))
    first = write(tmp_path / "F.tif", one, 0.5)
    with pytest.raises(ReadError, match="20 x 31"):
        read_maps({"F": first, "C": write(tmp_path / "C.tif", other, 0.5)})
    with pytest.raises(ReadError, match=r"0\.7 nm"):
        read_maps({"F": first, "C": write(tmp_path / "C.tif", one + 1, 0.7)})
    with pytest.raises(ReadError, match="dark-field"):
        read_maps({"F": first}, write(tmp_path / "haadf.tif", np.pad(one, ((0, 30), (0, 0))), 0.5))


def test_an_image_is_fitted_as_its_centres_lie() -> None:
    small = np.add.outer(np.arange(6.0), 10 * np.arange(4.0))
    large = np.kron(small, np.ones((3, 3)))
    fitted = fitted_plane(large, (6, 4))
    assert fitted is not None
    np.testing.assert_allclose(fitted, small, atol=1e-9)
    assert fitted_plane(large, (6, 6)) is None


def test_cut_maps_are_refused(real_data: Path, tmp_path: Path) -> None:
    whole = real_maps(real_data)["Sr"].read_bytes()
    path = tmp_path / "Sr.hspy"
    for length in (50, 2000, len(whole) // 2, len(whole) - 200):
        path.write_bytes(whole[:length])
        with pytest.raises(ReadError) as caught:
            read_maps({"Sr": path})
        assert caught.value.hint
