"""The parser of one command's words, in any order."""

import argparse
import re
from collections.abc import Iterable, Sequence

from jobqueue.command_line import CommandLineParser


class CommandParser(CommandLineParser):
    """The parser of one command: options may stand before, between and after words."""

    # argparse's own has overloads.
    def parse_known_args(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        args: Iterable[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the words after the command's name.

        Words that nothing takes are an error here, which names this command's help.
        """
        words = self._options_first(list(args or ()))
        found, unknown = super().parse_known_args(
            words, argparse.Namespace() if namespace is None else namespace
        )
        if unknown := [word for word in unknown if word != "--"]:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _options_first(self, words: Sequence[str]) -> list[str]:
        """Return the words with all options first.

        argparse would take all positional arguments from what stands before the first
        option, and then no more.
        """
        options: list[str] = []
        others: list[str] = []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                others += rest
                break
            if not _is_option(word):
                others.append(word)
                continue
            options.append(word)
            action = self._option_string_actions.get(word)
            if action and action.nargs is None:
                options += rest[:1]
                del rest[:1]
            elif action and action.nargs == "+":
                while rest and not _is_option(rest[0]):
                    options.append(rest.pop(0))
        return [*options, "--", *others] if others else options


def _is_option(word: str) -> bool:
    return re.fullmatch(r"-(?!\d+$)\S+", word) is not None
