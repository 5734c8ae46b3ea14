"""Protobuf's framing alone, without its classes: the fields of a message by number, and small messages written."""


def read(data: bytes) -> tuple[dict[int, list[bytes]], dict[int, int]]:
    """The fields that hold bytes, and those that hold a number. Raises: ValueError, IndexError."""
    blocks: dict[int, list[bytes]] = {}
    numbers: dict[int, int] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 2:
                size, at = _varint(data, at)
                if at + size > len(data):
                    raise ValueError("a field ends beyond its message")
                blocks.setdefault(tag >> 3, []).append(data[at : at + size])
                at += size
            case 0:
                numbers[tag >> 3], at = _varint(data, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case other:
                raise ValueError(f"wire type {other}")
    if at > len(data):
        raise ValueError("a field ends beyond its message")
    return blocks, numbers


def block(number: int, inner: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(inner)) + inner


def number(field: int, value: int) -> bytes:
    return bytes([field << 3]) + varint(value)


def varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")
