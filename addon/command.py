"""Tells Blender of the command ``paintover``; what it does is loaded when it is called."""

import bpy

_registered: list[object] = []


def _main(arguments: list[str]) -> int:
    from .command_line import main  # most sessions have a window: argparse and signal would only delay their start

    return main(arguments)


def register() -> None:
    _registered.append(bpy.utils.register_cli_command("paintover", _main))


def unregister() -> None:
    while _registered:
        bpy.utils.unregister_cli_command(_registered.pop())
