"""An evaluation nobody ran, with every part that a page or a figure shows."""

from typing import Any

QUESTION = "rhythm = A against the rest"


def interval(estimate: float, half: float) -> dict[str, Any]:
    return {"estimate": estimate, "low": estimate - half, "high": estimate + half, "n_patients": 400}


def made_up_results() -> dict[str, Any]:
    aurocs = {
        "embedding, linear": 0.925,
        "embedding, nearest neighbours": 0.902,
        "hand-made, logistic": 0.927,
        "hand-made, boosted": 0.932,
        "embedding + hand-made, logistic": 0.950,
        "untrained encoder, linear": 0.785,
        "supervised network": 0.947,
    }
    differences = [
        ("embedding, linear", "untrained encoder, linear", 0.14, 0.03),
        ("embedding + hand-made, logistic", "hand-made, logistic", 0.023, 0.015),
        ("embedding, linear", "supervised network", -0.012, 0.018),
    ]
    curves = {
        "embedding, linear": (0.74, 0.91),
        "hand-made, logistic": (0.78, 0.92),
        "untrained encoder, linear": (0.6, 0.7),
    }
    sizes = (10, 20, 40, 80, 160)
    few = [
        {"method": method, "n_labels": n, "measure": f"AUROC with {n} labels",
         **interval(first + (last - first) * i / 4, 0.06 - 0.008 * i), "draws": [0.7] * 10}
        for i, n in enumerate(sizes) for method, (first, last) in curves.items()
    ]  # fmt: skip
    few += [
        {"method": method, "n_labels": 40, "measure": "AUROC with 40 labels", **interval(at, 0.05), "draws": [0.7] * 10}
        for method, at in (("network from scratch", 0.71), ("network fine-tuned", 0.79))
    ]
    gain = {"a": "embedding, linear", "b": "network from scratch", "n_labels": 40}
    return {
        "question": QUESTION,
        "caution": None,
        "trained": "one encoder a fold",
        "n_windows": 3210,
        "n_recordings": 812,
        "n_patients": 400,
        "n_patients_with": 96,
        "outer_folds": 5,
        "excluded": {"patients": 0, "windows": 0},
        "results": [
            {"method": method, "measure": "AUROC", **interval(at, 0.022),
             "seeds": [at] if method == "supervised network" else [at - 0.004, at, at + 0.004]}
            for method, at in aurocs.items()
        ],
        "differences": [
            *({"method": f"{a} less {b}", "a": a, "b": b, "measure": "difference of AUROC", **interval(at, half)}
              for a, b, at, half in differences),
            {"method": "gain", **gain, "measure": "difference of AUROC with 40 labels", **interval(0.09, 0.05)},
        ],
        "few_labels": few,
        "knows": [
            {"method": "embedding", "measure": "R2 of heart rate", **interval(0.88, 0.03), "n_windows": 3100},
            {"method": "embedding", "measure": "nearest other window is of the same recording",
             **interval(0.41, 0.04), "chance": 0.0123, "n_windows": 3210},
        ],
    }  # fmt: skip
