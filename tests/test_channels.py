"""Channel names to channels."""

import itertools

import pytest

from ecgppg.waveform.channels import pick_channels


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["RESP", "PLETH", "V", "AVR", "II"], {"ECG": 4, "PPG": 1}),
        (["ABP", "V", "MLII"], {"ECG": 2}),
        (["III", "I", "Pleth"], {"ECG": 1, "PPG": 2}),
        (["AVF", "AVL", "AVR"], {"ECG": 2}),
        (["MCL1", "V"], {"ECG": 1}),
        (["mcl", "avl", "ppg"], {"ECG": 0, "PPG": 2}),
        (["V5", "V1"], {"ECG": 1}),
        (["ECG"], {"ECG": 0}),
        (["ECG1", "ecg_2", "PLETH T"], {"ECG": 0, "PPG": 2}),
        (["ECG I", "ECG II", "lead III"], {"ECG": 1}),
        (["RESP", "ABP", "PAP", "SpO2", "PULSE", "HR", "", "VENT"], {}),
        ([" ii ", "pleth "], {"ECG": 0, "PPG": 1}),
    ],
)
def test_pick_channels(names, expected):
    assert pick_channels(names) == expected


def test_pick_channels_only_those_asked_for():
    assert pick_channels(["II", "PLETH"], ("PPG",)) == {"PPG": 1}


def test_pick_channels_same_lead_in_any_order():
    names = ["V1", "AVR", "PLETH", "V5", "RESP"]
    for order in itertools.permutations(names):
        assert {c: order[i] for c, i in pick_channels(order).items()} == {"ECG": "V1", "PPG": "PLETH"}
