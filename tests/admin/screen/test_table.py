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


def test_good_widths() -> None:
    """Extra columns are left out before others are cut below their good width."""
    columns = [
        Column("WHY", min_width=4, good_width=8),
        Column("CALL", min_width=4, good_width=10),
        Column("PRI", is_extra=True, rank=1),
        Column("RES", is_extra=True, rank=2),
    ]
    row = [Cell("w" * 12), Cell("c" * 20), Cell("1"), Cell("2")]
    table = Table(columns, [row])

    assert table.widths(44) == [12, 20, 3, 3]
    assert table.widths(34) == [12, 10, 3, 3]
    assert table.fitting(30) == [0, 1, 2, 3]
    assert table.fitting(29) == table.fitting(25) == [0, 1, 2]
    assert table.fitting(24) == table.fitting(1) == [0, 1]
    assert table.fitted(22).widths(22) == [10, 10]
    assert table.fitted(17).widths(17) == [8, 7]
    assert table.fitted(12).widths(12) == [6, 4]
