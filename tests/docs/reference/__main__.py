"""Write the tables of the reference anew: ``python -m tests.docs.reference``."""

from tests.docs.reference.pages import PAGES, with_tables

if __name__ == "__main__":
    for path, tables in PAGES.items():
        old = path.read_text()
        new = with_tables(old, tables)
        if new != old:
            path.write_text(new)
            print(f"{path} is new")  # noqa: T201 - says what it has done
