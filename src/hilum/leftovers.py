"""A path inside a folder, a bucket or a zip -> whether a system or a drive left it there for itself; knows no image."""

from __future__ import annotations

FILES = frozenset((".ds_store", "thumbs.db", "desktop.ini", "dicomdir"))
# also what drives and their servers keep of their own: thumbnails, what was thrown away
FOLDERS = frozenset((
    ".ipynb_checkpoints", "__macosx", ".git", ".dvc", "__pycache__", "@eadir", "#recycle", "$recycle.bin",
    ".appledouble", "system volume information", "lost+found", ".trash", ".trashes", ".thumbnails",
))  # fmt: skip
TRASH = ".trash-"  # and the number of a user: where desktops of Linux put what was thrown away on another drive


def is_left_over(path: str) -> bool:
    """Whether nobody put this file there, by its name and those of its folders (`a/b/` is a folder)."""
    *folders, name = path.lower().split("/")
    kept = not FOLDERS.isdisjoint(folders) or any(folder.startswith(TRASH) for folder in folders)
    return kept or name in FILES or name.startswith("._")


def is_hidden(path: str) -> bool:
    """Whether its name, or that of a folder it lies in, begins with a dot: a program's own place, never a class."""
    return any(part.startswith(".") and part not in (".", "..") for part in path.split("/"))
