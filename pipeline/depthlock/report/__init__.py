"""Figures and the report, drawn from stage results. No number is computed here."""
