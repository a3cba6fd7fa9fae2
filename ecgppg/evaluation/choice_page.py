"""A choice of settings as a page of Markdown: every candidate on inner validation patients, and who won where.

A choice is plain values, as `choice.json` holds them:

question : str
    What the candidates were judged by.
outer_folds, n_patients, n_patients_with : int
    Patients who judged in at least one outer fold.
candidates : list of dict
    `candidate`, `changes`; `auroc` and `less_first` (None for the first) as `estimate`, `low`, `high`, `n_patients`;
    `folds`, the AUROC of each outer fold; R2 as `heart_rate_bpm` and `rr_cv`; `same_recording` with `chance`; `picked`.
winners : list of dict
    `fold`, `candidate`, `changes`, `auroc`, `n_recordings`.
"""

from typing import Any

from ecgppg.evaluation.evaluation_page import interval_text, shown, table

WHAT_IT_IS = (
    "For every outer fold the patients outside it were split again. Each candidate trained an encoder on the one part; "
    "a linear probe, fitted there too, was judged by the other. Nothing of a fold's own patients was read, so the "
    "winner of a fold may be judged by that fold. The AUROC of a winner on this page is that of the best of several "
    "and so too good: what it is worth, `ecgppg evaluate --choices` says."
)


def choice_markdown(chosen: dict[str, Any], figure: str, least: int = 1) -> str:
    """Write the page.

    Parameters
    ----------
    chosen : dict
        See the top of the file.
    figure : str
        File name of the image beside the page.
    least : int
        Counts of patients above 0 and under this are hidden.

    Returns
    -------
    str
    """
    who = (
        f"{chosen['outer_folds']} outer folds; {shown(chosen['n_patients'], least)} patients judged, each in those "
        f"folds he was set aside in, {shown(chosen['n_patients_with'], least)} of them with the label. "
        "Intervals are of 95 %, over patients."
    )
    parts = [f"# Settings chosen by: {chosen['question']}", WHAT_IT_IS, who, "\n".join(_candidates(chosen))]
    parts += ["## Chosen", "\n".join(_winners(chosen)), f"![AUROC of the candidates, and differences]({figure})"]
    return "\n\n".join(parts) + "\n"


def forest_rows(chosen: dict[str, Any]) -> dict[str, Any]:
    """The candidates in the form that `evaluation_figures.draw_forest` draws."""
    first = chosen["candidates"][0]["candidate"]
    return {
        "question": f"inner validation, {chosen['question']}",
        "n_patients": chosen["n_patients"],
        "n_patients_with": chosen["n_patients_with"],
        "ticks": "outer folds",
        "results": [
            {"method": row["candidate"], "measure": "AUROC", "seeds": row["folds"], **row["auroc"]}
            for row in chosen["candidates"]
        ],
        "differences": [
            {"a": row["candidate"], "b": first, **row["less_first"]}
            for row in chosen["candidates"]
            if row["less_first"]
        ],
    }


def _candidates(chosen: dict[str, Any]) -> list[str]:
    header = ("candidate", "settings", "AUROC", "less the first", "R2 of heart rate", "R2 of RR variation",
              "same recording is nearest", "folds won")  # fmt: skip
    cells = []
    for row in chosen["candidates"]:
        changes = ", ".join(f"{key}={value}" for key, value in row["changes"].items())
        cells.append(
            (
                row["candidate"],
                changes or "as given",
                interval_text(row["auroc"]),
                interval_text(row["less_first"], sign=True) if row["less_first"] else "",
                *(interval_text(row[name]) if row[name] else "unknown" for name in ("heart_rate_bpm", "rr_cv")),
                interval_text(row["same_recording"]),
                f"{row['picked']}",
            )
        )
    return table(header, cells)


def _winners(chosen: dict[str, Any]) -> list[str]:
    cells = [
        (f"{won['fold'] + 1}", won["candidate"], f"{won['auroc']:.3f}", f"{won['n_recordings']:,}")
        for won in chosen["winners"]
    ]
    return table(("outer fold", "winner", "its AUROC inside", "recordings that judged"), cells)
