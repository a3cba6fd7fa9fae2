"""Moving sums and extremes that widen: against a loop over windows, for every width."""

import pytest
import torch

from ecgppg.models.moving import doubled, extremes, sums


@pytest.mark.parametrize("width", [1, 2, 3, 7, 8, 31, 32, 45, 50])
@pytest.mark.parametrize(("combine", "of"), [(torch.maximum, torch.amax), (torch.minimum, torch.amin)])
def test_extremes_are_those_of_a_loop(width: int, combine: object, of: object) -> None:
    values_NT = torch.randn(5, 50, generator=torch.Generator().manual_seed(width))
    expected = torch.stack([of(values_NT[:, t : t + width], 1) for t in range(50 - width + 1)], 1)  # type: ignore[operator]
    # Worked out for a longer window too: the shorter one is read from the same passes.
    for longest in {width, 50}:
        assert torch.equal(extremes(doubled(values_NT, longest, combine), width, combine), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [1, 2, 5, 7, 11, 16, 50])
def test_sums_are_those_of_a_loop_and_of_zeros_exactly_zero(width: int) -> None:
    values_NT = torch.randn(5, 50, generator=torch.Generator().manual_seed(width)) * 1e6
    values_NT[:, 10:40] = 0
    expected = values_NT.double().unfold(1, width, 1).sum(2)
    found = sums(values_NT, width)
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1.0)
    assert not found[:, 10 : 40 - width + 1].any()


def test_as_many_passes_as_doublings() -> None:
    values_NT = torch.randn(2, 100)
    assert [part.shape[1] for part in doubled(values_NT, 41, torch.add)] == [100, 99, 97, 93, 85, 69]
    assert len(doubled(values_NT, 1, torch.add)) == 1
