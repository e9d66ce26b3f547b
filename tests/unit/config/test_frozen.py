"""Files that settings name are looked for beside the file that names them."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from entrepot.config.frozen import FilePath, Frozen, ReadableFile, Surroundings


class Sample(Frozen):
    key: str = ""


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Sample.model_validate({"kee": "x"})


def test_models_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Sample().key = "x"  # type: ignore[misc]


def test_relative_path_is_relative_to_the_file(tmp_path: Path) -> None:
    adapter: TypeAdapter[Path] = TypeAdapter(FilePath)
    around = Surroundings(tmp_path, {})
    assert adapter.validate_python("cache", context=around) == tmp_path / "cache"
    assert adapter.validate_python("/elsewhere", context=around) == Path("/elsewhere")
    assert adapter.validate_python("cache") == Path("cache")


def test_file_that_must_be_readable_is_looked_at_only_in_its_surroundings(tmp_path: Path) -> None:
    adapter: TypeAdapter[Path] = TypeAdapter(ReadableFile)
    around = Surroundings(tmp_path, {})
    with pytest.raises(ValidationError, match="there is no such file"):
        adapter.validate_python("ca.pem", context=around)
    assert adapter.validate_python("ca.pem") == Path("ca.pem")
    (tmp_path / "ca.pem").write_text("x")
    assert adapter.validate_python("ca.pem", context=around) == tmp_path / "ca.pem"


def test_a_directory_is_no_readable_file(tmp_path: Path) -> None:
    adapter: TypeAdapter[Path] = TypeAdapter(ReadableFile)
    with pytest.raises(ValidationError, match="there is no such file"):
        adapter.validate_python(str(tmp_path), context=Surroundings(tmp_path, {}))
