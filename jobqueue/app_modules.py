"""The modules of an application that a command line names, as in ``--import``."""

import importlib
import os
import sys
import traceback

from jobqueue import safe_text
from jobqueue.errors import JobQueueError


class AppImportError(JobQueueError):
    """A module of the application can't be imported; its ``__cause__`` is the error."""


def find_in_current_folder() -> None:
    """Have Python look for modules in the current folder, as ``python -m`` does.

    The script ``jobqueue`` lies in another folder, and Python looks there instead. With
    ``python -P`` and the like, it is not to look into either.
    """
    folder = os.getcwd()  # noqa: PTH109 - pathlib takes half a megabyte of memory
    if not sys.flags.safe_path and folder not in sys.path and "" not in sys.path:
        sys.path.insert(0, folder)


def import_module(name: str) -> None:
    """Import a module by its dotted name.

    Raises :class:`AppImportError`, which says why it can't be imported, and in which
    line.
    """
    try:
        importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if name.endswith(".py"):
            why = "give the module's dotted name"
        else:
            why = _reason(error)
        raise AppImportError(f"can't import {name}: {why}") from error


def _reason(error: BaseException) -> str:
    """Return why an import failed, and in which line."""
    text = safe_text.error_of(error)
    if isinstance(error, SyntaxError):  # it shows the file's name without its folder
        path = error.filename or ""
        name = os.path.basename(path)  # noqa: PTH119 - as above
        return text.replace(f"({name}, line ", f"({safe_text.one_line(path)}, line ")
    # The app's own line, not the line of jobqueue that refused it.
    *_, (file, line) = (
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] != "jobqueue"
    )
    if file.startswith("<frozen importlib"):
        return f"{text} ({_where_looked()})"
    return f"{text} ({file}, line {line})"


def _where_looked() -> str:
    """Return whether Python looks for modules in the current folder, and why not."""
    folder = os.getcwd()  # noqa: PTH109 - as above
    if folder in sys.path or "" in sys.path:
        return f"looked for from {folder}"
    if sys.flags.safe_path:
        return (
            "Python does not look into the current folder when it is started with -P, "
            "-I or PYTHONSAFEPATH"
        )
    return f"Python does not look into {folder}, as that is not in sys.path"
