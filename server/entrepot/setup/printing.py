"""A plan for reading: every file with its path, and what to do with it."""

from __future__ import annotations

from collections.abc import Iterator

from entrepot.setup.clusters import HOME
from entrepot.setup.plan import CRI, ROOT, File, Merge, Plan

_HOW = {
    Merge.WHOLE: "",
    Merge.TOML: "  (these tables, whatever else is there)",
    Merge.JSON: "  (add these items, whatever else is there)",
    Merge.YAML: "  (these entries, whatever else is there)",
}


def printed(plan: Plan, ca: str | None = None) -> str:
    """Tell all of it; every line that belongs into no file is a comment."""
    return "\n".join(_lines(plan, ca)) + "\n"


def _lines(plan: Plan, ca: str | None) -> Iterator[str]:
    if plan.impossible:
        yield f"# {plan.impossible}"
        return
    for file in plan.files:
        if file.text is None:
            yield f"# {file.path}: a copy of {ca}"
        else:
            yield f"# {file.path}{_HOW[file.merge]}"
            if file.drop:
                dropped = ", ".join(f"[{table}]" for table in file.drop)
                yield f"# Take out, with all below them: {_filled(dropped, plan)}"
            yield _filled(file_text(file), plan)
    if plan.restart:
        yield f"# Then: {plan.restart}"
    for note in plan.notes:
        yield f"# {note}"


def file_text(file: File) -> str:
    """What a new file has in it, placeholders and all."""
    return f"{file.new}{file.text}"


def _filled(text: str, plan: Plan) -> str:
    return text.replace(CRI, plan.cri).replace(ROOT, "").replace(HOME, "$HOME")
