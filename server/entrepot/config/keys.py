"""Which keys may stand where: read off the models, for "did you mean"."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel

from entrepot.config.frozen import Frozen
from entrepot.config.problems import Place


def written_keys(model: type[Frozen]) -> tuple[str, ...]:
    """Give the keys of one model as a file writes them."""
    fields = (info.alias or name for name, info in model.model_fields.items())
    return (*fields, *model.also_written)


def keys_at(root: type[Frozen], place: Place) -> tuple[str, ...]:
    """Give the keys of the mapping at a place; none where any key goes, or no mapping is."""
    annotation: object = root
    for part in place:
        annotation = _inside(_bare(annotation), part)
    found = _bare(annotation)
    return written_keys(found) if isinstance(found, type) and issubclass(found, Frozen) else ()


def _inside(annotation: object, part: str | int) -> object:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, info in annotation.model_fields.items():
            if part in {name, info.alias}:
                return info.annotation
        return None
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1]
    return arguments[0] if get_origin(annotation) is tuple else None


def _bare(annotation: object) -> object:
    """Take `Annotated` and `| None` off."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(arg for arg in get_args(annotation) if arg is not type(None)))
    return annotation
