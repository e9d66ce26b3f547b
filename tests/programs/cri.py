"""What kubelet says to containerd: nine calls of the Kubernetes CRI, version v1, over gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from programs.protobuf import Message, encode

CALL_TIMEOUT_S = 25.0
NETWORK_OF_THE_NODE = 2  # NamespaceMode.NODE: no CNI plugin is asked for anything
SANDBOX_READY = 0


@dataclass(frozen=True, slots=True)
class CriImage:
    """An image as the runtime lists it; `id` is the digest of its config."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size: int

    @classmethod
    def of(cls, message: Message) -> CriImage:
        return cls(message.text(1), message.texts(2), message.texts(3), message.number(4))


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """State of one pod sandbox; `created_at` in nanoseconds since the epoch."""

    id: str
    ready: bool
    created_at: int


class Cri:
    """A client on containerd's socket, for `async with`; calls raise `grpc.aio.AioRpcError`."""

    def __init__(self, socket: Path) -> None:
        self._target = f"unix://{socket}"
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._target)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def _call(self, service: str, method: str, request: bytes) -> Message:
        assert self._channel is not None, "used outside `async with`"
        call = self._channel.unary_unary(f"/runtime.v1.{service}/{method}")
        answer: bytes = await call(request, timeout=CALL_TIMEOUT_S, wait_for_ready=True)
        return Message.decode(answer)

    async def pull_image(self, image: str) -> str:
        """Pull, and give back the runtime's own name for what it got (the config's digest)."""
        answer = await self._call("ImageService", "PullImage", encode((1, _image_spec(image))))
        return answer.text(1)

    async def image_status(self, image: str) -> CriImage | None:
        answer = await self._call("ImageService", "ImageStatus", encode((1, _image_spec(image))))
        return next((CriImage.of(found) for found in answer.messages(1)), None)

    async def list_images(self) -> tuple[CriImage, ...]:
        answer = await self._call("ImageService", "ListImages", b"")
        return tuple(CriImage.of(found) for found in answer.messages(1))

    async def run_pod_sandbox(self, name: str) -> str:
        """Start a pod's sandbox on the node's own network; its id.

        No hostname is given: a pod on the node's network shares its UTS namespace too.
        """
        metadata = encode((1, name), (2, f"uid-of-{name}"), (3, "default"))
        security = encode((1, encode((1, NETWORK_OF_THE_NODE))))
        config = encode((1, metadata), (8, encode((2, security))))
        answer = await self._call("RuntimeService", "RunPodSandbox", encode((1, config)))
        return answer.text(1)

    async def pod_sandbox_status(self, sandbox: str) -> SandboxStatus:
        answer = await self._call("RuntimeService", "PodSandboxStatus", encode((1, sandbox)))
        (status,) = answer.messages(1)
        return SandboxStatus(status.text(1), status.number(3) == SANDBOX_READY, status.number(4))

    async def list_pod_sandboxes(self) -> tuple[str, ...]:
        """The ids of all sandboxes, running or not."""
        answer = await self._call("RuntimeService", "ListPodSandbox", b"")
        return tuple(found.text(1) for found in answer.messages(1))

    async def stop_pod_sandbox(self, sandbox: str) -> None:
        await self._call("RuntimeService", "StopPodSandbox", encode((1, sandbox)))

    async def remove_pod_sandbox(self, sandbox: str) -> None:
        await self._call("RuntimeService", "RemovePodSandbox", encode((1, sandbox)))


def _image_spec(image: str) -> bytes:
    return encode((1, image))
