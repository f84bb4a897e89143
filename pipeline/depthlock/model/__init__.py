"""What every room speaks of: the session, ions, units, dataset contracts, errors. Imports nothing of ours."""
