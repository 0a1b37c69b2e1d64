"""The tables of dicom-anonymizer (BSD-3, `pip install dicom-anonymizer`) -> src/hilum/image/dicom/confidentiality.csv.

It reads PS3.15 Table E.1-1 from the standard's pages; here the newest of its tables becomes a data file, so that the
server carries neither the library nor an older edition.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from pydicom.datadict import keyword_for_tag

FILE = Path(__file__).resolve().parents[1] / "src" / "hilum" / "image" / "dicom" / "confidentiality.csv"
ACTIONS = {"D": "D", "Z": "Z", "X": "X", "U": "U", "Z_D": "D", "X_Z": "Z", "X_D": "D", "X_Z_D": "D", "X_Z_U_STAR": "U"}
DATABASES = "dicomanonymizer.dicom_anonymization_databases"


def main() -> int:
    """Write the file."""
    databases = importlib.import_module(DATABASES)
    newest = max(module.name for module in pkgutil.iter_modules(databases.__path__))
    table = importlib.import_module(f"{DATABASES}.{newest}")
    rows = {
        f"{tag[0]:04x}{tag[1]:04x},{action},{keyword_for_tag(tag)}"
        for name, action in ACTIONS.items()
        for tag in getattr(table, f"{name}_TAGS")
        if len(tag) == 2  # curves and overlays are whole groups: deidentify.py takes them out
    }
    edition = newest.removeprefix("dicomfields_")
    head = f"# DICOM PS3.15 {edition} Table E.1-1, Basic Profile. Written by scripts/write_confidentiality.py.\n"
    FILE.write_text(head + "# Where the standard leaves a choice, the action that keeps the object valid stands here.\n"
                    + "\n".join(sorted(rows)) + "\n", encoding="ascii")  # fmt: skip
    print(f"{len(rows)} attributes of {edition}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
