from depthlock.model.quantity import Quantity, assign
from depthlock.report.contents import Results
from depthlock.report.tofsims_figures import draw_profile


def test_deconvolved_profiles_are_drawn_over_the_measured_ones(results: Results) -> None:
    profile = results.dataset(results.samples[0], "tofsims_profile")
    assert profile is not None
    plain = draw_profile(profile, "sample").axes[0]
    values = profile["intensity"].values
    both = draw_profile(assign(profile, "deconvolved", ("ion", "scan"), Quantity(values, 0.1 * values), "1"), "sample")
    assert len(both.axes[0].lines) == len(plain.lines) + 3
    assert "freed from the depth response" in both.axes[0].get_title(loc="left")
    assert "freed" not in plain.get_title(loc="left")
