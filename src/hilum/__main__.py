"""`python -m hilum` -> the command line."""

from __future__ import annotations

import sys

from hilum.interfaces.cli.main import main

sys.exit(main())
