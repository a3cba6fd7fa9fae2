"""CCS single-level groups of ICD-9-CM diagnoses, from a file the user has; none comes with the package."""

import csv
from pathlib import Path

from ecgppg.clinical.icd import normalise
from ecgppg.config.errors import ConfigError

CODE_TITLES = ("icd-9-cm code", "icd9_code", "icd9")
GROUP_TITLES = ("ccs category", "ccs_id", "ccs")
NAME_TITLES = ("ccs category description", "ccs_name", "ccs_description")


def read_ccs(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Read which CCS group each code belongs to.

    Parameters
    ----------
    path : Path
        Either a CSV with a column of codes, one of group numbers and one of their names: HCUP's own `$dxref 2015.csv`
        with its single quotes and its line of title above the header, or icd9_code, ccs_id, ccs_name. Or a YAML file
        {name: {id: number, codes: [...]}}.

    Returns
    -------
    names : dict of str to str
        {group number: name}, by number.
    group_of : dict of str to str
        {code without its point: group number}.

    Raises
    ------
    ConfigError
        The file is absent or has neither form, or a code belongs to two groups.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: ccs_file: cannot be read ({type(error).__name__})") from None
    rows = _of_yaml(text, path) if path.suffix.lower() in (".yaml", ".yml") else _of_csv(text, path)
    names: dict[str, str] = {}
    group_of: dict[str, str] = {}
    for code, group, name in rows:
        if group == "0":  # HCUP's group for "no diagnosis"
            continue
        if not group.isdigit():
            raise ConfigError(f"{path}: ccs_file: {group!r} is no CCS group number")
        code = normalise(code)
        if group_of.setdefault(code, group) != group:
            raise ConfigError(f"{path}: ccs_file: code {code} is in group {group_of[code]} and in group {group}")
        names.setdefault(group, name)
    if not group_of:
        raise ConfigError(f"{path}: ccs_file: holds no code")
    return {group: names[group] for group in sorted(names, key=int)}, group_of


def _of_csv(text: str, path: Path) -> list[tuple[str, str, str]]:
    quote = "'" if text.lstrip().startswith("'") else '"'  # HCUP quotes with '
    lines = [[cell.strip() for cell in line] for line in csv.reader(text.splitlines(), quotechar=quote)]
    for start, line in enumerate(lines[:3]):
        titles = [cell.lower() for cell in line]
        code_at, group_at, name_at = (
            next((titles.index(title) for title in wanted if title in titles), -1)
            for wanted in (CODE_TITLES, GROUP_TITLES, NAME_TITLES)
        )
        if min(code_at, group_at, name_at) >= 0:
            body = [line for line in lines[start + 1 :] if len(line) == len(titles) and line[code_at]]
            return [(line[code_at], line[group_at], line[name_at]) for line in body]
    wanted = ", ".join(titles[1] for titles in (CODE_TITLES, GROUP_TITLES, NAME_TITLES))
    raise ConfigError(f"{path}: ccs_file: has no columns {wanted} (or HCUP's own titles of them)")


def _of_yaml(text: str, path: Path) -> list[tuple[str, str, str]]:
    import yaml

    try:
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return [(str(code), str(group["id"]), str(name)) for name, group in content.items() for code in group["codes"]]
    except (yaml.YAMLError, RecursionError, AttributeError, TypeError, KeyError):
        raise ConfigError(f"{path}: ccs_file: is not YAML of the form {{name: {{id: 1, codes: [...]}}}}") from None
