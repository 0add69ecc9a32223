"""Packing of OME-Zarr: the codec ``gzip``, without the time of the packing."""

from __future__ import annotations

from typing import Any

from zarr import codecs

BASE: Any = codecs.GzipCodec
"""That of zarr, which the checker of types may not have."""

TIME = slice(4, 8)
"""Bytes of a gzip header that tell the time; zeros are none (RFC 1952)."""


class Gzip(BASE):  # type: ignore[misc]
    """The codec of zarr, of which the same pixels are always the same bytes.

    In the file it is called ``gzip``, as any other: nothing else reads it.
    """

    async def _encode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        packed = await super()._encode_single(chunk_bytes, chunk_spec)
        return _timeless(packed, chunk_spec)

    def _encode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        packed = super()._encode_sync(chunk_bytes, chunk_spec)
        return _timeless(packed, chunk_spec)


def _timeless(packed: Any, chunk_spec: Any) -> Any:
    """Return a packed chunk with no time in its header."""
    content = bytearray(packed.to_bytes())
    content[TIME] = bytes(4)
    return chunk_spec.prototype.buffer.from_bytes(bytes(content))
