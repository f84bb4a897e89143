"""The smoothness prior."""

import numpy as np

from depthlock.fusion.layer_prior import MODES, bending_modes, log_profile


def test_modes_do_not_bend_the_line() -> None:
    modes = bending_modes(40)
    centre = (np.arange(40) + 0.5) / 40
    assert modes.shape == (40, MODES)
    np.testing.assert_allclose(modes.sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(centre @ modes, 0.0, atol=1e-12)


def test_random_bending_has_the_curvature_it_is_asked_for() -> None:
    # White second derivative of density tau^2: a second difference over h has variance tau^2 h^3 times 2/3.
    random = np.random.default_rng(1)
    rows = random.standard_normal((4000, MODES))
    curves = log_profile(np.zeros(4000), np.zeros(4000), rows, np.full(4000, np.log(3.0)), 40)
    h = 8 / 40
    second = curves[:, 28] - 2 * curves[:, 20] + curves[:, 12]
    assert abs(second.var() / (9.0 * h**3 * 2 / 3) - 1) < 0.08


def test_line_is_level_and_slope() -> None:
    curve = log_profile(np.array(1.0), np.array(-2.0), np.zeros(MODES), np.array(0.0), 20)
    np.testing.assert_allclose(curve, 1.0 - 2.0 * (np.arange(20) + 0.5) / 20 + 1.0)
