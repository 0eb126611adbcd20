"""The same three tasks in each library, and how each library puts them.

Each module is what its library's worker imports, and what the producer imports. It has
the tasks, and up to three functions: `put` (noop or wait, one by one), `put_many`
(in bulk, where the library documents a way), and `put_stamps` (at a steady pace).
"""
