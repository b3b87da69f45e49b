"""CRC-32C, by which Secret Manager's payloads are checked.

Source: https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4
"""

from functools import cache

POLYNOMIAL = 0x82F63B78  # Castagnoli's, its bits reversed


def crc32c(data: bytes) -> int:
    """The checksum of `data`, as a non-negative integer of 32 bits."""
    table = _table()
    value = 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    return tuple(_entry(byte) for byte in range(256))


def _entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
    return value
