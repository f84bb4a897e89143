import numpy as np
import pytest
from scipy.special import ndtr

from depthlock.tofsims.interface import fit_interface
from depthlock.tofsims.quasi_poisson import CountData
from depthlock.tofsims.response import HIGH, INFORMATION, LOG_RATE_RATIO, LOG_WIDTH, LOW, MIXING, T50, ResponseModel

TIME = np.linspace(0.0, 400.0, 4001)


@pytest.mark.parametrize(("ratio", "mixing", "information"), [(1.0, 0.0, 0.0), (2.2, 0.5, 0.3), (0.5, 2.0, 0.6)])
def test_time_and_width_are_the_crossings_of_the_curve(ratio, mixing, information):
    theta = np.zeros(11)
    theta[[T50, LOG_WIDTH, LOG_RATE_RATIO]] = 180.0, np.log(40.0), np.log(ratio)
    theta[[MIXING, INFORMATION, LOW, HIGH]] = mixing, information, 20.0, 220.0
    share = (ResponseModel(TIME)(theta) - 20.0) / 200.0
    early, half, late = np.interp((0.15866, 0.5, 0.84134), share, TIME)
    assert half == pytest.approx(180.0, abs=0.1)
    assert late - early == pytest.approx(40.0, abs=0.2)


@pytest.mark.parametrize("plateau", [30.0, 300.0, 3000.0])
def test_where_counts_do_not_tell_a_shape_none_is_assumed(plateau):
    # Without noise, what is off is what the priors do: a Gaussian rise must not be drawn late by supposed mixing.
    time = np.arange(120.0)
    mean = plateau * (0.1 + 0.9 * ndtr((time - 60.0) / 6.0))
    found = fit_interface(time, CountData(mean, np.ones(120), np.zeros(120)), np.ones(120, dtype=bool))
    assert abs(found.time[0] - 60.0) < 0.1 * found.time[1]
    assert abs(found.width[0] - 12.0) < 0.15 * found.width[1]
