"""The origin of a task in the source, and how two tasks of one name are related."""

import enum
import os
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from types import CodeType, FrameType

    CodeRef = weakref.ReferenceType[CodeType]

_COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>"}  # frames up to Python 3.11


class Relation(enum.Enum):
    """How a task is related to an earlier one of the same name."""

    RUN_AGAIN = enum.auto()
    """Its source has run again, perhaps edited: the earlier task is an old version."""
    MADE_AGAIN = enum.auto()
    """The same lines have made another function: a factory's second application."""
    ANOTHER = enum.auto()
    """It is another task."""


class _Module(NamedTuple):
    """A module, or another namespace that code ran in, and how it was loaded."""

    names: Mapping[str, object]
    loaded_as: object  # its spec: another one after a reload

    @classmethod
    def of(cls, names: Mapping[str, object]) -> "_Module":
        return cls(names, names.get("__spec__"))

    def is_loaded_again(self, earlier: "_Module") -> bool:
        return (
            self.names is not earlier.names or self.loaded_as is not earlier.loaded_as
        )

    def is_typed(self, file: str) -> bool:
        """Return whether code came from a prompt, or from a cell of a notebook."""
        if self.names.get("__name__") != "__main__":
            return False
        own = self.names.get("__file__")
        return not isinstance(own, str) or os.path.realpath(own) != file


class SourceLocation(NamedTuple):
    """The line that registered a task, and the origin of the task's function.

    Both count: a wrapper without ``functools.wraps`` gives all functions one origin, a
    helper that decorates for others gives all tasks one line.
    """

    file: str
    line: int
    module: _Module
    is_at_top: bool  # of the module: such a line runs once, unless in a loop
    function: tuple[str, str]  # the file of its code, and its qualified name
    function_module: _Module
    code: "CodeType | None"
    top_code: "CodeRef | None"  # of the module that was being run then

    @classmethod
    def of(
        cls, frame: "FrameType", func: Callable[..., Any], innermost: Callable[..., Any]
    ) -> "SourceLocation":
        """Return the line at which a frame is now, with the origin of a function.

        ``innermost`` is the function without the decorators that wrap it.
        """
        code: CodeType | None = getattr(innermost, "__code__", None)
        names = getattr(innermost, "__globals__", frame.f_globals)
        is_at_top, top_code = _top(frame, names)
        return cls(
            file=_file_of(frame.f_code),
            line=frame.f_lineno,
            module=_Module.of(frame.f_globals),
            is_at_top=is_at_top,
            function=(
                _file_of(code) if code else "",
                str(getattr(func, "__qualname__", "")),
            ),
            function_module=_Module.of(names),
            code=code,
            top_code=top_code,
        )

    def relation_to(self, earlier: "SourceLocation") -> Relation:
        """Return how a task from here is related to one registered before.

        A file runs again by a reload, by ``exec``, or as ``__main__`` and then by its
        name. What was typed at a prompt is a new version of whatever it replaces.
        """
        is_one_definition = self._is_of_one_definition(earlier)
        is_one_place = (self.file, self.function) == (earlier.file, earlier.function)
        if is_one_place and self._has_run_again(earlier):
            return Relation.RUN_AGAIN
        if self._is_of_one_run(earlier) and (self.is_at_top or not is_one_definition):
            return Relation.ANOTHER
        if self.is_typed or earlier.is_typed:
            return Relation.MADE_AGAIN if is_one_definition else Relation.RUN_AGAIN
        if is_one_place and (self.line == earlier.line or self._is_generated):
            return Relation.MADE_AGAIN
        return Relation.ANOTHER

    def is_reload_of(self, earlier: "SourceLocation") -> bool:
        """Return whether a reload of the module has made the earlier task anew."""
        return (
            self.module.names is earlier.module.names
            and self.module.loaded_as is not earlier.module.loaded_as
            and self.relation_to(earlier) is Relation.RUN_AGAIN
        )

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def __repr__(self) -> str:
        return str(self)  # the names of whole modules are no help

    @property
    def is_typed(self) -> bool:
        """Whether the task was typed at a prompt, or in a notebook."""
        return self.module.is_typed(self.file) or self.function_module.is_typed(
            self.function[0]
        )

    def _has_run_again(self, earlier: "SourceLocation") -> bool:
        """Return whether the source of both has run more than once."""
        if self._is_generated:
            return False  # nobody knows: all generated code may have one file's name
        if self.module.is_loaded_again(earlier.module):
            return True
        if self.is_typed and self._is_of_one_definition(earlier):
            return False  # only the line that decorates was typed once more
        if self.function_module.is_loaded_again(earlier.function_module):
            return True
        both_at_a_run = self.top_code is not None and earlier.top_code is not None
        return both_at_a_run and not self._is_of_one_run(earlier)

    @property
    def _is_generated(self) -> bool:
        names = (self.file, self.function[0])
        return not self.is_typed and any(name.startswith("<") for name in names)

    def _is_of_one_definition(self, earlier: "SourceLocation") -> bool:
        """Return whether one ``def`` has made both functions."""
        return (
            self.code is earlier.code
            and self.function_module.names is earlier.function_module.names
        )

    def _is_of_one_run(self, earlier: "SourceLocation") -> bool:
        """Return whether both were registered while one module was being run."""
        code = self.top_code and self.top_code()
        return code is not None and code is (earlier.top_code and earlier.top_code())


def _file_of(code: "CodeType") -> str:
    """Return the path of a file, or what stands for one, such as ``<stdin>``."""
    name = code.co_filename
    return name if name.startswith("<") else os.path.realpath(name)


def _top(
    frame: "FrameType | None", names: Mapping[str, object]
) -> "tuple[bool, CodeRef | None]":
    """Return whether a frame is a module's own, and the code of the module that runs.

    That is the module of the frame, or the one with these names, if a line of its own
    has led to the frame.
    """
    own = frame.f_globals if frame else None
    is_at_top = True
    while frame is not None:
        code = frame.f_code
        if code.co_name == "<module>" and (
            frame.f_globals is own or frame.f_globals is names
        ):
            return is_at_top, weakref.ref(code)
        is_at_top = is_at_top and code.co_name in _COMPREHENSIONS
        frame = frame.f_back
    return False, None
