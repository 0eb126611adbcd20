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


def test_columns_are_left_out() -> None:
    """Those with the highest rank first, and only where cutting is not enough."""
    columns = [
        Column("ID"),
        Column("FIRST", rank=2),
        Column("LAST", rank=1),
        Column("CALL", min_width=4),
    ]
    table = Table(columns, [[Cell("1234567"), Cell("a"), Cell("b"), Cell("x" * 50)]])

    assert table.fitting(40) == table.fitting(26) == [0, 1, 2, 3]
    assert table.fitting(25) == table.fitting(19) == [0, 2, 3]
    assert table.fitting(18) == table.fitting(1) == [0, 3]
    assert table.fitted(19).plain(19).splitlines() == [
        "ID       LAST  CALL",
        "1234567  b     xxx…",
    ]
