import h5py
import numpy as np
import pytest

from depthlock.simulate.event_table import pack_events, raw_header, write_sparse_hdf5


@pytest.fixture
def table():
    rng = np.random.default_rng(8)
    bins = rng.integers(1000, 1200, 5000)
    cells = rng.integers(0, 3 * 2 * 4 * 4, 5000)
    bins[:400], cells[:400] = 1100, 17  # one cell of many ions
    events = pack_events(bins, cells, (3, 2, 4, 4), np.array([0.0, 5.0, 10.0]), (0.38, -1.58), 128, 0.5, 4, 55.0)
    return bins, cells, events


def test_every_ion_is_in_its_cell(table):
    bins, cells, events = table
    naive = {}
    for key in zip(bins.tolist(), cells.tolist(), strict=True):
        naive[key] = naive.get(key, 0) + 1
    stored = {}
    for row, mass_bin in enumerate(events.mass_bin.tolist()):
        span = slice(int(events.indptr[row]), int(events.indptr[row + 1]))
        for cell, count in zip(events.pixel_id[span].tolist(), events.count[span].tolist(), strict=True):
            stored[mass_bin, cell] = count
    assert stored == naive
    assert events.ions == 5000


def test_file_keeps_the_invariants_of_the_format(table, tmp_path):
    _, _, events = table
    path = tmp_path / "events.h5"
    write_sparse_hdf5(path, events)
    with h5py.File(path) as file:
        assert file.attrs["format"] == "tof-sims-sparse-hdf5"
        assert file.attrs["format_version"] == "0.1"
        rows = file["data/mass_csr"]
        mass_bin, indptr = rows["mass_bin"][:], rows["indptr"][:]
        pixel, count = rows["pixel_id"][:], rows["count"][:]
        assert (mass_bin.dtype, indptr.dtype, pixel.dtype, count.dtype) == (np.uint32, np.uint64, np.uint32, np.uint8)
        assert indptr[0] == 0
        assert indptr[-1] == len(pixel) == len(count) == rows.attrs["n_nnz"]
        assert len(indptr) == len(mass_bin) + 1 == rows.attrs["n_occupied_mass_bins"] + 1
        assert np.all(np.diff(mass_bin.astype(int)) > 0)
        for start, stop in zip(indptr[:-1].astype(int), indptr[1:].astype(int), strict=True):
            assert np.all(np.diff(pixel[start:stop].astype(int)) > 0)
        shape = file["geometry"].attrs["row_shape"]
        assert np.prod(shape) == file["geometry"].attrs["row_count"]
        assert pixel.max() < file["geometry"].attrs["row_count"]
        whole = count.astype(int)
        exceptions = rows["count_exceptions"]
        assert np.all(whole[exceptions["nnz_index"][:].astype(int)] == 255)
        whole[exceptions["nnz_index"][:].astype(int)] = exceptions["value"][:]
        assert whole.sum() == 5000
        np.testing.assert_allclose(file["frames/sputter_time_s"][:], [0.0, 5.0, 10.0])
        np.testing.assert_allclose(file["calibration/mass/coefficients"][:], [0.38, -1.58])
        raw = file["raw_header"]
        assert raw.attrs["byte_length"] == raw.size
        assert bytes(raw[:]).rstrip(b"\0").decode("latin-1") == raw_header(events)


def test_header_tells_shots_and_dead_time(table):
    lines = dict(line.split(": ", 1) for line in raw_header(table[2]).splitlines() if ": " in line)
    assert lines["ShotsPerPixel"] == "4"
    assert float(lines["DetectorDeadTime(ns)"]) == 55.0
    shots = float(lines["AcqPulseRate(kHz)"]) * 1e3 * float(lines["TimePerFrameInS"]) / int(lines["ImagePixels"]) ** 2
    assert shots == pytest.approx(4.0, rel=1e-3)
    assert float(lines["Mass/Time"]) == pytest.approx(0.38)
