"""``--reload``, for development: a process ends when the code of its tasks changes.

The supervisor then starts another in its place, as after ``--max-jobs``, and that one
imports the new code. Code that can't be imported is waited out in the process that has
tried, so that nothing starts again and again. The extra ``jobqueue[reload]`` installs
what this needs.
"""

import _thread
import importlib.util
import logging
import os
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn, Self

import watchfiles

from jobqueue.worker.exits import exit_now
from jobqueue.worker.patched import has_real_threads
from jobqueue.worker.reporting import process_log

_CLOSE_TIMEOUT = 1.0  # seconds
_FIRST_LOOK = 500  # milliseconds, until all folders are watched


class Sources(NamedTuple):
    """Source files: those of some packages' folders, and single ones."""

    folders: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()

    @classmethod
    def named(cls, modules: Iterable[str]) -> Self:
        """Return the sources of the packages that modules lie in, importing none.

        One that is not there may appear in the current folder.
        """
        folders: set[str] = set()
        files: set[str] = set()
        for name in {module.partition(".")[0] for module in modules}:
            spec = None
            with suppress(ImportError, ValueError):  # not a module's name
                spec = importlib.util.find_spec(name)
            if spec is None:
                path = os.path.abspath(name)  # noqa: PTH100 - as sys.modules has them
                folders.add(path)
                files.add(f"{path}.py")
            elif spec.submodule_search_locations is not None:
                folders.update(spec.submodule_search_locations)
            elif spec.origin is not None:
                files.add(spec.origin)
        return cls(frozenset(folders), frozenset(files))

    @classmethod
    def imported(cls) -> Self:
        """Return those of the packages imported so far that are not installed."""
        folders: set[str] = set()
        files: set[str] = set()
        for name, module in sys.modules.copy().items():
            if "." in name or name in _NOT_THE_APPLICATION:
                continue
            path, file = getattr(module, "__path__", None), _file_of(module)
            if path is not None:
                folders.update(p for p in path if not _is_installed(p))
            elif file is not None and not _is_installed(file):
                files.add(file)
        return cls(frozenset(folders), frozenset(files))

    @classmethod
    def blamed(cls, error: BaseException) -> Self:
        """Return those that an error comes from, or that it misses."""
        files: set[str] = set()
        missing: set[str] = set()
        found: BaseException | None = error
        while found is not None:
            if isinstance(found, SyntaxError) and found.filename is not None:
                files.add(os.path.abspath(found.filename))  # noqa: PTH100 - as above
            if isinstance(found, ModuleNotFoundError) and found.name is not None:
                missing.add(found.name)
            frames = traceback.walk_tb(found.__traceback__)
            files.update(frame.f_code.co_filename for frame, _ in frames)
            found = found.__cause__
        absent = cls.named(missing)
        own = (file for file in files if not _is_installed(file))
        return cls(absent.folders, absent.files | set(filter(os.path.isfile, own)))

    def has(self, path: str) -> bool:
        """Return whether a file is one of these, and no editor's own."""
        name = os.path.basename(path)  # noqa: PTH119 - it is called for each file
        if not name.endswith(".py") or name.startswith("."):
            return False
        return path in self.files or any(
            path.startswith(f"{folder}{os.sep}") for folder in self.folders
        )

    def without(self, known: "Sources") -> "Sources":
        """Return those of these that are not known yet."""
        return Sources(self.folders - known.folders, self.files - known.files)

    def resolved(self) -> "Sources":
        """Return these without symbolic links, as some systems report changes."""
        return Sources(
            frozenset(map(os.path.realpath, self.folders)),
            frozenset(map(os.path.realpath, self.files)),
        )

    def paths(self) -> Iterator[str]:
        """Yield each file that there is."""
        yield from self.files
        for folder in self.folders:
            for where, _, names in os.walk(folder):
                for name in names:
                    path = os.path.join(where, name)  # noqa: PTH118 - as above
                    if self.has(path):
                        yield path


class Reloader:
    """Watches the source files of this process, and tells the first change of any.

    A file that is written anew with the same text has not changed: editors and what
    generates code do that.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        # A compiled file counts as new if it is as old as its source, in seconds: of
        # two quick edits, the second would be lost.
        sys.dont_write_bytecode = True
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        self._lock = threading.Lock()
        self._change = ""
        self._has_changed = threading.Event()
        self._on_change: Callable[[str], object] = lambda _: None
        self._closing = threading.Event()
        self._followed: list[_thread.LockType] = []  # each is free when a thread ends
        self._sources = Sources()
        self._missing: set[str] = set()  # folders
        self._contents: dict[str, int | None] = {}
        self._watch(Sources.named(modules))

    def pass_on_to(self, on_change: Callable[[str], object]) -> None:
        """Watch all that is imported now, and call this at a change, also an earlier.

        It is given what to log, and called once, from another thread at that.
        """
        self._watch(Sources.imported())
        with self._lock:
            self._on_change = on_change
            change = self._change
        if change:
            on_change(change)

    def wait_out(self, error: Exception, then: Callable[[], object]) -> NoReturn:
        """Log why the code can't be used, wait for a change, and end the process."""
        self._watch(Sources.imported())
        self._watch(Sources.blamed(error))
        process_log.code_is_unusable(str(error))
        self._has_changed.wait()
        process_log.code_has_changed(self._change)
        then()
        exit_now()

    def close(self) -> None:
        """End the threads: as the interpreter ends, they could not."""
        self._closing.set()
        for end in self._followed:
            end.acquire(timeout=_CLOSE_TIMEOUT)

    def _watch(self, sources: Sources) -> None:
        new = sources.resolved().without(self._sources)
        self._sources = Sources(
            self._sources.folders | new.folders, self._sources.files | new.files
        )
        for path in new.paths():
            self._contents.setdefault(path, _content(path))
        if not has_real_threads():  # a greenlet would hold up all others
            return
        there = {folder for folder in new.folders if os.path.isdir(folder)}  # noqa: PTH112
        self._missing |= new.folders - there
        # A package may appear, and a file may be replaced by a renamed one: so their
        # folders are watched, without what lies below.
        beside = {os.path.dirname(path) for path in {*new.files, *new.folders - there}}  # noqa: PTH120
        for folders, recursive in ((there, True), (beside, False)):
            found = sorted(filter(os.path.isdir, folders))
            if found:
                end = _thread.allocate_lock()
                end.acquire()
                self._followed.append(end)
                # Not by threading, as for ParentWatch.
                _thread.start_new_thread(self._follow, (found, recursive, end))

    def _follow(
        self,
        folders: Sequence[str],
        recursive: bool,  # noqa: FBT001 - _thread passes no names
        end: _thread.LockType,
    ) -> None:
        try:
            is_first = True
            for changes in watchfiles.watch(
                *folders,
                watch_filter=lambda _, path: self._may_matter(path),
                stop_event=self._closing,
                rust_timeout=_FIRST_LOOK,
                yield_on_timeout=True,
                recursive=recursive,
                raise_interrupt=False,
            ):
                if changes:
                    self._look_at({path for _, path in changes})
                elif is_first:  # for what changed before the system watched it
                    found = self._sources.paths()
                    self._look_at({*found, *self._contents, *self._missing})
                    is_first = False
        except Exception as error:  # noqa: BLE001 - such as the system's limit of watches
            process_log.code_is_not_watched(error)
        finally:
            end.release()

    def _look_at(self, paths: Iterable[str]) -> None:
        changed = [path for path in sorted(paths) if self._is_changed(path)]
        if changed:
            self._tell(changed)

    def _may_matter(self, path: str) -> bool:
        return self._sources.has(path) or path in self._missing

    def _is_changed(self, path: str) -> bool:
        if path in self._missing:
            return os.path.isdir(path)  # noqa: PTH112 - as above
        return _content(path) != self._contents.get(path)

    def _tell(self, paths: Sequence[str]) -> None:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        with self._lock:
            if self._change:
                return
            self._change = f"{os.path.relpath(paths[0])}{more} changed"
            on_change = self._on_change
        self._has_changed.set()
        on_change(self._change)


_NOT_THE_APPLICATION = {"__main__", "__mp_main__", "jobqueue"}
_INSTALLED = [f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages")]
_STDLIB = tuple(
    f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib")
)


def _file_of(module: object) -> str | None:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None


def _is_installed(path: str) -> bool:
    """Return whether a file or folder is Python's own, or was installed by ``pip``."""
    return path.startswith(_STDLIB) or any(name in path for name in _INSTALLED)


def _content(path: str) -> int | None:
    """Return a number that is another for another text; None without a file."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return hash(file.read())
    except OSError:
        return None
