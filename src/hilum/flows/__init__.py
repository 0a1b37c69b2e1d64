"""The arrows: each flow is one function that reads like its line in the design."""
