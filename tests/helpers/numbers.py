"""Numbers that are no int and no float: enums, and such as numpy has."""

import enum
import numbers
from typing import Any


class Level(enum.IntEnum):
    TWO = 2


class Flag(enum.IntFlag):
    TWO = 2


class Size(float, enum.Enum):
    TWO = 2.0


@numbers.Integral.register
class Int64:
    """Like numpy's."""

    def __init__(self, value: int = 2) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        return self.value == other


@numbers.Real.register
class Float32:
    """Like numpy's."""

    def __init__(self, value: float = 2.0) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


@numbers.Integral.register
class Timedelta64:
    """Like numpy's, which is registered as a number, and is none."""

    def __int__(self) -> int:
        return 2


WHOLE: list[Any] = [Level.TWO, Flag.TWO, Int64()]
FRACTIONAL: list[Any] = [Size.TWO, Float32()]
