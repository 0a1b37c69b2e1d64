"""A training run's settings, figures and files -> MLflow, if it is there; knows no network and no data.

The store is a local SQLite file unless a tracking server is named. A store that fails never stops a training run.
MLflow's own usage reports are switched off.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hilum.durable import draft_beside, sync_folder

log = logging.getLogger(__name__)
EXPERIMENT = "hilum"
Dead = Callable[[str], bool]
_QUIET = {  # read by MLflow when it is first imported or called
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_LONGEST = 6000  # characters of a parameter that MLflow stores


class Run:
    """One run in the store; every method does nothing once the store has failed, or where there is none."""

    def __init__(self, client: Any = None, run_id: str = "") -> None:
        self._client, self.id = client, run_id

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Settings of the run, for example the lines of its plan."""
        for name, value in values.items():
            self._tell("log_param", name, str(value)[:_LONGEST])

    def on_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        """Figures of one epoch; give this to `train`."""
        for name, value in row.items():
            self._tell("log_metric", name, float(value), step=epoch)

    def figures(self, values: Mapping[str, float]) -> None:
        """Final figures."""
        for name, value in values.items():
            self._tell("log_metric", name, float(value))

    def tags(self, values: Mapping[str, str]) -> None:
        """Words to find the run by: data digest, package digest."""
        for name, value in values.items():
            self._tell("set_tag", name, value)

    def artifact(self, path: Path) -> None:
        """A file or a folder of the run."""
        self._tell("log_artifacts" if path.is_dir() else "log_artifact", str(path))

    def end(self, status: str) -> None:
        """Close the run: FINISHED, FAILED or KILLED."""
        self._tell("set_terminated", status)

    def _tell(self, verb: str, *arguments: Any, **named: Any) -> None:
        if self._client is None:
            return
        try:
            getattr(self._client, verb)(self.id, *arguments, **named)
        except _errors() as error:
            log.warning("the run is no longer tracked: %s", str(error).partition("\n")[0])
            self._client = None


def hush() -> None:
    """Before MLflow is imported: no reports to its maker, no long waits, no bars; what the environment says counts."""
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)


def store_uri(home: Path, environment: Mapping[str, str] | None = None) -> str:
    """MLFLOW_TRACKING_URI if it is set, else a SQLite file in `home`; "" or "off" tracks nothing."""
    found = os.environ if environment is None else environment
    return found.get("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'runs' / 'mlflow.db'}")


@contextmanager
def track(
    uri: str, name: str, *, note: Path | None = None, experiment: str = EXPERIMENT, dead: Dead = lambda _: False
) -> Iterator[Run]:
    """A run that ends with the block, as failed where it raises, as killed where it is stopped.

    A silent one where MLflow is not to be had.

    note: a file that keeps the run's id; whoever gives it again goes on with that run, unless it came to its end.
    dead: whether nobody works any more at the run of this id, which the store calls running.
    """
    run = _start(uri, name, note, experiment, dead)
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        run.end(status)


def _start(uri: str, name: str, note: Path | None, experiment: str, dead: Dead) -> Run:
    if uri in ("", "off"):
        return Run()
    hush()
    try:
        tracking = importlib.import_module("mlflow.tracking")
    except ModuleNotFoundError:
        log.info("MLflow is not installed: the run is not tracked")
        return Run()
    for loud in ("alembic", "mlflow"):
        logging.getLogger(loud).setLevel(logging.CRITICAL)  # what fails is said below, in a line
    try:
        with warnings.catch_warnings():  # MLflow's models of its tables warn about SQLAlchemy's future
            warnings.simplefilter("ignore")
            _make_store(tracking.MlflowClient, uri)
            client = tracking.MlflowClient(uri)
            place = _experiment(client, uri, experiment)
            _close(client, place, dead)
            run_id = _unfinished(client, note) or _created(client, place, name)
            if note is not None:
                note.write_text(run_id, encoding="utf-8")
            return Run(client, run_id)
    except _errors() as error:
        log.warning("the run is not tracked: %s", str(error).partition("\n")[0])
        return Run()


def _make_store(client: Callable[[str], Any], uri: str) -> None:
    """A new store beside its place, then there: half of its tables, left by a kill or a full disk, are no use ever."""
    file = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or "?" in uri or file.exists():
        return
    with draft_beside(file) as draft:
        client(f"sqlite:///{draft / file.name}").search_experiments(max_results=1)
        with suppress(OSError):  # another run was quicker; or a disk without hard links: it is made in its place then
            os.link(draft / file.name, file)
        sync_folder(file.parent)


def _created(client: Any, experiment: str, name: str) -> str:
    return str(client.create_run(experiment, run_name=name).info.run_id)


def _close(client: Any, experiment: str, dead: Dead) -> None:
    """A process that was killed could not say so."""
    for run in client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        if dead(run.info.run_id):
            client.set_terminated(run.info.run_id, "KILLED")


def _unfinished(client: Any, note: Path | None) -> str:
    """The run that the note names, begun again; "" where there is none, or it came to its end."""
    if note is None or not note.is_file():
        return ""
    try:
        info = client.get_run(note.read_text(encoding="utf-8")).info
    except importlib.import_module("mlflow.exceptions").MlflowException:  # of another store
        return ""
    if info.status == "FINISHED" or info.lifecycle_stage != "active":
        return ""
    client.update_run(info.run_id, status="RUNNING")
    return str(info.run_id)


def _experiment(client: Any, uri: str, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    local = Path(uri.removeprefix("sqlite:///")).parent if uri.startswith("sqlite:///") else None
    if local is None:
        return str(client.create_experiment(name))
    return str(client.create_experiment(name, artifact_location=(local.resolve() / "files").as_uri()))


def _errors() -> tuple[type[Exception], ...]:
    mlflow = importlib.import_module("mlflow.exceptions")
    database = importlib.import_module("sqlalchemy.exc")
    transport = importlib.import_module("requests.exceptions")
    return (mlflow.MlflowException, database.SQLAlchemyError, transport.RequestException, OSError)
