"""How an effect is trained: a few numbers in a TOML file, beside the recipes of the training sets."""

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import UsageError
from .recipe import RECIPES


@dataclass(frozen=True)
class Plan:
    """A training.

    ``seconds``: the time it is made for. ``factor``, ``noise``, ``context``, ``blocks``, ``widths``: the generator's
    shape, see ``generator.Config``; ``judge_width``: the discriminators'. ``batch`` patches of ``patch`` coarse pixels,
    the fullest of so many ``tries``; ``unroll`` frames in a row are learned from, after ``warm`` that only lead there.
    ``hold``: one of so many sims is held back. ``rate``, ``judge_rate``: of Adam, at the start. ``l1``, ``amount`` (of
    light and density in each coarse pixel), ``features``, ``adversarial``, ``motion``: how much each loss counts;
    ``penalty``: of the discriminators' gradients, every ``lazy`` steps. ``soften``: by up to how many pixels (standard
    deviation) a coarse picture is blurred: a coarse simulation is softer than a fine one that was averaged, and may be
    shown larger than it is. ``decay``: of the average. ``precision``: bf16 counts on a graphics card only.
    """

    seconds: float
    factor: int
    noise: int
    context: int
    blocks: int
    widths: tuple[int, ...]
    judge_width: int
    batch: int
    patch: int
    tries: int
    unroll: int
    warm: int
    hold: int
    rate: float
    judge_rate: float
    l1: float
    amount: float
    features: float
    adversarial: float
    motion: float
    penalty: float
    lazy: int
    soften: float
    decay: float
    precision: Literal["fp32", "bf16"]

    def __post_init__(self) -> None:
        """Raise ``UsageError`` for what cannot be trained."""
        for name in ("seconds", "batch", "patch", "tries", "judge_width", "rate", "judge_rate", "lazy"):
            _check(getattr(self, name) > 0, f"{name} must be above 0")
        for name in ("l1", "amount", "features", "adversarial", "motion", "penalty", "warm"):
            _check(getattr(self, name) >= 0, f"{name} must not be below 0")
        _check(self.unroll >= 3, "unroll must be at least 3: motion is judged on three frames")
        _check(self.hold >= 2, "hold must be at least 2")
        _check(0 <= self.soften <= 4, "soften must be from 0 to 4")
        _check(0 <= self.decay < 1, "decay must be from 0 to less than 1")
        _check(self.precision in ("fp32", "bf16"), "precision must be fp32 or bf16")

    @property
    def judged(self) -> bool:
        """Whether discriminators have a say; else it is the same network, trained for the smallest error alone."""
        return self.adversarial > 0 or self.motion > 0 or self.features > 0

    @classmethod
    def read(cls, source: str) -> "Plan":
        """The training recipe of this name (``cpu``, ``gpu``), or in this .toml file. Raises ``UsageError``."""
        file = Path(source) if source.endswith(".toml") else RECIPES / f"train-{source}.toml"
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8"))
            return cls(**data | {"widths": tuple(data["widths"])})
        except OSError as error:
            raise UsageError(
                f"There is no training recipe {source}.", "There are cpu and gpu; or name a .toml file."
            ) from error
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise UsageError(
                f"The training recipe {source} is wrong: {error}.", "Compare it with train-cpu."
            ) from error

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(f"The training recipe is wrong: {message}.")
