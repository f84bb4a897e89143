import numpy as np
import pytest

from depthlock.tofsims.quasi_poisson import CountData, CountProblem, fit_counts, profile_interval, table


def line_problem(values, gain=1.0, floor=0.0, dispersion=1.0):
    x = np.linspace(0.0, 1.0, values.size)
    data = CountData(values, np.full(values.size, gain), np.full(values.size, floor), dispersion)
    rows = [(5.0, 0.0, 1e4, 0.0, np.inf, 1e-4), (0.0, -1e4, 1e4, 0.0, np.inf, 1e-4)]
    return CountProblem(lambda theta: np.maximum(theta[0] + theta[1] * x, 1e-9), data, table(rows))


def test_equals_the_poisson_maximum_of_a_general_optimiser():
    from scipy.optimize import minimize

    values = np.random.default_rng(0).poisson(np.linspace(3, 30, 40)).astype(float)
    problem = line_problem(values)
    fit = fit_counts(problem)

    def negative(theta):
        mean = problem.model(theta)
        return float(np.sum(mean - values * np.log(mean)))

    best = minimize(negative, [5.0, 5.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
    assert fit.converged
    assert fit.parameters == pytest.approx(best.x, abs=2e-3)


def test_a_constant_has_the_textbook_interval():
    data = CountData(np.full(1, 20.0), np.ones(1), np.zeros(1))
    problem = CountProblem(lambda theta: np.array([theta[0]]), data, table([(10.0, 0.01, 200.0, 0.0, np.inf, 1e-5)]))
    best = fit_counts(problem)
    low, high = profile_interval(problem, best, 0, 3.841)
    # Likelihood-ratio interval of 20 counts: 2 [mu - 20 - 20 ln(mu / 20)] = 3.841.
    assert best.parameters[0] == pytest.approx(20.0, rel=1e-5)
    for end in (low, high):
        assert 2 * (end - 20 - 20 * np.log(end / 20)) == pytest.approx(3.841, rel=0.05)
    assert low < 20 < high


def test_gain_floor_and_dispersion_scale_the_errors():
    values = np.full(60, 100.0)
    plain = fit_counts(line_problem(values)).covariance[0, 0]
    wide = fit_counts(line_problem(values, gain=2.0, floor=100.0, dispersion=1.5)).covariance[0, 0]
    assert wide / plain == pytest.approx(1.5 * 3.0, rel=1e-3)


def test_a_bound_holds_and_takes_no_part_in_the_covariance():
    values = np.linspace(30.0, 10.0, 30)
    problem = line_problem(values)
    limits = problem.parameters
    limits.lower[1] = -5.0
    fit = fit_counts(problem)
    assert fit.parameters[1] == pytest.approx(-5.0)
    assert not fit.free[1]
    assert fit.covariance[1, 1] == 0.0
