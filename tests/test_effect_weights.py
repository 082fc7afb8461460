"""Files of trained effects: opened strictly."""

from pathlib import Path

import pytest
from effect_network import TINY
from safetensors.torch import load_file, save_file

from backend.effect.encoding import Encoding
from backend.effect.generator import EffectGenerator
from backend.effect.model_file import EffectFile
from backend.errors import EffectError


def test_the_file_is_strict(tmp_path: Path) -> None:
    network = EffectGenerator(TINY)
    card = {"kind": "fire", "config": TINY.as_json(), "encoding": Encoding().as_json()}
    file = tmp_path / "fire.safetensors"

    def refused(why: str) -> None:
        with pytest.raises(EffectError, match=why) as caught:
            EffectFile.open(file)
        assert caught.value.remedy

    refused("no trained effect")
    file.write_bytes(b"nonsense")
    refused("not an effect file")
    EffectFile(card, network.state_dict()).save(file)
    EffectFile.open(file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-2] + b"\x11\x22")
    refused("damaged")
    file.write_bytes(whole[:100])
    refused("damaged")
    save_file(load_file(_written(file, whole)), file)  # weights without their card
    refused("has no card")
    EffectFile(card, {name: tensor for name, tensor in network.state_dict().items() if "head" not in name}).save(file)
    refused("do not fit")
    EffectFile(card | {"config": TINY.as_json() | {"context": 9}}, network.state_dict()).save(file)
    refused("do not fit")
    EffectFile(card | {"encoding": Encoding().as_json()[:3]}, network.state_dict()).save(file)
    refused("do not fit")


def _written(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


def test_missing_weights_are_said_to_be_missing() -> None:
    with pytest.raises(
        EffectError, match=r"has not learned no-such-kind here: no-such-kind\.safetensors is missing\. Install"
    ):
        EffectFile.shipped("no-such-kind")
