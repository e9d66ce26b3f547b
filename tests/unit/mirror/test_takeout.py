"""Images go with all that only they need, and nothing goes that somebody uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from entrepot.mirror.accounts import Accounts
from entrepot.mirror.leases import Leases
from entrepot.mirror.takeout import TakeOut
from entrepot.oci.digest import Digest
from fakes.images import Image, image
from unit.store.keeping import Keeping, keeping

BASE = {"bin/base": (0o755, b"needed by both" * 100)}
ONE = image("one", rootfs=BASE, layers=(500,))
TWO = image("two", rootfs=BASE, layers=(600,))
SHARED = Digest.of(ONE.layers[0])
OWN = Digest.of(ONE.layers[1])


def parts(one: Image) -> Mapping[Digest, int]:
    return {Digest.of(data): len(data) for data in (one.manifest, *one.blobs)}


async def take_out(own: Keeping, forgotten: list[Digest]) -> TakeOut:
    accounts = Accounts(own.store, own.catalog, own.metrics.cache)
    await accounts.recount()
    return TakeOut(accounts, Leases(), own.clock, forgotten.extend)


async def test_rows_and_files_go_and_what_others_need_stays(tmp_path: Path) -> None:
    forgotten: list[Digest] = []
    async with keeping(tmp_path) as own:
        await own.put_image("1", "1.0", image=ONE)
        await own.put_image("2", image=TWO)
        out = await take_out(own, forgotten)
        before = out.accounts.kept
        gone = await out.images([ONE.digest], parts(ONE))
        assert gone.blobs == parts(ONE).keys() - {SHARED}
        assert gone.bytes == sum(parts(ONE)[digest] for digest in gone.blobs)
        assert sorted(str(tag) for _, _, tag in gone.tags) == ["1", "1.0"]
        assert list(gone.manifests) == forgotten == [ONE.digest]
        assert await own.digests() == set(parts(TWO))
        assert not any(own.path(digest).exists() for digest in gone.blobs)
        assert all(own.path(digest).exists() for digest in parts(TWO))
        assert await own.tags() == ["2"]
        assert out.accounts.kept == before - gone.bytes


async def test_what_is_read_stays_until_it_is_not(tmp_path: Path) -> None:
    async with keeping(tmp_path) as own:
        await own.put_image("1", image=ONE)
        out = await take_out(own, [])
        lease = out.leases.take(OWN)
        assert out.busy() == {OWN}
        gone = await out.images([ONE.digest], parts(ONE))
        assert gone.spared == {OWN}
        assert gone.blobs == parts(ONE).keys() - {OWN}
        assert await own.digests() == {OWN}
        assert own.path(OWN).read_bytes() == ONE.layers[1]
        lease.release()
        assert out.busy() == set()


async def test_what_comes_into_use_before_its_file_goes_is_entered_again(tmp_path: Path) -> None:
    async with keeping(tmp_path) as own:
        await own.put_image("1", image=ONE)
        accounts, leases = Accounts(own.store, own.catalog, own.metrics.cache), Leases()

        def forget(_gone: Iterable[Digest]) -> None:
            _ = leases.take(OWN)

        gone = await TakeOut(accounts, leases, own.clock, forget).images([ONE.digest], parts(ONE))
        assert OWN in gone.spared
        assert OWN not in gone.blobs
        record = await own.catalog.blob(OWN)
        assert record is not None
        assert (record.size, record.used_at) == (500, own.clock.now)
        assert own.path(OWN).exists()
        assert accounts.kept == 500


async def test_what_the_disk_does_not_let_go_of_has_no_row_any_more(tmp_path: Path) -> None:
    """The sweep finds it; until then it is neither served nor counted."""
    async with keeping(tmp_path) as own:
        await own.put_image("1", image=ONE)
        await own.put_image("2", image=TWO)
        stuck = own.path(OWN)
        stuck.unlink()
        stuck.mkdir()
        out = await take_out(own, [])
        gone = await out.images([ONE.digest], parts(ONE))
        assert OWN in gone.blobs
        assert await own.digests() == set(parts(TWO))
        assert await own.tags() == ["2"]
        assert stuck.is_dir()
        assert all(own.path(digest).exists() for digest in parts(TWO))
        assert out.accounts.kept == sum(parts(TWO).values())
