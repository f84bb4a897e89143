"""An expert's fit is drawn over ours where the file holds one, and nowhere else."""

from __future__ import annotations

import numpy as np
import xarray as xr

from depthlock.report.contents import Results
from depthlock.report.xps_figures import draw_stacks


def labels(fit: xr.Dataset) -> list[str]:
    figure = draw_stacks(fit, "sample")
    return [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]


def test_fit_in_the_file_is_drawn(results: Results) -> None:
    fit = results.dataset("B", "xps_deconvolve")
    assert fit is not None
    assert "fit in the file" not in labels(fit)
    expert = fit["model"] * 1.02
    assert labels(fit.assign(expert_envelope=expert)).count("fit in the file") == 1
    assert "fit in the file" not in labels(fit.assign(expert_envelope=expert * np.nan))
