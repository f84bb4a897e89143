"""Measured against true: how often intervals hold the truth, and whether wrong numbers were flagged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

KEYS = ["sample", "technique", "quantity", "target", "level"]

_PAIR_QUANTITIES = ("separation", "overlap", "interlocking")


def score(summary_csv: Path, truth_csv: Path) -> pd.DataFrame:
    """Join a run's summary with the truth, one row a measured number that has a truth.

    Parameters
    ----------
    summary_csv, truth_csv : Path
        `summary.csv` of a run and `truth.csv` of the simulated session.

    Returns
    -------
    DataFrame
        Columns of the summary, and `truth`, `error`, `relative_error`, `inside` (the 95 % interval holds the truth),
        `pull` (error over std), `flagged` (a reason is given, or no value) and `measured` (a value is given).
    """
    summary = _read(summary_csv)
    truth = _both_ways(_read(truth_csv)).rename(columns={"value": "truth"})[[*KEYS, "truth"]]
    table = summary.merge(truth, on=KEYS, how="inner", validate="one_to_one")
    for column in ("value", "std", "ci_low", "ci_high", "truth"):
        table[column] = pd.to_numeric(table[column])
    table["error"] = table["value"] - table["truth"]
    scale = table["truth"].abs().replace(0.0, np.nan)
    table["relative_error"] = table["error"] / scale
    # Printed numbers are rounded; a truth on the edge of an interval is inside it.
    slack = 1e-6 * table["truth"].abs()
    table["inside"] = (table["ci_low"] - slack <= table["truth"]) & (table["truth"] <= table["ci_high"] + slack)
    table["pull"] = table["error"] / table["std"].replace(0.0, np.nan)
    table["measured"] = table["value"].notna()
    table["flagged"] = (table["flag"] != "") | ~table["measured"]
    return table


def missing(summary_csv: Path, truth_csv: Path, quantities: tuple[str, ...] = ()) -> pd.DataFrame:
    """True numbers that the summary lacks, of some quantities or of all."""
    summary = _read(summary_csv)[KEYS]
    truth = _read(truth_csv)
    if quantities:
        truth = truth[truth["quantity"].isin(quantities)]
    joined = truth.merge(_both_ways(summary.assign(value="0")), on=KEYS, how="left", indicator=True)
    return joined.loc[joined["_merge"] == "left_only", KEYS].reset_index(drop=True)


def coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise `score` by technique and quantity.

    Returns
    -------
    DataFrame
        `numbers`, `measured`, `flagged` (shares), and of the numbers that are measured and not flagged `coverage`
        (share inside the interval), `median_error` (absolute), `median_relative_error` (absolute) and `pull_sd`;
        `silently_wrong` counts those further than four standard errors away.
    """
    rows = []
    for (technique, quantity), group in table.groupby(["technique", "quantity"]):
        good = group[group["measured"] & ~group["flagged"]]
        rows.append(
            {
                "technique": technique,
                "quantity": quantity,
                "numbers": len(group),
                "measured": float(group["measured"].mean()),
                "flagged": float(group["flagged"].mean()),
                "coverage": float(good["inside"].mean()) if len(good) else np.nan,
                "median_error": float(good["error"].abs().median()),
                "median_relative_error": float(good["relative_error"].abs().median()),
                "pull_sd": float(good["pull"].std()),
                "silently_wrong": int((good["pull"].abs() > 4.0).sum()),
            }
        )
    return pd.DataFrame(rows)


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, na_values={"value": [""], "std": [""]})


def _both_ways(truth: pd.DataFrame) -> pd.DataFrame:
    """Add every pair in the other order; the separation changes its sign."""
    pairs = truth[truth["quantity"].isin(_PAIR_QUANTITIES) & truth["target"].str.contains(",")].copy()
    halves = pairs["target"].str.split(",", n=1, expand=True)
    if not len(pairs):
        return truth
    pairs["target"] = halves[1] + "," + halves[0]
    turned = pairs["quantity"] == "separation"
    pairs.loc[turned, "value"] = [f"{-float(value):.8g}" for value in pairs.loc[turned, "value"]]
    return pd.concat([truth, pairs], ignore_index=True).drop_duplicates(KEYS, keep="first")
