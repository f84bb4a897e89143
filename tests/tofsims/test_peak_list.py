"""The peak list: what the strongest peaks of known and of real spectra are taken for."""

import pytest
from tofsims_stores import options

from depthlock.model.errors import MeasurementError
from depthlock.readers import surfacelab
from depthlock.readers.event_store import open_events
from depthlock.tofsims.peak_list import list_peaks


def nearest(found, mz):
    return min(found.peaks, key=lambda peak: abs(peak.mz - mz))


def test_simulated_peaks_are_named(sample_data):
    found = list_peaks(open_events(sample_data / "B" / "profile.h5"), options("SO2CF3-", "MgF2-", "V-"), most=32)
    assert [peak.ions for peak in found.peaks] == sorted((peak.ions for peak in found.peaks), reverse=True)
    assert found.calibration_flag == ""
    names = {"SO2CF3-": 132.9577, "MgF2-": 61.9824, "V-": 50.9445, "SO2-": 63.9624, "CF3-": 68.9958, "MgF3-": 80.9808}
    for label, mz in names.items():
        best = nearest(found, mz).candidates[0]
        assert (best.label, best.followed) == (label, label in {"SO2CF3-", "MgF2-", "V-"})
        assert abs(best.ppm) < 15.0
        assert abs(best.sigma) < 3.0
    magnesium = nearest(found, 61.9824).candidates[0].isotopes[0]
    assert (magnesium.shift, magnesium.verdict) == (1, "supported")
    assert magnesium.natural == pytest.approx(0.1266, abs=3e-4)
    assert magnesium.ratio == pytest.approx(0.1266, abs=0.02)


def test_real_copper_cluster_is_found_by_its_isotopes(real_data):
    events = open_events(real_data / "tofsims" / "phi_simsh5" / "PowerCo-102-Pos-Cu_Grid.h5")
    found = list_peaks(events, options("Cu+"), most=22)
    assert found.peaks[0].candidates[0].label == "Cs+"
    copper = nearest(found, 62.929).candidates[0]
    assert (copper.label, copper.verdict) == ("Cu+", "supported")
    assert copper.isotopes[0].ratio == pytest.approx(0.446, abs=0.06)
    cluster = nearest(found, 142.861).candidates[0]
    assert (cluster.label, cluster.verdict) == ("Cu2OH+", "supported")
    assert [one.natural for one in cluster.isotopes] == pytest.approx([0.894, 0.201], abs=0.003)
    assert [one.ratio for one in cluster.isotopes] == pytest.approx([0.894, 0.201], abs=0.05)


def test_exported_profiles_have_no_spectrum(real_data):
    folder = real_data / "tofsims" / "surfacelab_profiles"
    export = surfacelab.read(next(folder.glob("I241209h*electrode1*")))
    with pytest.raises(MeasurementError, match="no mass spectrum"):
        list_peaks(export, options("O-"))
