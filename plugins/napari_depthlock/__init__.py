"""The napari window of depthlock: views and edits of its results. No science is done here."""
