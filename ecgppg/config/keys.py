"""How a setting is declared: its default, its meaning, and which of three kinds it is.

*content* settings change a result and are compared with what built it; *growth* settings may rise while what is
built stays; *execution* settings never change a result.
"""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

LARGEST_INTEGER = 2**31 - 1


class SettingsPart(BaseModel):
    """Base of every part: flat keys, unknown keys forbidden, values frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        """What pydantic would bend into a number or a path, and nobody meant."""
        name = info.field_name
        if isinstance(value, bool) and name and cls.model_fields[name].annotation is not bool:
            or_nothing = ", or null for none" if type(None) in get_args(cls.model_fields[name].annotation) else ""
            raise ValueError(f"expected a value{or_nothing}, not true or false, as which YAML reads on and off")
        if isinstance(value, int | float) and abs(value) > LARGEST_INTEGER:
            raise ValueError(f"no setting is larger than {LARGEST_INTEGER}")
        if isinstance(value, str) and not value.isprintable():
            raise ValueError("holds a character that cannot be printed")
        return value


def content(stage: str, default: Any, description: str, **limits: Any) -> Any:
    """A setting hashed by `stage`; changing it later is refused unless `--fresh` is given."""
    return Field(default, description=description, json_schema_extra={"kind": "content", "stage": stage}, **limits)


def growth(default: Any, description: str, **limits: Any) -> Any:
    """A setting that may rise; what is built already stays."""
    return Field(default, description=description, json_schema_extra={"kind": "growth"}, **limits)


def execution(default: Any, description: str, **limits: Any) -> Any:
    """A setting that says how to run and never changes a result."""
    return Field(default, description=description, json_schema_extra={"kind": "execution"}, **limits)


def kind_and_stage(field: FieldInfo) -> tuple[str, str | None]:
    """(kind, stage or None) of a declared setting."""
    extra = field.json_schema_extra
    assert isinstance(extra, dict), "every setting is declared through content(), growth() or execution()"
    stage = extra.get("stage")
    return str(extra["kind"]), str(stage) if stage else None
