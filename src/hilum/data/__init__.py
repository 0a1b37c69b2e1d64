"""CASES: any layout of labelled images in; cases, copies, groups and splits out; `places` alone know the network."""
