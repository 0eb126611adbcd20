"""Tables: which columns are cut if lines are too long."""

from jobqueue.admin.screen.table import Cell, Column, Table

TABLE = Table(
    [Column("NAME", min_width=6), Column("COUNT", is_number=True), Column("CALL")],
    [[Cell("long-name"), Cell("1,234,567"), Cell("send n=1")]],
)


def test_width_of_cells() -> None:
    lines = TABLE.plain().splitlines()

    assert lines == [
        "NAME           COUNT  CALL",
        "long-name  1,234,567  send n=1",
    ]


def test_names_are_cut() -> None:
    lines = TABLE.plain(28).splitlines()

    assert lines == ["NAME         COUNT  CALL", "long-n…  1,234,567  send n=1"]


def test_numbers_are_not_cut() -> None:
    assert TABLE.widths(10) == [6, 9, 8]
    assert "1,234,567" in TABLE.plain(10)


def test_no_rows() -> None:
    assert Table(TABLE.columns, []).plain(80) == "NAME  COUNT  CALL"
