"""The npm registry -> the browser libraries that ship with Hilum, exact versions with checked hashes; nothing is built.

python scripts/vendor_web.py            fetch again and write src/hilum/interfaces/web/static/vendor
python scripts/vendor_web.py --check    only compare what lies there with the hashes below (no network)
"""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[1] / "src/hilum/interfaces/web/static/vendor"
REGISTRY = "https://registry.npmjs.org"


@dataclass(frozen=True)
class Library:
    """One package of the registry; `integrity` is the registry's own SHA-512 of the archive.

    files: path in the archive -> (name here, SHA-256 of the file).
    """

    name: str
    version: str
    licence: str
    integrity: str
    files: dict[str, tuple[str, str]]

    @property
    def address(self) -> str:
        """Where the archive lies."""
        return f"{REGISTRY}/{self.name}/-/{self.name}-{self.version}.tgz"


LIBRARIES = (
    Library(
        name="htmx.org",
        version="4.0.1",
        licence="0BSD",
        integrity="oF7JgXhDW9UXCy/k1ZYFUQgzu/rm19ORWPSPNL91vPluB2PB9+MV55tyQdH/w7o2EAbTYUG5SDW1R60mdkdqGg==",
        files={
            "package/dist/htmx.min.js": (
                "htmx.min.js",
                "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
            ),
            "package/LICENSE": ("htmx.LICENSE.txt", "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38"),
        },
    ),
    Library(
        name="openseadragon",
        version="6.1.1",
        licence="BSD-3-Clause",
        integrity="g4iKe2q8B642SaBT3+x4ZF3/8b1TxPPydyjmtrOLgDrlYWMKd9ZXM+1Cb/xa9DVySkvs/7l6HR1nHKfD5F3Tsw==",
        files={
            "package/build/openseadragon/openseadragon.min.js": (
                "openseadragon.min.js",
                "c9ccf7c684b5bff10263b9a95d1a1ec0a76de8cf8a3727e11e5b88fb65125199",
            ),
            "package/LICENSE.txt": (
                "openseadragon.LICENSE.txt",
                "17da96b26ac706d2cbd06d4555dedb43026782f4943faf0156fe7acf89454228",
            ),
        },
    ),
)


def main() -> int:
    """Fetch or check; 1 where a hash does not fit."""
    if "--check" not in sys.argv[1:]:
        VENDOR.mkdir(parents=True, exist_ok=True)
        for library in LIBRARIES:
            for name, content in fetched(library).items():
                (VENDOR / name).write_bytes(content)
    wrong = [name for library in LIBRARIES for name, digest in library.files.values() if hashed(name) != digest]
    for name in wrong:
        print(f"{name}: sha256 {hashed(name)} is not the one in this script", file=sys.stderr)
    return int(bool(wrong))


def fetched(library: Library) -> dict[str, bytes]:
    """Name here -> content, out of an archive whose hash fits."""
    with urllib.request.urlopen(library.address, timeout=60) as answer:
        archive = answer.read()
    found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != library.integrity:
        raise SystemExit(f"{library.address}: sha512 {found} is not the one in this script")
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
        return {name: _content(members, path) for path, (name, _) in library.files.items()}


def _content(members: tarfile.TarFile, path: str) -> bytes:
    file = members.extractfile(path)
    if file is None:
        raise SystemExit(f"{path}: not a file of the archive")
    content = file.read()
    # the archives' source maps are not shipped, so no browser is to ask for them
    return b"\n".join(line for line in content.split(b"\n") if not line.startswith(b"//# sourceMappingURL="))


def hashed(name: str) -> str:
    """SHA-256 of a file as it lies here; empty where it is missing."""
    file = VENDOR / name
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


if __name__ == "__main__":
    raise SystemExit(main())
