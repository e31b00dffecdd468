"""The OpenAI-compatible server: where it is, which model it asks, what it is sent."""

from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from imaginem.config.declare import Expected, Section, setting
from imaginem.config.sections.accounts import CallsPerSecond, Price, ServiceSettings
from imaginem.config.sections.pipeline import OnOff
from imaginem.config.value_types import Address, Amount, Count, ExistingFolder, whole_number

ServerAddress = Annotated[Address, Expected("the server's http(s) address", shown=False)]
# As servers list them: `qwen2.5vl:7b`, `Qwen/Qwen2.5-VL-7B-Instruct`, `gpt-5.2`.
ServedModel = Annotated[
    str,
    StringConstraints(pattern=r"^[\w][\w./:@+-]{0,199}$"),
    Expected("a model's name, as the server lists it"),
]
CallSeconds = Annotated[
    int, Field(ge=1, le=300), BeforeValidator(whole_number), Expected("seconds, from 1 to 300")
]
Side = Annotated[
    int, Field(ge=256, le=10_000), BeforeValidator(whole_number), Expected("pixels, 256 to 10000")
]
Tokens = Annotated[
    int, Field(ge=100, le=100_000), BeforeValidator(whole_number), Expected("100 to 100000")
]
TokenPrice = Annotated[Amount, Expected("the price of a million tokens, from 0 to 1,000,000")]
PromptFolder = Annotated[ExistingFolder, Expected("the path of a folder with prompts")]


class OpenAiAccount(ServiceSettings):
    """The server of the engine `openai`.

    Attributes:
        model: that is asked.
        identity: `on`: the app's identity signs the calls; a Foundry account takes it.
        timeout: seconds that a call may take as a whole.
        max_side: longest side of what is sent, in pixels.
        calls_at_once: of one process.
        max_tokens: that an answer may have.
        prompts: a folder whose files take the place of ours; None for ours.
        price: of 1,000 calls; they cost nothing here, their tokens do.
        price_in: of a million tokens that are sent.
        price_out: of a million tokens that are answered.
    """

    endpoint: ServerAddress = setting(
        "OPENAI_ENDPOINT",
        "",
        "address of an OpenAI-compatible server, such as `http://127.0.0.1:8080`; without a path, "
        "`/v1` is added (`/openai/v1` on Azure); an `openai` engine needs it, **and photos are "
        "sent there**",
    )
    key: str = setting(
        "OPENAI_API_KEY", "", "key of that server", usual="none is sent", secret=True
    )
    identity: OnOff = setting(
        "OPENAI_IDENTITY",
        "off",
        "`on`: the app's identity signs the calls instead of a key, as a Foundry account takes it",
    )
    model: ServedModel = setting(
        "OPENAI_MODEL",
        "",
        "the model, or the deployment, that is asked: one that takes pictures; an `openai` engine "
        "needs it",
    )
    per_second: CallsPerSecond = setting(
        "OPENAI_CALLS_PER_SECOND",
        10.0,
        "calls a second that the server takes; all instances together stay 5 % below; 0 for no "
        "pacing",
    )
    calls_at_once: Count = setting(
        "OPENAI_CALLS_AT_ONCE",
        4,
        "calls that one process makes at a time, at most; others wait, and after 20 s go back to "
        "their queue",
        not_on_azure="its default serves",
    )
    timeout: CallSeconds = setting(
        "OPENAI_TIMEOUT",
        120,
        "seconds that a call may take as a whole, the answer of a slow model among it",
        not_on_azure="its default serves",
    )
    max_side: Side = setting(
        "OPENAI_MAX_SIDE",
        2048,
        "longest side of a photo as it is sent, in pixels: larger ones are scaled down",
        not_on_azure="its default serves",
    )
    max_tokens: Tokens = setting(
        "OPENAI_MAX_TOKENS",
        4000,
        "tokens that an answer may have; a longer one is cut off and refused",
        not_on_azure="its default serves",
    )
    prompts: PromptFolder = setting(
        "OPENAI_PROMPTS",
        None,
        "a folder with `photo.txt`, `text.txt` or `question.txt`, which take the place of "
        "[ours](engines.md#prompts)",
        usual="ours",
        not_on_azure="a folder of a package of your own",
    )
    price: Price = 0.0
    price_in: TokenPrice = setting(
        "OPENAI_PRICE_IN",
        0.0,
        "price of a million tokens sent, those of pictures among them, in any currency, for the "
        "estimate in the metrics",
        usual="0",
    )
    price_out: TokenPrice = setting(
        "OPENAI_PRICE_OUT",
        0.0,
        "price of a million tokens answered, in any currency, for the estimate in the metrics",
        usual="0",
    )


class OpenAiSettings(Section):
    """The server of the engine `openai`."""

    openai: OpenAiAccount


def openai_problems(
    account: OpenAiAccount, users: Mapping[str, str], wrong: Collection[str]
) -> list[str]:
    """Return what the server's settings lack, or contradict.

    Args:
        account: the settings.
        users: settings that choose the engine `openai`.
        wrong: names of settings that have been refused already.
    """
    problems = []
    user = next(iter(users), "")
    if user and not account.endpoint and "OPENAI_ENDPOINT" not in wrong:
        problems.append(
            f"{user} is openai, but OPENAI_ENDPOINT is empty: give the server's address, such as "
            "http://127.0.0.1:8080"
        )
    if user and not account.model and "OPENAI_MODEL" not in wrong:
        problems.append(
            f"{user} is openai, but OPENAI_MODEL is empty: name a model that takes pictures"
        )
    if account.identity == "on" and account.key:
        problems.append("OPENAI_IDENTITY is on, and OPENAI_API_KEY is set: leave out one of them")
    if account.identity == "on" and account.endpoint.startswith("http://"):
        problems.append(
            "OPENAI_ENDPOINT is http, over which no identity's token is sent: use https, or set "
            "OPENAI_IDENTITY to off"
        )
    return problems
