"""ANSWERS: a sealed package in, calibrated answers out; knows no torch."""
