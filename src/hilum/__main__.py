"""`python -m hilum` -> the command line."""

from hilum.interfaces.cli.main import script

script()
