"""The one vocabulary that both sides of the pipe share. Standard library only.

A message is a JSON object, sent as a 4-byte big-endian length and that many bytes of UTF-8. The child speaks first:

    child   hello     protocol, version
    parent  request   id, verb, params
    parent  cancel    id            give up, keep nothing half-done
    parent  stop      id            end now, keep the best so far
    child   progress  id, report    any number, before the job's result or error
    child   result    id, value     the last word on a job
    child   error     id, error     the last word on a job: ``errors.PaintoverError.as_json``

Requests run one after another in order of arrival; cancel and stop are heard at once. Messages carry paths and
numbers, never pixels.
"""

import json
import math
import os
from typing import Any, BinaryIO, TypeAlias

from .errors import ProtocolError

Message: TypeAlias = dict[str, Any]

PROTOCOL = 1
LENGTH_BYTES = 4
MAX_MESSAGE = 16 * 1024 * 1024  # bytes; text mistaken for a length is far above this, so nonsense is seen at once

HELLO = "hello"
REQUEST = "request"
CANCEL = "cancel"
STOP = "stop"
PROGRESS = "progress"
RESULT = "result"
ERROR = "error"


def plain(value: Any) -> Any:
    """``value`` as the other side will see it: JSON's types only.

    Paths and keys become text, tuples become lists. NaN and infinity, which JSON does not have, become None (a PSNR
    of two equal pictures is infinite). Raises ``TypeError`` for anything else.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case os.PathLike():
            return os.fspath(value)
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot travel in a message: {value!r}")


def encode(message: Message) -> bytes:
    """One message as JSON. Raises ``TypeError`` for what cannot travel, ``ProtocolError`` for too much of it."""
    data = json.dumps(plain(message), ensure_ascii=False).encode()
    if len(data) > MAX_MESSAGE:
        raise ProtocolError(f"A message of {len(data)} bytes is too long.", "Send a path to a file instead.")
    return data


def decode(data: bytes) -> Message:
    """The message that ``encode`` wrote. Raises ``ProtocolError`` for anything else."""
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:  # bytes that are no UTF-8, text that is no JSON, a thousand brackets
        raise ProtocolError(f"Nonsense on the backend's pipe: {data[:60]!r}.") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError(f"A message without a type on the backend's pipe: {data[:60]!r}.")
    return message


def write_message(stream: BinaryIO, data: bytes) -> None:
    """Send one encoded message. The caller sees to it that only one thread writes at a time."""
    stream.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
    stream.flush()


def read_message(stream: BinaryIO) -> Message | None:
    """The next message, or None where the other side is gone, be it in the middle of a message.

    Raises ``ProtocolError`` for what is no message.
    """
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    if length > MAX_MESSAGE:
        raise ProtocolError(f"Nonsense on the backend's pipe, beginning with {head!r}.")
    data = stream.read(length)
    return decode(data) if len(data) == length else None
