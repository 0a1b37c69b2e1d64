"""A package -> the same model as plain ONNX, MONAI bundle or MLflow model."""

from __future__ import annotations

import argparse
from pathlib import Path

from hilum.interfaces.cli.train import quiet_libraries
from hilum.learn.export import export
from hilum.model.package import open_package
from hilum.registry.pins import find_package, trust
from hilum.settings import Settings

DESCRIPTION = "Write a package in a form that other tools read. Research use only, not a medical device."
EXAMPLES = """examples:
  hilum export brain-tumor-mri --to onnx --out brain.onnx
  hilum export pneumonia-cxr --to monai-bundle --out pneumonia_cxr
  hilum export ./mine --to mlflow --out mlflow-model"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="REF", help="name, name@version, digest prefix or path of a package")
    parser.add_argument("--to", required=True, choices=("onnx", "monai-bundle", "mlflow"), help="which form")
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help="where it goes")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Export the package."""
    quiet_libraries()
    package = open_package(find_package(arguments.model, settings), trust(settings))
    print(export(package, arguments.to, arguments.out))
    return 0
