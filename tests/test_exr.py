"""The add-on's own reader of Blender's EXRs sees what the backend sees."""

import numpy as np
import pytest

from addon import exr_picture
from addon.backend.errors import ShotError
from backend.shot import Shot


@pytest.mark.parametrize("name", ["moving", "layers", "border", "composed"])
def test_the_picture_is_the_one_that_a_look_sees(rendered, name):
    shot = Shot.open(rendered / name)
    for frame in shot.frames:
        seen = shot.read(frame, ["beauty"])["beauty"]
        assert seen[..., :3].std() > 0.01, "there is something to see"
        np.testing.assert_array_equal(exr_picture.read_combined(shot.path(frame), shot.view_layer), seen)


def test_a_file_that_holds_no_picture_is_said_to(rendered, tmp_path):
    whole = (rendered / "moving" / "moving_0001.exr").read_bytes()
    path = tmp_path / "frame_0001.exr"
    for content in (b"", b"nonsense" * 99, whole[: len(whole) // 20], whole[:300]):
        path.write_bytes(content)
        with pytest.raises(ShotError, match=r"frame_0001\.exr cannot be read"):
            exr_picture.read_combined(path, "")
    with pytest.raises(ShotError, match=r"frame_0002\.exr cannot be read"):
        exr_picture.read_combined(tmp_path / "frame_0002.exr", "")
