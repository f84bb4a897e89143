import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from depthlock.model.errors import MeasurementError
from depthlock.model.options import ThicknessOptions
from depthlock.model.session import TemInput
from depthlock.readers import images
from depthlock.simulate.tem import TemParameters, simulate_image
from depthlock.tem.lattice_scale import calibrated
from depthlock.tem.thickness import measure_thickness

OPTIONS = ThicknessOptions(bootstrap=50)


def _fringes(spacings, pixel=0.04, size=400):
    y, x = np.meshgrid(np.arange(size) * pixel, np.arange(size) * pixel, indexing="ij")
    values = np.ones_like(y) + sum(
        0.1 * np.cos(2 * np.pi / spacing * (np.cos(turn) * y + np.sin(turn) * x))
        for spacing, turn in zip(spacings, (0.3, 1.5), strict=False)
    )
    counts = np.random.default_rng(0).poisson(60 * values).astype(np.float32)
    return xr.Dataset({"image": (("y", "x"), counts, {"units": "1"})}, attrs={"source": "fringes.tif"})


@pytest.mark.parametrize("wrong", [0.85, 1.0, 1.2])
def test_a_wrong_scale_is_put_right(wrong):
    found = calibrated(_fringes([0.38]), (0.04 * wrong, 0.04 * wrong), 0.38)
    assert found.attrs["pixel_size_nm"] == pytest.approx([0.04, 0.04], rel=2e-3)
    assert 5e-4 < found.attrs["pixel_size_std"] < 5e-3
    assert found.attrs["scale_source"] == "lattice of 0.38 nm"


def test_a_lattice_that_is_not_there_or_in_doubt_is_refused():
    with pytest.raises(MeasurementError, match=r"no reflection near 0\.2 nm to calibrate with: 0\.38"):
        calibrated(_fringes([0.38]), (0.04, 0.04), 0.2)
    noise = _fringes([])
    noise["image"] = noise["image"].copy(data=np.random.default_rng(0).poisson(60, (400, 400)).astype(np.float32))
    with pytest.raises(MeasurementError, match="no lattice fringes"):
        calibrated(noise, (0.04, 0.04), 0.38)
    with pytest.raises(MeasurementError, match="two reflections could be"):
        calibrated(_fringes([0.38, 0.33]), (0.04, 0.04), 0.355)


def test_the_ruler_is_not_a_result():
    settings = TemParameters(pixels=512, pixel_nm=0.042)
    image, truth = simulate_image(settings, 6.0, np.random.default_rng(5))
    plain = measure_thickness([image], OPTIONS)
    image.attrs["pixel_size_nm"] = [0.042 * 1.05, 0.042 * 1.05]
    image.attrs["calibrate_with_nm"] = truth.lattice_nm
    result = measure_thickness([image], OPTIONS)
    assert float(result["cei_thickness"][0]) == pytest.approx(float(plain["cei_thickness"][0]), rel=5e-3)
    assert np.isnan(result["lattice_spacing"])
    assert str(result["lattice_spacing_flag"].values) == "used_as_scale"
    assert result.attrs["scale_sources"] == ["lattice of 0.38 nm"]


def test_strontium_titanate_says_how_wrong_its_file_is(real_data):
    image = images.read(real_data / "tem" / "readers" / "openncem_16_STOimage_1.ser")
    before = np.array(image.attrs["pixel_size_nm"])
    found = calibrated(image, (before[0], before[1]), 0.1953)
    # It reads 0.2010 x 0.2034 nm in the file's scale: 3 to 4 % too large, unlike along both axes.
    assert np.array(found.attrs["pixel_size_nm"]) / before == pytest.approx([0.966, 0.966], abs=0.006)
    assert 0.004 < found.attrs["pixel_size_std"] < 0.012


def test_a_lattice_is_either_ruler_or_hint():
    given = {"file": "a.tif", "calibrate_with": "0.38 nm"}
    assert TemInput.model_validate(given).calibrate_with == pytest.approx(0.38)
    with pytest.raises(ValidationError, match="expected one of them"):
        TemInput.model_validate({**given, "lattice_spacing": "0.38 nm"})
