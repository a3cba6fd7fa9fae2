"""Two processes are one: loss, gradients of embeddings and of every weight, whatever way the rows are shared out."""

import multiprocessing

import pytest
import torch
from torch import Tensor

from tests.two_ranks import NETWORKS, SHARES, TERMS, alone, work

Results = dict[str, dict[str, Tensor]]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    folder = tmp_path_factory.mktemp("ranks")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(rank, folder)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(180)
    for process in processes:
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.fixture(scope="module")
def one() -> Results:
    torch.set_num_threads(1)
    return alone()


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", TERMS)
def test_a_term_and_its_gradients_are_those_of_one_process(
    ranks: list[Results], one: Results, name: str, share: str
) -> None:
    first, second = (results[f"{name}, {share}"] for results in ranks)
    expected = one[name]
    torch.testing.assert_close((first["loss"] + second["loss"]) / 2, expected["loss"], atol=1e-5, rtol=1e-5)
    for side in ("a", "b"):
        together = torch.cat([first[side], second[side]]) / 2
        torch.testing.assert_close(together, expected[side], atol=1e-5, rtol=1e-5)
    mean = (first["temperature"] + second["temperature"]) / 2
    torch.testing.assert_close(mean, expected["temperature"], atol=1e-5, rtol=1e-5)
    assert name == "nobody" or expected["a"].abs().max() > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_under_torchs_own_wrapper_gets_the_gradients_of_one_process(
    ranks: list[Results], one: Results, name: str
) -> None:
    expected = one[name]
    for results in ranks:
        assert results[name].keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(
                results[name][key], value, atol=1e-5, rtol=1e-4, msg=lambda m, k=key: f"{k}: {m}"
            )
    assert "temperature.log_above_floor" in expected
