"""WHAT HAPPENED: append-only records of predictions, feedback and acts, chained; knows no image, network or role."""
