"""config.json against what was made with it."""

import json

from ecgppg.config.errors import EcgppgError
from ecgppg.config.load import build_settings, read_settings_file
from ecgppg.config.schema import OutputLayout
from ecgppg.config.settings import Settings
from ecgppg.core.files import changed_keys, read_completion


def stored_settings(layout: OutputLayout) -> Settings:
    """The settings of the last run.

    Raises
    ------
    EcgppgError
        config.json is absent or does not hold settings.
    """
    return build_settings(read_settings_file(layout.config))


def settings_problems(layout: OutputLayout) -> list[str]:
    """Whether config.json holds settings, and those that the dataset was built with."""
    if not layout.config.is_file():
        return [f"{layout.config}: is absent"] if read_completion(layout.dataset) else []
    try:
        settings = stored_settings(layout)
    except EcgppgError as error:
        return [str(error).removeprefix("--config ")]
    record = read_completion(layout.dataset)
    if record is None:
        return []
    wanted = json.loads(json.dumps(settings.content("build")))
    changes = changed_keys(record["content"], wanted)
    if not changes:
        return []
    return [f"{layout.config}: {layout.dataset.name} was built with other settings ({'; '.join(changes)})"]
