"""What a step declares to need besides a photo: settings of the app, and parameters of a job.

Both are pydantic models whose fields have types, defaults and descriptions. A setting is an
environment variable, called after step and field (`limit` of the step `blurriness` is
`BLURRINESS_LIMIT`), and holds for all jobs; a parameter travels in a job's message, in
`job_definition.step_parameters`, and holds for that job.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from imaginem.errors import ConfigurationError, InvalidMessage, RegistrationError
from imaginem.message import explain

FIELD = "job_definition.step_parameters"


class StepSettings(BaseModel):
    """Settings of a step: every field needs a default, or the app starts only once it is set."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, allow_inf_nan=False
    )


class StepParameters(BaseModel):
    """What a job may say to a step. A name that is no field is refused: it may be a typo.

    So are NaN and infinity, which no message carries.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


SettingsT = TypeVar("SettingsT", bound=StepSettings)
ParametersT = TypeVar("ParametersT", bound=StepParameters)


def setting_name(step: str, field: str) -> str:
    """Return the environment variable of a step's setting."""
    return f"{step}_{field}".upper()


def check_kind(step: str, what: str, model: object, wanted: type[BaseModel]) -> None:
    """Check what a decorator was given.

    Raises:
        RegistrationError: it is no subclass of what is wanted.
    """
    if model is None or (isinstance(model, type) and issubclass(model, wanted)):
        return
    raise RegistrationError(
        f"step {step!r}: `{what}` must be a subclass of {wanted.__name__}: "
        f"`from imaginem import {wanted.__name__}`"
    )


def read_settings_of(
    step: str, model: type[SettingsT], environment: Mapping[str, str]
) -> SettingsT:
    """Return a step's settings; an empty text counts as not set.

    Raises:
        ConfigurationError: names every setting that is wrong or missing.
    """
    texts = {
        name: environment.get(setting_name(step, name), "").strip() for name in model.model_fields
    }
    try:
        return model.model_validate({name: text for name, text in texts.items() if text})
    except ValidationError as problem:
        details = problem.errors(include_url=False, include_context=False, include_input=False)
    lines: dict[str, str] = {}
    for detail in details:
        field = str(detail["loc"][0]) if detail["loc"] else ""
        lines.setdefault(field, _problem(step, model, field, texts.get(field, ""), detail["msg"]))
    raise ConfigurationError("; ".join(lines.values()))


def _problem(step: str, model: type[BaseModel], field: str, text: str, why: str) -> str:
    if field not in model.model_fields:
        return f"settings of the step {step}: {_lowered(why)}"
    name = setting_name(step, field)
    if not text:
        return f"{name} is not set, and the step {step} needs it"
    shown = "has a value that can't be used" if _is_secret(model, field) else f"is {text!r}"
    return f"{name} {shown}: {_lowered(why)}"


def check_settings(
    declared: Iterable[tuple[str, type[StepSettings]]],
    environment: Mapping[str, str],
    taken: Collection[str],
) -> None:
    """Check the settings of all steps: when the app starts, and in `imaginem doctor`.

    Args:
        declared: steps with the models of their settings.
        environment: texts by name.
        taken: names of Imaginem's own settings, which no step's may have.

    Raises:
        ConfigurationError: names every setting that is wrong or missing, or has a name of those.
    """
    problems = []
    for step, model in declared:
        for field in model.model_fields:
            if (name := setting_name(step, field)) in taken:
                problems.append(
                    f"{name} is a setting of Imaginem, and of the step {step} by its field "
                    f"{field!r}: rename the field"
                )
        try:
            read_settings_of(step, model, environment)
        except ConfigurationError as problem:
            problems.append(str(problem))
    if problems:
        raise ConfigurationError("settings of steps: " + "; ".join(problems))


def read_parameters(
    step: str, model: type[ParametersT], given: Mapping[str, Any] | None
) -> ParametersT:
    """Return what a job says to a step.

    Raises:
        InvalidMessage: names the field that is wrong, and the parameters that there are.
    """
    try:
        return model.model_validate(dict(given or {}))
    except ValidationError as problem:
        unknown = [str(e["loc"][0]) for e in problem.errors() if e["type"] == "extra_forbidden"]
        if unknown:
            known = ", ".join(model.model_fields) or "none"
            raise InvalidMessage(
                f"{FIELD}.{step}.{unknown[0]}: there is no such parameter; there are: {known}"
            ) from None
        raise InvalidMessage(f"{FIELD}.{step}.{explain(problem)}") from None


def checked_parameters(
    given: Mapping[str, Mapping[str, Any]],
    pipeline: Collection[str],
    declared: Mapping[str, type[StepParameters] | None],
) -> dict[str, dict[str, Any]]:
    """Return what a sender says to the steps of a job as it is sent: texts are numbers by then.

    Args:
        given: parameters by step.
        pipeline: queues that the job visits; those of other apps take what they like.
        declared: models by the names of all steps of this app; None for a step without.

    Raises:
        InvalidMessage: names the step or the field that is wrong.
    """
    sent = {}
    for step, values in given.items():
        if step not in pipeline:
            raise InvalidMessage(
                f"{FIELD}.{step}: the job's pipeline ({', '.join(pipeline)}) has no such step"
            )
        if step not in declared:
            sent[step] = dict(values)
            continue
        model = declared[step]
        if model is None:
            raise InvalidMessage(f"{FIELD}.{step}: this step takes no parameters")
        right = read_parameters(step, model, values)
        sent[step] = right.model_dump(mode="json", exclude_unset=True)
    for step in pipeline:  # one that a step can't do without
        if (needed := declared.get(step)) is not None and step not in given:
            read_parameters(step, needed, None)
    return sent


def described(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    """Return the fields of a model for people and programs: name, type, default, meaning."""
    if model is None:
        return []
    schema = model.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "type": _type_of(schema[name]),
            "required": field.is_required(),
            "default": None if field.is_required() or _is_secret(model, name) else _default(field),
            "means": field.description or "",
            "choices": _choices_of(schema[name]),
        }
        for name, field in model.model_fields.items()
    ]


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _type_of(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type_of(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "enum" in schema:
        return "choice"
    return str(schema.get("type", "value"))


def _choices_of(schema: Mapping[str, Any]) -> list[Any] | None:
    parts = [schema, *schema.get("anyOf", ())]
    choices = [choice for part in parts for choice in part.get("enum", ())]
    return choices or None


def _is_secret(model: type[BaseModel], field: str) -> bool:
    annotation = model.model_fields[field].annotation
    return isinstance(annotation, type) and issubclass(annotation, SecretStr | SecretBytes)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
