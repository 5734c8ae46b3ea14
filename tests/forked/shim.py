"""Stands in for a program: has it forked, passes signals on, and ends as it ends. Imports next to nothing."""

import _signal  # type: ignore[import-not-found]  # `signal`, and enum with it, take as long as all the rest
import _socket
import marshal
import os
import sys

BIN, NAME = os.path.split(__file__)
REAL = f"{os.path.dirname(sys.executable)}/{NAME}"  # noqa: PTH120  # pathlib takes longer than all the rest
PASSED_ON = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM)
STAY = {"api", "demo", "gateway", "mcp-proxy", "run", "up"}


def stays(arguments: list[str]) -> bool:
    """What stays until it is told to stop is told so by its number, which must be its own."""
    return NAME == "airworthy" and bool(STAY.intersection(arguments[:1])) and "--until-idle" not in arguments


def forked(server: _socket.socket, program: list[str]) -> int:
    """Its exit code; of one that a signal ended, the number of the signal, negative."""
    request = marshal.dumps((program, os.getcwd(), dict(os.environ)))  # noqa: PTH109
    files = b"".join(each.to_bytes(4, sys.byteorder) for each in (0, 1, 2))
    server.sendmsg([len(request).to_bytes(8)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
    server.sendall(request)
    for number in PASSED_ON:
        _signal.signal(number, lambda told, _: server.sendall(bytes([told])))
    return int(server.recv(16))


def main() -> int:
    program = [REAL, *sys.argv[1:]]
    if stays(sys.argv[1:]):
        os.execv(REAL, program)
    server = _socket.socket(_socket.AF_UNIX)
    server.connect(f"{os.path.dirname(BIN)}/socket")  # noqa: PTH120
    code = forked(server, program)
    if code < 0:
        if -code in PASSED_ON:
            _signal.signal(-code, _signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    os._exit(main())
