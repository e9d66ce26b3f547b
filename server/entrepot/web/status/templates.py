"""The templates, with everything escaped that is put into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from entrepot.mirror.overview import Span
from entrepot.web.status.plots import Plot, plot, round_up_bytes
from entrepot.wording import ago_text, count_text, size_text, span_text

_PLOTTED = {"hour": 360, "day": 144}


def environment() -> Environment:
    """Load every template now, which reads files: not on the event loop."""
    made = Environment(
        loader=PackageLoader("entrepot.web.status", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"size": size_text, "ago": ago_text, "span": span_text, "count": count_text}
    made.filters |= {"percent": _percent, "share": share}
    for name in made.list_templates(extensions=["html"]):
        made.get_template(name)
    return made


def plots(steps: Sequence[Mapping[str, object]], span: Span) -> dict[str, Plot]:
    """Make the plots of an hour or a day."""
    most = _PLOTTED[span]

    def values(key: str) -> list[float | None]:
        told = [step[key] for step in steps]
        return [float(str(value)) if value is not None else None for value in told]

    def rates(key: str) -> list[float | None]:
        seconds = values("seconds")
        return [
            (value or 0.0) / (time or 1.0) for value, time in zip(values(key), seconds, strict=True)
        ]

    sent, fetched = rates("sent_bytes"), rates("fetched_bytes")
    top = round_up_bytes(max((rate or 0.0 for rate in (*sent, *fetched)), default=0.0))
    return {
        "hit_rate": plot(values("hit_rate"), most=most, top=1.0),
        "sent": plot(sent, most=most, top=top),
        "fetched": plot(fetched, most=most, top=top),
    }


def share(part: float, whole: float | None, of: float = 1000.0) -> float:
    """Tell how long a bar is."""
    return round(of * min(part / whole, 1.0), 1) if whole else 0.0


def _percent(told: float | None) -> str:
    return "-" if told is None else f"{100 * told:.0f} %"
