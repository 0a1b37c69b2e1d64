"""The known packages -> a list or one whole; pins and signs packages."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from hilum.errors import UsageError
from hilum.model.package import CARD, Package, as_read, open_package
from hilum.model.signature import sign
from hilum.registry.pins import Known, find_package, known_packages, looked_at, pin, trained_folder, trust
from hilum.settings import Settings

DESCRIPTION = "List the model packages, show one, trust one (--pin) or sign one (--sign)."
EXAMPLES = """examples:
  hilum models                                  what is there
  hilum models brain-tumor-mri                  one whole: its figures, its card
  hilum models --pin ./from-a-colleague         trust a package whose origin you know
  hilum models ./mine --sign private.pem        sign it; HILUM_SIGNING_KEY=public.pem checks it at load"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", nargs="?", metavar="REF", help="a package; none: list them")
    parser.add_argument("--pin", type=Path, metavar="DIR", help="trust this package on this installation")
    parser.add_argument("--sign", type=Path, metavar="KEY", help="sign REF with this private key (PEM)")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """List, show, pin or sign."""
    if arguments.pin:
        if arguments.model or arguments.sign:
            raise UsageError(
                "--pin DIR stands by itself, without REF and --sign: pin the package, then sign or show it"
            )
        return _pin(arguments.pin, settings, as_json=arguments.json)
    if not arguments.model:
        if arguments.sign:
            raise UsageError("--sign needs the package to sign: hilum models REF --sign KEY")
        known, damaged = looked_at(settings)
        for error in damaged:
            print(f"hilum models: {error}", file=sys.stderr)
        _list(known, as_json=arguments.json)
        return 1 if damaged else 0
    folder = find_package(arguments.model, settings)
    if arguments.sign:
        sign(folder, arguments.sign)
        print(json.dumps({"signed": str(folder)}) if arguments.json else f"signed {folder}")
        return 0
    return _show(open_package(folder, trust(settings)), as_json=arguments.json)


def _pin(given: Path, settings: Settings, *, as_json: bool) -> int:
    from hilum.flows.backed_up import check_openable

    check_openable(settings.home)
    folder = given.resolve()
    digest = pin(settings, folder, "pinned by hand")
    if as_json:
        print(json.dumps({"pinned": digest, "path": str(folder)}))
        return 0
    print(f"pinned {digest[:12]}  {given}")
    if not any(known.digest == digest for known in known_packages(settings)):
        package = open_package(folder, trust(settings))
        place = trained_folder(settings) / package.name / package.version
        print(f"it answers by its path: --model {given}\nto have it listed and served by its name, move it to {place}")
    return 0


def _list(known: tuple[Known, ...], *, as_json: bool) -> None:
    if as_json:
        rows = [{"name": k.name, "version": k.version, "digest": k.digest, "task": k.task, "origin": k.origin,
                 "path": str(k.folder)} for k in known]  # fmt: skip
        print(json.dumps(rows, indent=2))
    for k in known if not as_json else ():
        print(f"{k.reference:<36} {k.digest[:12]}  {k.origin:<8} {k.task}")
    if not known and not as_json:
        print("no packages yet: `hilum train SOURCE --task TASK` makes one")


def _show(package: Package, *, as_json: bool) -> int:
    if as_json:
        shown = {
            "name": package.name,
            "version": package.version,
            "digest": package.digest,
            "manifest": package.manifest,
            "plan": package.plan,
            "metrics": package.metrics,
            "calibration": package.calibration.to_json(),
        }
        print(json.dumps(shown, indent=2))
    else:
        print(f"{package.reference}  {package.digest}\n{package.folder}\n\n{as_read(package.read(CARD))}")
    return 0
