"""Quantities in the form in which the API server writes them back."""

import pytest

from tierstack.platform.kubernetes.quantities import mebibytes, millicores, resources


@pytest.mark.parametrize(
    ("amount", "text"),
    [(1000, "1000Mi"), (1024, "1Gi"), (1536, "1536Mi"), (8192, "8Gi"), (50 * 1024, "50Gi"), (2 * 1024**2, "2Ti")],
)
def test_mebibytes(amount: int, text: str) -> None:
    assert mebibytes(amount) == text


@pytest.mark.parametrize(("amount", "text"), [(250, "250m"), (1000, "1"), (1500, "1500m"), (4000, "4")])
def test_millicores(amount: int, text: str) -> None:
    assert millicores(amount) == text


def test_memory_is_reserved_in_full_and_processors_are_limited_only_where_guaranteed() -> None:
    assert resources(1024, 0.25) == {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    both = {"cpu": "1", "memory": "512Mi"}
    assert resources(512, 1.0, guaranteed=True) == {"requests": both, "limits": both}
