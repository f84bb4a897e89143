import numpy as np
import pytest
from layered_exports import SHAPES, layered_export
from tofsims_stores import options

from depthlock.tofsims.deconvolution import blur_matrix
from depthlock.tofsims.mixing_roughness import step_response
from depthlock.tofsims.profile import reduce_profile
from depthlock.tofsims.response import step_shape


def deconvolved(export, **more):
    return reduce_profile(export, options("MgF2-", "V-", deconvolution="forward", shots_per_pixel=10**6, **more))


def test_intervals_hold_the_layer():
    hits = []
    for seed in range(12):
        export, truth = layered_export(list(SHAPES)[seed % 4], np.random.default_rng([50, seed]))
        own = deconvolved(export).sel(ion="MgF2-")
        known = own["deconvolved_flag"].values == ""
        inside = (own["deconvolved_lower"].values <= truth) & (truth <= own["deconvolved_upper"].values)
        hits.append(inside[known & (truth > 2.0 * truth.min())])
    assert np.concatenate(hits).mean() > 0.9


def test_a_peak_is_nearer_to_its_own_width_than_measured():
    ratios = []
    for seed in range(4):
        export, truth = layered_export("gaussian", np.random.default_rng([60, seed]))
        own = deconvolved(export).sel(ion="MgF2-")
        error = np.sqrt(np.nanmean((own["deconvolved"].values - truth) ** 2))
        ratios.append(error / np.sqrt(np.mean((own["intensity"].values - truth) ** 2)))
    assert np.median(ratios) < 0.95


def test_it_is_off_unless_asked_for_and_repeats():
    export, _ = layered_export("step", np.random.default_rng(1), scans=80)
    assert "deconvolved" not in reduce_profile(export, options("MgF2-", "V-")).variables
    first, second = deconvolved(export), deconvolved(export)
    assert first["deconvolved"].identical(second["deconvolved"])
    assert first.attrs["deconvolved_with"] == "V-"


def test_without_an_interface_the_reason_is_given():
    export, _ = layered_export("step", np.random.default_rng(1), scans=80)
    profile = reduce_profile(export, options("MgF2-", deconvolution="forward"))
    assert np.isnan(profile["deconvolved"].values).all()
    assert set(profile["deconvolved_flag"].values.ravel()) == {"no_interface"}


def test_the_blur_of_a_step_is_the_response():
    time = np.arange(0.0, 300.0)
    shape, sigma, passage = step_shape(2.0, 0.5, 0.3), 8.0, 120.0
    blur = blur_matrix(time, shape, sigma, passage)
    assert blur.sum(axis=1) == pytest.approx(np.ones(300), abs=1e-9)
    depth = (time - passage) / sigma
    depth = np.where(depth > 0, depth / 2.0, depth)
    # The substrate begins half a scan before the first scan that lies in it.
    expected = step_response(depth - (-0.5 / sigma), 0.5, 0.3)
    assert blur @ (time >= passage) == pytest.approx(expected, abs=1e-9)
