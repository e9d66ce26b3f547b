"""`entrepot prefetch`."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import click

from entrepot.cli.adminclient import AdminClient, Document, Refused
from entrepot.cli.asking import fetches
from entrepot.cli.imagelist import Listed, read_images
from entrepot.cli.kubernetes import Needed, kubernetes_option
from entrepot.cli.meter import Meter, meter
from entrepot.cli.platforms import parse_platforms, platform_option
from entrepot.cli.wording import about, count_text, size_text
from entrepot.wording import span_text

_BROKEN_OFF = "broken off: what was fetched is kept, and the same command goes on from there"


@click.command()
@click.argument("images", metavar="[IMAGE]...", nargs=-1)
@kubernetes_option
@platform_option
@click.option("--all-platforms", is_flag=True, help="All that an image has.")
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="A list of images, Kubernetes manifests, `helm template`, a compose file; - is stdin.",
)
@click.option("--background", is_flag=True, help="Leave it to the server, and return.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, at the end.")
@fetches
def prefetch(
    client: AdminClient,
    images: tuple[str, ...],
    kubernetes: Needed,
    platforms: tuple[str, ...],
    files: tuple[Path, ...],
    *,
    all_platforms: bool,
    background: bool,
    as_json: bool,
) -> None:
    """Fetch images into the cache, ahead of whoever will pull them.

    What clients wait for goes first. Without --platform it is the platform of this machine. Broken
    off, by ^C too, it goes on where it was when it is said again.

    Exit status 1 when an image could not be had, but for the sandbox images that kubeadm does not
    pull.
    """
    listed = [read_images(file) for file in files]
    told = (*kubernetes.images, *images, *(name for one in listed for name in one.images))
    names = list(dict.fromkeys((*told, *kubernetes.extras)))
    extras = [name for name in kubernetes.extras if name not in told]
    for one in listed:
        _tell_skipped(one)
    if not names:
        raise click.UsageError("say which images: IMAGE, --kubernetes VERSION or -f FILE")
    wanted = [] if all_platforms else list(platforms or parse_platforms([platform.machine()]))
    order: Document = {"images": names, "platforms": wanted, "extras": extras}
    if background:
        if not client.running:
            raise click.UsageError("no server runs on this cache that it could be left to")
        job = client.ask("POST", "/v1/prefetch", {"background": ""}, order)
        click.echo(json.dumps(job, indent=2) if as_json else f"prefetch {job['id']} has begun")
        return
    with meter("", 0, shown=not as_json) as measured:
        try:
            ended = _watched(client, order, measured, quiet=as_json)
        except KeyboardInterrupt as interrupt:
            raise Refused(_BROKEN_OFF) from interrupt
    lost = [one for one in ended if one["state"] != "done"]
    failed = [one for one in lost if not one["extra"]]
    for each in failed:
        _tell_meant(client, each)
    if as_json:
        click.echo(json.dumps({"images": ended, "platforms": wanted}, indent=2))
    else:
        fetched = sum(int(one["fetched"]) for one in ended)
        done = count_text(len(ended) - len(lost), "image")
        without = f", {len(lost) - len(failed)} done without" if len(lost) > len(failed) else ""
        click.echo(f"{done} here, {size_text(fetched)} fetched, {len(failed)} failed{without}")
    if failed:
        raise SystemExit(1)


def _watched(
    client: AdminClient, order: Document, measured: Meter, *, quiet: bool
) -> list[Document]:
    """Follow a job to its end, and tell the images; Refused when it breaks off."""
    images: dict[str, Document] = {}
    for line in client.lines("POST", "/v1/prefetch", body=order):
        if "image" in line:
            one = line["image"]
            images[one["told"]] = one
            if not quiet:
                _tell(one, measured)
        elif "progress" in line:
            progress = line["progress"]
            measured.what = _what(progress)
            measured.set(int(progress["bytes"]), int(progress["bytes_total"]))
        elif "done" in line:
            return list(images.values())
    raise Refused(_BROKEN_OFF)


def _tell(one: Document, measured: Meter) -> None:
    name = one["name"] or one["told"]
    if one["state"] == "done":
        measured.note(f"{name}  {size_text(one['bytes'])}, {_how(one['bytes'], one['fetched'])}")
    elif one["state"] == "failed" and one["extra"]:
        measured.clear()
        click.echo(f"{about(name, one['reason'])}; kubeadm does not need it", err=True)
    elif one["state"] == "failed":
        measured.clear()
        click.echo(f"Error: {about(name, one['reason'])}", err=True)
    elif one["state"] == "retrying" and not one["extra"]:
        measured.clear()
        rest = span_text(one["again_in"])
        click.echo(f"{about(name, one['reason'])}; again in {rest}", err=True)


def _how(count: int, fetched: int) -> str:
    if not fetched:
        return "was here"
    before = f", {size_text(count - fetched)} was here" if count > fetched else ""
    return f"{size_text(fetched)} fetched{before}"


def _tell_meant(client: AdminClient, one: Document) -> None:
    if one["name"] is not None:
        for name in client.get("/v1/images/meant", name=one["name"])["names"]:
            click.echo(f"{one['name']}: did you mean {name}?", err=True)


def _what(progress: Document) -> str:
    ended = f"{progress['done'] + progress['failed']} of {count_text(progress['images'], 'image')}"
    return f"{ended}  clients go first" if progress["standing_back"] else ended


def _tell_skipped(one: Listed) -> None:
    for text, why in one.skipped:
        click.echo(f"{one.file}: {text}: {why}", err=True)
