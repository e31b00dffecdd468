"""`/api/photos/…`: a photo by its file, wherever it is."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException

from imaginem.usecases.forget_photo import Reach, forget_photo, lift_photo
from imaginem.web.dependencies import Caseworker, Operator, ServicesDep
from imaginem.web.photo_models import ForgottenPhoto, Lifted
from imaginem.web.problems import responses
from imaginem.web.receipt_models import present_erasure
from imaginem.web.requests import PhotoOrHash, one_file

router = APIRouter(prefix="/api/photos", tags=["photos"], dependencies=[Depends(one_file)])
Group = Annotated[
    str, Form(max_length=200, description="Only in this group's batches; all if empty.")
]


@router.post(
    "/forget",
    responses=responses(400, 404, 408, 413, 422),
    response_model_exclude_defaults=True,
)
def forget(
    caller: Caseworker,
    services: ServicesDep,
    photo: PhotoOrHash,
    group: Group = "",
    never_again: Annotated[
        bool, Form(description="Bar it, too, so that it can't be sent again; for operators.")
    ] = False,
) -> ForgottenPhoto:
    """Erase every job whose photo has exactly these bytes, in the batches that you see."""
    # By its hash alone, a photo is found by reading every photo that has no record.
    for field, asked in (("never_again", never_again), ("sha256", photo.size is None)):
        if asked and not caller.may("operator"):
            raise HTTPException(
                403, f"{field}: this needs the app role operator; yours is {caller.role}"
            )
    done = forget_photo(services, photo, Reach(caller, group or None), never_again=never_again)
    told = present_erasure(services, done.receipt).model_dump()
    return ForgottenPhoto.model_validate({**told, **done.as_json()})


@router.post("/lift", responses=responses(400, 404, 408, 413, 422))
def lift(caller: Operator, services: ServicesDep, photo: PhotoOrHash, group: Group = "") -> Lifted:
    """Let a photo be sent again that is barred."""
    return Lifted(lifted=lift_photo(services, photo, Reach(caller, group or None)))
