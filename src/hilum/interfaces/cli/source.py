"""The arguments that every command on labelled images shares -> an opened data set; knows no figure."""

from __future__ import annotations

import argparse
from dataclasses import replace

from hilum import bootstrap
from hilum.data.dataset import Dataset, Progress
from hilum.data.labels import with_task
from hilum.data.layouts.found import Columns
from hilum.data.source import open_source
from hilum.errors import printable
from hilum.flows.progress import Listener
from hilum.settings import Settings
from hilum.task import Task


def add_source_arguments(parser: argparse.ArgumentParser, *, source: str = "SOURCE") -> None:
    """Declare the source and what its table's columns are called."""
    parser.add_argument("source", metavar=source, help="class folders, images + CSV, .npz, archive, s3:// https:// …")
    parser.add_argument("--image-column", metavar="NAME", help="column of the table that names the image")
    parser.add_argument("--label-column", metavar="NAME", help="column of the table that holds the class")
    parser.add_argument("--group-column", metavar="NAME", help="column of the table that holds the patient")


def open_labelled(
    arguments: argparse.Namespace, settings: Settings, listener: Listener, task: Task | None = None
) -> Dataset:
    """Open the source named on the command line, with the task's own words where there is a task."""
    listener.stage(f"reading {printable(arguments.source)}")
    columns = Columns(image=arguments.image_column, label=arguments.label_column, group=arguments.group_column)
    dataset = open_source(arguments.source, columns=columns, cache=settings.home / "cache", progress=counted(listener))
    within = replace(dataset, limits=bootstrap.limits(settings))  # as of what is served
    return with_task(within, task) if task else within


def counted(listener: Listener) -> Progress:
    """The listener as the data room calls it."""
    return listener.done
