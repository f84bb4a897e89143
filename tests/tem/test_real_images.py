import numpy as np
import pytest

from depthlock.model.options import ThicknessOptions
from depthlock.readers import images
from depthlock.tem.thickness import measure_thickness

OPTIONS = ThicknessOptions(bootstrap=50)


def test_strontium_titanate_reads_its_spacing_and_has_no_layer(real_data):
    image = images.read(real_data / "tem" / "readers" / "openncem_16_STOimage_1.ser")
    image.attrs["lattice_spacing_nm"] = 0.1953
    result = measure_thickness([image], OPTIONS)
    # 0.2010 x 0.2034 nm in the file's own scale, which is 3 to 4 % off
    assert float(result["lattice_spacing"]) == pytest.approx(0.202, abs=0.002)
    assert np.all(np.isnan(result["cei_thickness"]))
    assert str(result["cei_thickness_flag"].values[0]) == "no_outside"


def test_soot_has_curved_fringes_and_no_layer_to_measure(real_data):
    image = images.read(real_data / "tem" / "fringes" / "soot_ExampleImage.tif")
    # The burnt-in bar of 5 nm is 89 pixels long.
    image.attrs["pixel_size_nm"] = [5 / 89, 5 / 89]
    result = measure_thickness([image], OPTIONS)
    # Fringes of 0.36 to 0.40 nm, curved and short.
    assert 0.36 < float(result["lattice_spacing"]) < 0.40
    assert float(result["lattice_spacing_std"]) < 0.006
    assert np.all(np.isnan(result["cei_thickness"]))
    assert str(result["cei_thickness_flag"].values[0]) == "no_crystal;fringes_everywhere"


@pytest.mark.parametrize("pixel_size", [0.0540, 0.0556, 0.0575])
def test_soot_has_no_layer_at_any_scale(real_data, pixel_size):
    image = images.read(real_data / "tem" / "fringes" / "soot_ExampleImage.tif")
    image.attrs["pixel_size_nm"] = [pixel_size, pixel_size]
    assert np.all(np.isnan(measure_thickness([image], OPTIONS)["cei_thickness"]))


@pytest.mark.parametrize("name", ["CameraCetaImaging.emd", "multi_signal.dm3", "olympus_SIS.tif"])
def test_images_without_a_layer_give_no_number(real_data, name):
    image = images.read(real_data / "tem" / "readers" / name)
    result = measure_thickness([image], OPTIONS)
    assert np.all(np.isnan(result["cei_thickness"]))
    assert str(result["cei_thickness_flag"].values[0]) != ""
