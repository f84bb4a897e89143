import numpy as np
import pytest

from depthlock.simulate.layer import LayerParameters
from depthlock.simulate.vamas_writer import write_vamas
from depthlock.simulate.xps import XpsParameters, simulate_spectra


def naive_blocks(text):
    """Read NORM/REGULAR VAMAS with one experimental variable line by line, as ISO 14976 orders it."""
    lines = iter(text.splitlines())

    def take(count=1):
        taken = [next(lines) for _ in range(count)]
        return taken[0] if count == 1 else taken

    assert take() == "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"
    take(4)
    take(int(take()) + 0) if False else [take() for _ in range(int(take()))]
    assert take(2) == ["NORM", "REGULAR"]
    take()  # number of spectral regions
    assert int(take()) == 1
    variable = take(2)
    assert take(4) == ["0", "0", "0", "0"]
    blocks = []
    for _ in range(int(take())):
        block = {"name": take(), "sample": take()}
        take(7)
        for _ in range(int(take())):
            take()
        block["technique"] = take()
        block["variable"] = float(take())
        block["source"], block["energy"] = take(), float(take())
        take(3)  # strength, beam widths
        take(2)  # source angles
        block["mode"], block["pass"] = take(), float(take())
        take()  # magnification
        block["work_function"] = float(take())
        take(3)  # bias, analysis widths
        take(2)  # take-off angles
        block["species"], block["transition"] = take(2)
        assert take() == "-1"
        block["axis"], block["unit"] = take(2)
        start, step = float(take()), float(take())
        assert int(take()) == 1
        assert take(2) == ["counts", "d"]
        assert take() == "pulse counting"
        block["dwell"], block["scans"] = float(take()), int(take())
        take()  # time correction
        take(3)  # tilt and rotation
        assert int(take()) == 0
        points = int(take())
        low, high = float(take()), float(take())
        block["counts"] = np.array([float(take()) for _ in range(points)])
        assert (low, high) == (block["counts"].min(), block["counts"].max())
        block["energies"] = start + step * np.arange(points)
        blocks.append(block)
    assert take() == "end of experiment"
    assert list(lines) == []
    return variable, blocks


@pytest.mark.parametrize("kinetic", [True, False])
def test_file_is_read_back_by_a_naive_parser(tmp_path, kinetic):
    spectra, _ = simulate_spectra(XpsParameters(), LayerParameters(10.0), np.random.default_rng(1), "B-V2O5")
    path = tmp_path / "etch.vms"
    write_vamas(path, spectra, kinetic_axis=kinetic)
    variable, blocks = naive_blocks(path.read_text("ascii"))
    assert variable == ["Etch Time", "s"]
    assert len(blocks) == 6 * len(spectra)
    for number, block in enumerate(blocks):
        level, dataset = number // len(spectra), spectra[number % len(spectra)]
        assert block["sample"] == "B-V2O5"
        assert block["variable"] == pytest.approx(float(dataset["etch_time"][level]), abs=1e-3)
        assert (block["dwell"], block["scans"]) == (0.2, 5)
        np.testing.assert_array_equal(block["counts"], dataset["counts"].to_numpy()[level])
        binding = block["energy"] - block["energies"] if kinetic else block["energies"]
        np.testing.assert_allclose(binding, dataset["binding_energy"], atol=1e-3)
        region = dataset.attrs["region"]
        assert f"{block['species']} {block['transition']}".strip() == ("" if " + " in region else region)
