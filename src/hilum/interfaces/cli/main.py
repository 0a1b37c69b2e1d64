"""argv -> one command's module -> an exit code; imports nothing heavy until the command is known.

Exit codes: 0 done (a refusal too), 1 the thing checked is bad, 2 wrong use, 3 some input was unreadable.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import importlib
import io
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from hilum import __version__

# name -> (module, one line). Ordered as a user meets them.
COMMANDS = {
    "predict": ("hilum.interfaces.cli.predict", "classify images, folders, DICOM files"),
    "audit": ("hilum.interfaces.cli.audit", "find copies, leaks, conflicts and shortcuts in a data set"),
    "prepare": ("hilum.interfaces.cli.prepare", "write a cleaned copy of a data set"),
    "train": ("hilum.interfaces.cli.train", "audit, split, plan, train, calibrate, evaluate and seal a package"),
    "compare": ("hilum.interfaces.cli.compare", "train several networks on one split and show them side by side"),
    "evaluate": ("hilum.interfaces.cli.evaluate", "measure a package on labelled images"),
    "export": ("hilum.interfaces.cli.export", "write a package as ONNX, MONAI bundle or MLflow model"),
    "models": ("hilum.interfaces.cli.models", "list, show, pin and sign packages"),
    "promote": ("hilum.interfaces.cli.promote", "let a package speak for its task, with a reason on record"),
    "rollback": ("hilum.interfaces.cli.rollback", "let the package that spoke before speak again"),
    "history": ("hilum.interfaces.cli.history", "who spoke for which task since when, and why"),
    "serve": ("hilum.interfaces.cli.serve", "answer over HTTP and in the browser; every answer is on record"),
    "feedback": ("hilum.interfaces.cli.feedback", "say whether a recorded answer was right"),
    "verify": ("hilum.interfaces.cli.verify", "check that no record was changed and every kept image is there"),
    "replay": ("hilum.interfaces.cli.replay", "answer a recorded prediction again: is it the same?"),
    "erase": ("hilum.interfaces.cli.erase", "erase images, names and notes of predictions"),
    "backup": ("hilum.interfaces.cli.backup", "copy everything that is kept here while the server goes on"),
    "restore": ("hilum.interfaces.cli.restore", "check a backup and make an installation of it again"),
    "tasks": ("hilum.interfaces.cli.tasks", "list and show the clinical questions"),
    "users": ("hilum.interfaces.cli.users", "who may ask: users, roles, one-time links, API keys"),
    "settings": ("hilum.interfaces.cli.settings", "show every setting and where it comes from"),
}

EXTRAS = {
    "audit": "data",
    "prepare": "data",
    "evaluate": "data",
    "train": "learn",
    "compare": "learn",
    "export": "learn",
}  # what the light install lacks for them

RESUMES = ("train", "compare")
# what these have half made, or said is running, must not stay so
TIDY = (*RESUMES, "prepare", "export", "backup", "restore", "erase")
GOES_ON = "; give the same command again and it goes on where it was"
AFTERWARDS = dict.fromkeys(RESUMES, GOES_ON) | {
    "erase": "; what it has begun is finished by the next erasure, or by a server within the hour"
}
ANSWERS = ("predict", "serve", "replay")  # one network a core: idle threads of OpenBLAS would only spin beside them
INSTEAD = {"tune": "hilum train SOURCE --task T --tune 20"}
DISK = {
    errno.ENOSPC: "no space is left on the disk it is written to: make room, or name a place on another one "
    "(HILUM_HOME, --out, --report)",
    errno.EDQUOT: "your share of the disk it is written to is used up: make room, or name a place on another one "
    "(HILUM_HOME, --out, --report)",
    errno.EFBIG: "it would be larger than this disk, or a limit of yours (ulimit -f), lets a file be: name a place on "
    "another one, or a folder instead of one file",
    errno.EIO: "the disk reports that it cannot read or write it: look at the disk",
    errno.EROFS: "this disk is read-only: set HILUM_HOME, or --out, to a folder that can be written",
    errno.EACCES: "it may not be read or written: look at its owner and rights",
    errno.ENOENT: "it is not there, and cannot be made there: name another place (HILUM_HOME, --out, --report)",
    errno.ENOTDIR: "a file lies where a folder must be: name another place",
    errno.EEXIST: "a file lies where a folder must be: name another place",
    errno.EISDIR: "a folder lies where a file must be: name another place",
    errno.ENAMETOOLONG: "longer than a file's name can be: name another place, or each file by itself, or give a list "
    "of them to `hilum predict -` on stdin",
    errno.EPERM: "it may not be read or written: look at its owner and rights",
}

# names that are no UTF-8 come in as the system has them; a terminal without our letters shows their numbers
STREAMS = {"stdin": "surrogateescape", "stdout": "backslashreplace", "stderr": "backslashreplace"}
LONGEST = 400  # letters of a path in a sentence
DONE, BAD, WRONG_USE, UNREADABLE = 0, 1, 2, 3
MAY_BE_EMPTY = ("--note", "--why")  # a note may be; a reason that is says itself that it must not be


def script() -> NoReturn:
    """What the installed `hilum` runs: main, and then the process ends.

    `hilum predict` ends without taking its interpreter apart, which takes longer than the answer: once all is written
    and nothing else runs, there is nothing left to put in order.
    """
    os.environ["PYTHONSAFEPATH"] = "1"  # of the processes it starts: a data set stood in may hold a signal.py
    code = main()
    running = sys.modules["threading"].active_count() if "threading" in sys.modules else 1
    if sys.argv[1:2] == ["predict"] and running == 1 and "multiprocessing" not in sys.modules:
        with contextlib.suppress(OSError, ValueError):  # who reads is gone, or the disk full: said by the usual end
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else "--help"
    if name == "help" and arguments[1:] and arguments[1] in COMMANDS:
        name, arguments = arguments[1], [arguments[1], "--help"]
    if name in COMMANDS:
        return _run(name, arguments[1:])
    if name in ("-h", "--help", "help"):
        return _printed(overview())
    if name in ("-V", "--version"):
        return _printed(f"hilum {__version__}")
    print(f"hilum: no command '{name}'{_nearest(name)}; `hilum --help` lists them", file=sys.stderr)
    return WRONG_USE


def overview() -> str:
    """What `hilum --help` prints."""
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {line}" for name, (_, line) in COMMANDS.items())
    return f"""hilum {__version__}: from a folder of labelled medical images to an audited, calibrated classifier.
Research use only, not a medical device.

usage: hilum COMMAND …        hilum COMMAND --help tells more

{rows}

examples:
  hilum predict scan.dcm                         what does this image show?
  hilum audit my-images/ --report audit/         is this data set sound?
  hilum train my-images/ --task pneumonia-cxr    learn from it

exit code: 0 done (a refusal is an answer), 1 what was looked at is bad, or it failed, 2 wrong use,
3 some input cannot be read, 130 stopped; a command that means more by one says so in its --help
"""


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of one command, also for the generated reference."""
    module = importlib.import_module(COMMANDS[name][0])
    parser = argparse.ArgumentParser(
        prog=f"hilum {name}",
        description=module.DESCRIPTION,
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser


def _run(name: str, arguments: list[str]) -> int:
    from hilum.errors import HilumError, InputError, UsageError, printable_lines
    from hilum.settings import read_settings

    _ready_streams()
    if name in ANSWERS:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported, by workers too
    try:
        with _told_to_end(name), _opening(name):  # from the first import on: PyTorch's take seconds
            gc.disable()  # nothing that an import makes is garbage: looking for it costs a tenth of the start
            module = importlib.import_module(COMMANDS[name][0])
            gc.freeze()
            gc.enable()
            _check_said(arguments)
            code = _code(lambda: module.run(parser_of(name).parse_args(arguments), read_settings()))
        sys.stdout.flush()  # a full disk, or a reader who is gone, is met here and not when the interpreter ends
        return code
    except HilumError as error:
        print(f"hilum {name}: {printable_lines(str(error))}", file=sys.stderr)
        return UNREADABLE if isinstance(error, InputError) else WRONG_USE if isinstance(error, UsageError) else BAD
    except KeyboardInterrupt:
        print(f"hilum {name}: stopped{AFTERWARDS.get(name, '')}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader went away, as `| head` does
        _let_go()
        return DONE
    except OSError as error:
        if error.errno not in DISK:
            raise
        print(f"hilum {name}: {_place_of(error)}{DISK[error.errno]}", file=sys.stderr)
        _let_go()
        return WRONG_USE if error.errno == errno.ENAMETOOLONG else BAD


def _code(work: Callable[[], int]) -> int:
    try:
        return int(work())
    except SystemExit as leaving:  # argparse, after it has said why
        return int(leaving.code or 0)


def _printed(text: str) -> int:
    """Print what needs no command."""
    _ready_streams()
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _let_go()
    except OSError as error:
        print(f"hilum: {_place_of(error)}{DISK.get(error.errno or 0, error.strerror)}", file=sys.stderr)
        _let_go()
        return BAD
    return DONE


def _let_go() -> None:
    """Write what was printed, or forget it: the interpreter would try again at its end, and end in a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_said(arguments: Sequence[str]) -> None:
    """An empty word is a shell's variable that is not set: `--against ""` would compare with nothing, without a word.

    Raises:
        UsageError: there is one where something must be named.
    """
    from hilum.errors import UsageError

    for before, word in zip(["", *arguments], arguments, strict=False):
        option, equals, value = word.partition("=")
        said, empty = (option, equals and not value) if word.startswith("--") else (before, not word)
        if empty and said not in MAY_BE_EMPTY:
            where = f"{said}: " if said.startswith("--") else ""
            raise UsageError(f"{where}an empty word names nothing: is a variable of the shell not set?")


def _ready_streams() -> None:
    """All three open, though who started us may have closed them, and none that stops at a letter it cannot take."""
    for name, errors in STREAMS.items():
        if getattr(sys, name) is None:  # takes the number that is free: else a database may, and be printed into
            opened = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(opened, True)
            setattr(sys, name, os.fdopen(opened, "r" if name == "stdin" else "w", encoding="utf-8"))
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(io.UnsupportedOperation):  # a program that calls us has read some of it already
                stream.reconfigure(errors=errors)


def _place_of(error: OSError) -> str:
    """The path that an error names and a colon; of a whole list that was given as one name, its beginning."""
    from hilum.errors import printable

    name = error.filename2 or error.filename or (_full_output() if error.errno == errno.ENOSPC else "")
    if not name:
        return ""
    where = printable(str(name))
    return f"{where[:LONGEST]}…: " if len(where) > LONGEST else f"{where}: "


def _full_output() -> str:
    """The file that stdout is sent to, where the disk below it has no room left: a print names no file."""
    with contextlib.suppress(OSError, ValueError):  # closed; or no Linux
        output = sys.stdout.fileno()
        if stat.S_ISREG(os.fstat(output).st_mode) and not os.fstatvfs(output).f_bavail:
            return os.readlink(f"/proc/self/fd/{output}")  # noqa: PTH115 - pathlib is not for --help
    return ""


@contextlib.contextmanager
def _told_to_end(name: str) -> Iterator[None]:
    """SIGTERM, as a server, a batch system or a shutdown sends it, ends a command like Ctrl+C; a second one at once."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise KeyboardInterrupt

    if name in TIDY and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        with contextlib.suppress(ValueError):  # called from a thread: signals are for the main one
            signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def _opening(name: str) -> Iterator[None]:
    """Say which extra a command needs where the install is the light one."""
    from hilum.errors import MissingExtra

    try:
        yield
    except ModuleNotFoundError as error:
        if name not in EXTRAS or (error.name or "hilum").startswith("hilum"):
            raise
        raise MissingExtra(f"`hilum {name}`", EXTRAS[name]) from error


def _nearest(name: str) -> str:
    import difflib

    if name in INSTEAD:
        return f" (it is an option: `{INSTEAD[name]}`)"
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
