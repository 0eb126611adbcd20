"""Strategies of Hypothesis that several tests use."""

from hypothesis import strategies as st

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,  # with many more, Hypothesis takes long, and finds nothing else
)
json_objects = st.dictionaries(st.text(), json_values, max_size=4)
