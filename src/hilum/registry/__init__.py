"""WHICH SPEAKS: which packages are known and trusted."""
