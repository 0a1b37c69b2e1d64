"""Hilum: from a folder of labelled medical images to an audited, calibrated, packaged classifier."""

__version__ = "0.1.0"
