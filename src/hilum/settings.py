"""The environment, read once -> deployment knobs as one value; name, default and help stand in one row."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from hilum.errors import UsageError
from hilum.quota import cores

PATHS = ("HOME", "MODELS", "DATA", "SECRET_FILE", "IMAGES_URL", "PROGRESS_FILE", "SIGNING_KEY")
SQLITE = "sqlite:///"
# Who signs in; a password may hold / and ?, as SQLAlchemy reads it
SIGNED_IN = re.compile(r"(?<=://)[^:/@]*(?::[^@]*)?@(?:[^/?&]*@)?")
# That, or a port and a password behind the ?, as Redis reads it: nobody can tell, so nothing of it is shown
EITHER = re.compile(r"(?<=://)[^:/@]*:[^@]*\?[^@]*=[^@]*@.*", re.DOTALL)
# In DER, each with its tag: keys on elliptic curves, and the curves that model_signing knows (P-256, P-384, P-521)
EC_KEY = bytes.fromhex("06072a8648ce3d0201")
CURVES = tuple(map(bytes.fromhex, ("06082a8648ce3d030107", "06052b81040022", "06052b81040023")))
MOST_SERVE_WORKERS = 8  # the one event loop before them has little use for more
MOST_AT_ONCE, MOST = 1024, 10**15  # threads or processes, where one typed too many answers nothing; any other number


@dataclass(frozen=True, slots=True)
class Setting:
    """One knob: HILUM_<NAME>."""

    name: str
    default: str
    help: str


SETTINGS = (
    Setting(
        "HOME", "", "Folder for state: packages, pins, runs, unfolded networks. Empty: the platform's data folder."
    ),
    Setting("MODELS", "", "Folder of the shipped packages. Empty: the ones that came with the install."),
    Setting("DATA", "../shared/data", "Folder with real images, used by tests and benchmarks only."),
    Setting("THREADS", "0", "Threads for the network on one image. 0: one for each core, at most four."),
    Setting("WORKERS", "0", "Worker processes for folders of images. 0: one for each core."),
    Setting("MAX_PIXELS", "30000000", "Largest number of pixels of one image that is decoded."),
    Setting("MAX_BYTES", "268435456", "Largest file in bytes that is read."),
    Setting("MAX_FRAMES", "512", "Largest number of frames of one file that are read."),
    Setting("DATABASE_URL", "", "Records: sqlite:///FILE or postgresql://…. Empty: HOME/hilum.db."),
    Setting("IMAGES_URL", "", "Kept images: a folder, s3://, gs:// or az://. Empty: HOME/images."),
    Setting("CACHE_URL", "", "Answers that are asked for again: redis://…. Empty: in this process."),
    Setting("CACHE_BYTES", "67108864", "Largest size of the cache in this process."),
    Setting(
        "SECRET_FILE", "", "File with the secret that records, images and sessions hang on. Empty: HOME/secret.key."
    ),
    Setting(
        "KEEP_IMAGES", "yes", "Keep received images: yes (unless the caller says no), ask (only if it says yes), no."
    ),
    Setting("RETENTION_DAYS", "0", "Days after which images, names, notes and addresses are erased. 0: never."),
    Setting("AUTH", "off", "Who may ask: off (anyone on this machine; loopback only) or on (users and keys)."),
    Setting("RATE", "1200/minute;100000/day", "Requests of one user or key, with AUTH=on; limits parted by ;."),
    Setting(
        "PUBLIC_URL",
        "",
        "Address that browsers use, as https://hilum.example.org, without a path; needed behind a proxy and for OpenID "
        "Connect.",
    ),
    Setting("SESSION_MINUTES", "30", "Minutes without a request after which a browser is signed out."),
    Setting("SESSION_HOURS", "12", "Hours after which a browser is signed out in any case."),
    Setting(
        "OIDC_ISSUER", "", "OpenID Connect provider, as https://login.example.org/realms/x. Empty: passwords only."
    ),
    Setting("OIDC_CLIENT_ID", "", "Name of this server at the provider."),
    Setting("OIDC_CLIENT_SECRET", "", "Secret of this server at the provider."),
    Setting("OIDC_CLAIM", "groups", "Claim that decides the role."),
    Setting(
        "OIDC_ROLES", "", "Roles by value of the claim, as radiology=reviewer,ml=engineer,*=reader. No match: refused."
    ),
    Setting("SERVE_THREADS", "0", "Threads that answer where SERVE_WORKERS is 0. 0: one for each core."),
    Setting(
        "SERVE_WORKERS",
        "auto",
        "Processes that decode images and ask the networks, apart from the server, which then answers more requests a "
        "second and outlives a decoder that crashes. auto: one for each core, 8 at most, none where there is one core. "
        "0: threads of the server do it, which takes a fifth less memory.",
    ),
    Setting("QUEUE", "256", "Requests that may wait; one more is refused with 503."),
    Setting("DEADLINE_MS", "10000", "Longest wait in milliseconds before the work begins; later is refused with 504."),
    Setting("UPLOAD_BYTES", "67108864", "Largest body of a request in bytes."),
    Setting("TRACES_URL", "", "OpenTelemetry collector, as http://127.0.0.1:4318/v1/traces. Empty: no traces."),
    Setting("IMAGE_URL_HOSTS", "", "Hosts that image_url may name, with commas. Empty: image_url is off."),
    Setting("DATA_ROOTS", "", "Folders that requests may name, separated like PATH. Empty: none."),
    Setting("PROGRESS_FILE", "", "File to which long work also tells its progress, as JSON lines. Empty: nowhere."),
    Setting(
        "SIGNING_KEY", "", "Public key (PEM; P-256, P-384 or P-521) that signatures of packages are checked against."
    ),
)


NAMES = tuple(f"HILUM_{setting.name}" for setting in SETTINGS)
CLIENT = ("HILUM_URL", "HILUM_API_KEY")  # read by hilum.Client


@dataclass(frozen=True, slots=True)
class Settings:
    """All knobs, typed."""

    home: Path
    models: Path
    data: Path
    threads: int
    workers: int
    max_pixels: int
    max_bytes: int
    max_frames: int
    signing_key: Path | None
    progress_file: Path | None
    database_url: str
    images_url: str
    cache_url: str
    cache_bytes: int
    secret_file: Path
    keep_images: str
    retention_days: int
    auth: str
    rate: str
    public_url: str
    session_minutes: int
    session_hours: int
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str = field(repr=False)
    oidc_claim: str
    oidc_roles: str
    serve_threads: int
    serve_workers: int
    queue: int
    deadline_ms: int
    upload_bytes: int
    traces_url: str
    image_url_hosts: tuple[str, ...]
    data_roots: tuple[Path, ...]
    unheeded: tuple[str, ...] = ()  # names in the environment that look like settings and are none

    @property
    def heads(self) -> Path:
        """Where the checkpoints of the records stand outside the database, so that a cut end is seen."""
        return self.home / "journal.heads"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings once, at the door; what other processes are told of is named from the root on.

    Raises:
        UsageError: a value does not fit its kind; the message names the variable.
    """
    found = os.environ if environment is None else environment
    raw = {s.name: found.get(f"HILUM_{s.name}", s.default) or s.default for s in SETTINGS}
    for name in PATHS:  # a shell does so for what is typed, but neither systemd nor Compose
        raw[name] = os.path.expanduser(raw[name])  # noqa: PTH111  Path's own raises for a name that nobody has
    ours = cores()
    home = Path(raw["HOME"]).absolute() if raw["HOME"] else Path(platformdirs.user_data_dir("hilum", appauthor=False))
    return Settings(
        home=home,
        models=Path(raw["MODELS"]).absolute() if raw["MODELS"] else shipped_models(),
        data=Path(raw["DATA"]),
        threads=_number("THREADS", raw, most=MOST_AT_ONCE) or min(ours, 4),
        workers=_number("WORKERS", raw, most=MOST_AT_ONCE) or ours,
        max_pixels=_number("MAX_PIXELS", raw, least=1),
        max_bytes=_number("MAX_BYTES", raw, least=1),
        max_frames=_number("MAX_FRAMES", raw, least=1),
        signing_key=_public_key(raw),
        progress_file=Path(raw["PROGRESS_FILE"]) if raw["PROGRESS_FILE"] else None,
        database_url=_database(raw["DATABASE_URL"] or f"{SQLITE}{home / 'hilum.db'}"),
        images_url=raw["IMAGES_URL"] or str(home / "images"),
        cache_url=raw["CACHE_URL"],
        cache_bytes=_number("CACHE_BYTES", raw),
        secret_file=Path(raw["SECRET_FILE"]) if raw["SECRET_FILE"] else home / "secret.key",
        keep_images=_choice("KEEP_IMAGES", raw, ("yes", "ask", "no")),
        retention_days=_number("RETENTION_DAYS", raw),
        auth=_choice("AUTH", raw, ("off", "on")),
        rate=raw["RATE"],
        public_url=_origin("PUBLIC_URL", raw),
        session_minutes=_number("SESSION_MINUTES", raw, least=1),
        session_hours=_number("SESSION_HOURS", raw, least=1),
        oidc_issuer=_address("OIDC_ISSUER", raw),
        oidc_client_id=raw["OIDC_CLIENT_ID"],
        oidc_client_secret=raw["OIDC_CLIENT_SECRET"],
        oidc_claim=raw["OIDC_CLAIM"],
        oidc_roles=raw["OIDC_ROLES"],
        serve_threads=_number("SERVE_THREADS", raw, most=MOST_AT_ONCE) or ours,
        serve_workers=_serve_workers(raw, ours),
        queue=_number("QUEUE", raw, least=1),
        deadline_ms=_number("DEADLINE_MS", raw, least=1),
        upload_bytes=_number("UPLOAD_BYTES", raw, least=1),
        traces_url=_collector(raw),
        image_url_hosts=tuple(host.strip().lower() for host in raw["IMAGE_URL_HOSTS"].split(",") if host.strip()),
        data_roots=tuple(
            Path(os.path.expanduser(part))  # noqa: PTH111
            for part in raw["DATA_ROOTS"].split(os.pathsep)
            if part
        ),
        unheeded=tuple(sorted(name for name in found if name.startswith("HILUM_") and name not in (*NAMES, *CLIENT))),
    )


def warnings_of(settings: Settings) -> list[str]:
    """A sentence for what is set and does nothing: HILUM_AUHT=on would leave the server open without a word.

    No reason to refuse: Kubernetes gives each pod HILUM_PORT and more where a service is called hilum.
    """
    told = [f"{name} is no setting and changes nothing{_like(name)}" for name in settings.unheeded]
    told += [f"HILUM_DATA_ROOTS: {root} is not there" for root in settings.data_roots if not _is_there(root)]
    if settings.oidc_issuer and settings.auth == "off":
        told.append("HILUM_OIDC_ISSUER changes nothing without HILUM_AUTH=on")
    return told


def _is_there(root: Path) -> bool:
    return os.path.exists(root)  # noqa: PTH110  no error where one may not look


def _like(name: str) -> str:
    import difflib  # here: each `hilum predict` would wait for it otherwise

    near = difflib.get_close_matches(name.removeprefix("HILUM_"), [s.name for s in SETTINGS], n=1, cutoff=0.7)
    return f": is HILUM_{near[0]} meant?" if near else "; `hilum settings` lists those there are"


def shipped_models() -> Path:
    """The folder of the shipped packages: inside the wheel, or at the root of a checkout."""
    inside = Path(__file__).parent / "_models"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / "models"


def shipped_samples() -> Path:
    """The folder of the synthetic sample images: inside the wheel, or at the root of a checkout."""
    inside = Path(__file__).parent / "_samples"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / "samples"


def without_secrets(value: str) -> str:
    """A setting as it may be shown: of an address neither who signs in there nor what stands behind its ?."""
    if "://" not in value:
        return value
    return re.sub(r"[?&].*", "?…", SIGNED_IN.sub("…@", EITHER.sub("…", value)))


def _number(name: str, raw: Mapping[str, str], least: int = 0, most: int = MOST) -> int:
    try:
        value = int(raw[name])
    except ValueError as error:
        raise UsageError(f"HILUM_{name}={raw[name]!r}: a whole number is needed") from error
    if value < least:
        wrong = f"must be {least} or more: less lets nothing through" if least else "must not be negative"
        raise UsageError(f"HILUM_{name}={value}: {wrong}")
    if value > most:
        raise UsageError(f"HILUM_{name}={value}: must be {most:,} or less")
    return value


def _database(url: str) -> str:
    if not url.startswith(SQLITE):
        return url
    return SQLITE + os.path.expanduser(url.removeprefix(SQLITE))  # noqa: PTH111


def _public_key(raw: Mapping[str, str]) -> Path | None:
    """Looked at here: else it shows with the first signed package that it is none."""
    if not raw["SIGNING_KEY"]:
        return None
    file = Path(raw["SIGNING_KEY"]).absolute()
    try:
        _, begins, body = file.read_bytes().partition(b"-----BEGIN PUBLIC KEY-----")
    except OSError as error:
        raise UsageError(f"HILUM_SIGNING_KEY={file}: cannot be read ({error.strerror})") from error
    if not begins:
        raise UsageError(f"HILUM_SIGNING_KEY={file}: holds no public key (PEM, -----BEGIN PUBLIC KEY-----)")
    if not _is_elliptic(body.partition(b"-----END")[0]):
        raise UsageError(
            f"HILUM_SIGNING_KEY={file}: a key on an elliptic curve is needed (P-256, P-384 or P-521); "
            "RSA and Ed25519 sign no packages"
        )
    return file


def _is_elliptic(body: bytes) -> bool:
    """Whether the body of a PEM public key names a curve that packages are signed on (RFC 5480, 2.1)."""
    try:
        head = base64.b64decode(body)[:32]
    except ValueError:
        return False
    kind, _, curve = head.partition(EC_KEY)
    return len(kind) < 8 and curve.startswith(CURVES)


def _serve_workers(raw: Mapping[str, str], ours: int) -> int:
    if raw["SERVE_WORKERS"] != "auto":
        return _number("SERVE_WORKERS", raw, most=MOST_AT_ONCE)
    return min(ours, MOST_SERVE_WORKERS) if ours > 1 else 0


def _address(name: str, raw: Mapping[str, str]) -> str:
    value = raw[name].rstrip("/")
    parts = urlsplit(value)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))
    if value and not (safe and parts.netloc):
        raise UsageError(f"HILUM_{name}={value!r}: an https:// address is needed (http:// on this machine only)")
    return value


def _origin(name: str, raw: Mapping[str, str]) -> str:
    """An address as browsers name it in Host and Origin: no path, and no port that goes without saying."""
    value = _address(name, raw)
    parts = urlsplit(value)
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"HILUM_{name}={value!r}: the server needs a name of its own: write {parts.scheme}://name")
    return value.removesuffix(":443" if parts.scheme == "https" else ":80")


def _collector(raw: Mapping[str, str]) -> str:
    parts = urlsplit(raw["TRACES_URL"])
    if raw["TRACES_URL"] and not (parts.scheme in ("http", "https") and parts.hostname):
        raise UsageError(f"HILUM_TRACES_URL={raw['TRACES_URL']!r}: write for example http://127.0.0.1:4318/v1/traces")
    return raw["TRACES_URL"]


def _choice(name: str, raw: Mapping[str, str], choices: tuple[str, ...]) -> str:
    if raw[name] not in choices:
        raise UsageError(f"HILUM_{name}={raw[name]!r}: must be one of {', '.join(choices)}")
    return raw[name]
