"""TOF-SIMS: from ions on a flight-time axis to calibrated, dead-time corrected depth profiles with errors."""
