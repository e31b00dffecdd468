"""The accounts of Azure AI: where they are, how many calls they take, what a call costs."""

from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from imaginem.config.declare import Expected, Section, setting
from imaginem.config.engine_table import AccountName
from imaginem.config.value_types import Address, Amount

AccountAddress = Annotated[Address, Expected("the account's https address", shown=False)]
CallsPerSecond = Annotated[Amount, Expected("calls a second, from 0 to 1,000,000")]
Price = Annotated[Amount, Expected("the price of 1,000 calls, from 0 to 1,000,000")]
# Azure's names: F0 is free; S and a digit is paid.
Tier = Annotated[
    str,
    StringConstraints(to_upper=True, pattern=r"^(?i:F0|S\d)$"),
    Expected("F0, which is free, or a paid tier such as S1"),
]
# A number is put behind it, and Azure takes 64 characters.
ListName = Annotated[
    str,
    StringConstraints(pattern="^[a-z0-9_-]{1,50}$"),
    Expected("1 to 50 characters of a-z, 0-9, - and _"),
]
ModelName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    Expected("a model's name, such as gpt-5.2"),
]


class ServiceSettings(Section):
    """One account.

    Attributes:
        endpoint: without a slash at its end; empty when the account is not used.
        key: empty when the app's identity is used.
        per_second: calls that its tier takes; 0 for no pacing.
        price: of 1,000 calls, in any currency, for the estimate in the metrics.
    """

    endpoint: AccountAddress
    key: str = Field(repr=False)
    per_second: CallsPerSecond
    price: Price


class VisionAccount(ServiceSettings):
    """The account of Azure AI Vision.

    Attributes:
        tier: in Azure's words, such as `S1`.
    """

    endpoint: AccountAddress = setting(
        "VISION_ENDPOINT", "", "address of the Azure AI Vision account; an `azure` engine needs it"
    )
    key: str = setting(
        "VISION_API_KEY",
        "",
        "key of the Azure AI Vision account",
        usual="none: the app's identity",
        secret=True,
    )
    per_second: CallsPerSecond = setting(
        "VISION_CALLS_PER_SECOND",
        10.0,
        "calls a second that the Vision account's tier takes; all instances together stay 5 % "
        "below; 0 for no pacing",
    )
    price: Price = setting(
        "VISION_PRICE",
        1.0,
        "price of 1,000 calls to the Vision account, in any currency, for the estimate in "
        "the metrics",
    )
    tier: Tier = setting(
        "VISION_TIER",
        "S1",
        "tier of the Vision account: Read takes photos of 4 MB on the free `F0`, and of any size "
        "that is accepted here on a paid one",
    )


class FaceAccount(ServiceSettings):
    """The account of Azure AI Face."""

    endpoint: AccountAddress = setting(
        "FACE_ENDPOINT", "", "address of the Azure AI Face account; an `azure` engine needs it"
    )
    key: str = setting(
        "FACE_API_KEY",
        "",
        "key of the Azure AI Face account",
        usual="none: the app's identity",
        secret=True,
    )
    per_second: CallsPerSecond = setting(
        "FACE_CALLS_PER_SECOND",
        10.0,
        "calls a second that the Face account's tier takes; all instances together stay 5 % "
        "below; 0 for no pacing",
    )
    price: Price = setting(
        "FACE_PRICE",
        1.0,
        "price of 1,000 calls to the Face account, in any currency, for the estimate in "
        "the metrics",
    )


class DocumentIntelligenceAccount(ServiceSettings):
    """The account of Azure AI Document Intelligence.

    Attributes:
        tier: in Azure's words, such as `S0`.
    """

    endpoint: AccountAddress = setting(
        "DOCUMENTINTELLIGENCE_ENDPOINT",
        "",
        "address of the Document Intelligence account, or of a Foundry account; the engine "
        "`documentintelligence` needs it",
    )
    key: str = setting(
        "DOCUMENTINTELLIGENCE_API_KEY",
        "",
        "key of the Document Intelligence account",
        usual="none: the app's identity",
        secret=True,
    )
    per_second: CallsPerSecond = setting(
        "DOCUMENTINTELLIGENCE_CALLS_PER_SECOND",
        15.0,
        "photos a second that the Document Intelligence account's tier takes (S0: 15, F0: 1); "
        "all instances together stay 5 % below; 0 for no pacing",
    )
    price: Price = setting(
        "DOCUMENTINTELLIGENCE_PRICE",
        1.5,
        "price of 1,000 photos read by Document Intelligence, in any currency, for the estimate "
        "in the metrics",
    )
    tier: Tier = setting(
        "DOCUMENTINTELLIGENCE_TIER",
        "S0",
        "tier of the Document Intelligence account: photos of 4 MB on the free `F0`, and of any "
        "size that is accepted here on a paid one",
    )


class ContentUnderstandingAccount(ServiceSettings):
    """The Foundry account of Azure Content Understanding.

    Attributes:
        model: name or alias of the generative model; the account maps it to a deployment.
    """

    endpoint: AccountAddress = setting(
        "CONTENTUNDERSTANDING_ENDPOINT",
        "",
        "address of the Foundry account with Content Understanding; the engine "
        "`contentunderstanding` needs it",
    )
    key: str = setting(
        "CONTENTUNDERSTANDING_API_KEY",
        "",
        "key of the Foundry account",
        usual="none: the app's identity",
        secret=True,
    )
    per_second: CallsPerSecond = setting(
        "CONTENTUNDERSTANDING_CALLS_PER_SECOND",
        16.0,
        "photos a second that the Foundry account takes (1,000 a minute, if the model's "
        "deployment takes as many); all instances together stay 5 % below; 0 for no pacing",
    )
    price: Price = setting(
        "CONTENTUNDERSTANDING_PRICE",
        4.5,
        "price of 1,000 photos looked at by Content Understanding, the model's tokens among it, "
        "in any currency, for the estimate in the metrics",
    )
    model: ModelName = setting(
        "CONTENTUNDERSTANDING_MODEL",
        "gpt-5.2",
        "the generative model of Content Understanding: a name or an alias that the account's "
        "defaults map to a deployment",
    )


class AccountSettings(Section):
    """The accounts, and the face lists in one of them."""

    vision: VisionAccount
    face: FaceAccount
    documentintelligence: DocumentIntelligenceAccount
    contentunderstanding: ContentUnderstandingAccount
    face_list: ListName = setting(
        "FACE_LIST",
        "imaginem",
        "name of the face lists in the Face account; a number is put behind it",
        not_on_azure="one installation has an account of its own",
    )


def account_problems(
    name: AccountName, account: ServiceSettings, users: Mapping[str, str], wrong: Collection[str]
) -> list[str]:
    """Return what an account lacks.

    Args:
        name: begins the names of its settings.
        account: its settings.
        users: settings that choose a provider with this account, and that provider's name.
        wrong: names of settings that have been refused already.
    """
    endpoint = f"{name}_ENDPOINT"
    if users and not account.endpoint and endpoint not in wrong:
        user, provider = next(iter(users.items()))
        return [
            f"{user} is {provider}, but {endpoint} is empty: give the account's address, such as "
            "https://<name>.cognitiveservices.azure.com"
        ]
    if account.endpoint.startswith("http://") and not account.key:
        return [
            f"{endpoint} is http, over which no identity's token is sent: use https, or set "
            f"{name}_API_KEY"
        ]
    return []
