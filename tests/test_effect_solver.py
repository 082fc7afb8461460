"""The fluid behind fire, smoke and explosions: what it must keep, and that every control does what it says."""

import math

import pytest
import torch

from backend.effect.advection import Transport, spread
from backend.effect.controls import CONTROLS, checked
from backend.effect.emitter import Emitter
from backend.effect.noise import Waves
from backend.effect.pressure import Pressure, divergence
from backend.effect.projection import CHANNELS, project
from backend.effect.simulation import Effect, Simulation
from backend.errors import UsageError

CPU = torch.device("cpu")
CELLS = (16, 24, 16)
MORE_CELLS = (24, 36, 24)  # for an explosion, which begins small


def run(kind: str, frames: int = 4, cells=CELLS, fps: float = 24.0, **values):
    """The last of so many frames of one effect."""
    values = {"age": 0.0 if kind == "explosion" else 0.6, **values}
    simulation = Simulation([Effect(kind, lambda frame: values)], cells, fps)
    return list(simulation.volumes(frames))[-1]


def seen(kind: str, channel: str, **values) -> torch.Tensor:
    """One channel of the picture of it, (H, W)."""
    return project(run(kind, **values))[0, CHANNELS.index(channel)]


def middle(picture: torch.Tensor) -> tuple[float, float]:
    """The centre of mass of a picture: column, and row from below."""
    rows, columns = torch.meshgrid(*(torch.arange(n).float() for n in picture.shape), indexing="ij")
    weight = picture / picture.sum()
    return float((columns * weight).sum()), float(picture.shape[0] - 1 - (rows * weight).sum())


def random_faces(batch: int = 2):
    torch.manual_seed(0)
    return spread(torch.randn(batch, 3, *CELLS))


def test_the_pressure_gives_exactly_the_divergence_that_is_wanted():
    wanted = torch.zeros(2, *CELLS)
    wanted[:, 6:9, 5:9, 6:9] = 3.0
    before = random_faces()
    u, v, w = Pressure(CELLS, CPU).project(before, wanted)
    assert divergence(before).abs().max() > 1
    assert (divergence((u, v, w)) - wanted).abs().max() < 1e-4
    assert not v[:, :, 0].any()


def test_air_comes_in_from_the_sides_where_gas_rises():
    velocity = torch.zeros(1, 3, *CELLS)
    velocity[:, 1, 6:10, 2:14, 6:10] = 4.0
    u, v, w = Pressure(CELLS, CPU).project(spread(velocity), torch.zeros(1, *CELLS))
    assert u[0, :, :8, 0].mean() > 0.01 > -0.01 > u[0, :, :8, -1].mean()
    assert w[0, 0, :8].mean() > 0.01 > -0.01 > w[0, -1, :8].mean()
    assert v[0, :, -1].mean() > 0.01


def test_what_is_carried_keeps_its_place_shape_and_range():
    """A ball carried 5 cells in 8 steps. Without the correction of the error its peak would be below 0.7."""
    z, y, x = torch.meshgrid(*(torch.arange(float(n)) for n in CELLS), indexing="ij")
    field = torch.exp(-((x - 5) ** 2 + (y - 10) ** 2 + (z - 8) ** 2) / 5)[None, None]
    flow = spread(torch.tensor([5.0, 0.0, 0.0]).view(1, 3, 1, 1, 1).expand(1, 3, *CELLS))
    transport, carried, velocity = Transport(CELLS, CPU), field, flow
    for _ in range(8):
        carried, velocity = transport.carry(carried, velocity, torch.tensor([0.125]))
    assert torch.allclose(velocity[0], flow[0], atol=1e-5)
    before, after = (middle(each[0, 0].sum(0)) for each in (field, carried))
    assert after[0] - before[0] == pytest.approx(5, abs=0.1)
    assert after[1] == pytest.approx(before[1], abs=0.02)
    assert carried.min() > -1e-6 and 0.8 < carried.max() < 1 + 1e-6
    assert carried.sum() == pytest.approx(float(field.sum()), rel=0.02)


def test_nothing_but_clean_air_comes_in():
    field = torch.ones(1, 1, *CELLS)
    flow = spread(torch.tensor([8.0, 0.0, 0.0]).view(1, 3, 1, 1, 1).expand(1, 3, *CELLS))
    carried, _ = Transport(CELLS, CPU).carry(field, flow, torch.tensor([0.5]))
    assert carried[..., :3].abs().max() < 1e-6
    assert carried[..., 6:].min() > 0.99


def test_nothing_sticks_to_the_side_where_it_leaves():
    field = torch.zeros(1, 1, *CELLS)
    field[..., 12:] = 1.0
    flow = spread(torch.tensor([4.0, 0.0, 0.0]).view(1, 3, 1, 1, 1).expand(1, 3, *CELLS))
    transport, carried = Transport(CELLS, CPU), field
    for _ in range(20):
        carried, _ = transport.carry(carried, flow, torch.tensor([0.1]))
    assert carried.max() < 0.02


def test_noise_has_no_divergence_repeats_and_does_not_know_the_cells():
    waves = Waves.drawn([3, 4], [0.6, 0.6], 0.2, torch.tensor([1.0, 2.0]), torch.tensor([1.5, 4.5]))
    at = torch.tensor([0.4, 0.4], dtype=torch.float64)
    field = waves.vector((48, 48, 48), at)
    slopes = [torch.gradient(field[:, axis], dim=dim)[0][:, 1:-1, 1:-1, 1:-1] for axis, dim in enumerate((3, 2, 1))]
    assert sum(slopes).abs().mean() < 0.15 * slopes[0].abs().mean()
    assert field.square().sum(1).mean().sqrt() == pytest.approx(1, abs=0.15)
    again = waves.vector((48, 48, 48), at + torch.tensor([1.5, 4.5]))
    assert torch.allclose(again, field, atol=1e-4)
    assert not torch.allclose(waves.vector((48, 48, 48), at + 0.3), field, atol=0.1)
    fine = torch.nn.functional.avg_pool3d(waves.scalar((96, 96, 96), at), 2)
    assert torch.allclose(fine, waves.scalar((48, 48, 48), at), atol=0.2)
    assert not torch.allclose(field[0], field[1], atol=0.5)


def test_stable_however_long_the_step():
    volume = run("fire", frames=4, fps=0.5, turbulence=4.0, swirl=4.0, wind=20.0)
    assert torch.isfinite(volume.scalars).all() and torch.isfinite(volume.velocity).all()
    assert volume.scalars[:, 0].max() < 1700


def test_same_seed_same_fire_another_seed_another():
    first, same, other = (run("fire", seed=seed).scalars for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert (first - other).abs().max() > 100


def test_a_batch_is_its_members():
    effects = [Effect(kind, lambda frame: {"age": 0.1, "size": 4.0}) for kind in ("fire", "explosion")]
    both = list(Simulation(effects, CELLS).volumes(2))[-1].scalars
    alone = list(Simulation(effects[1:], CELLS).volumes(2))[-1].scalars
    assert both.shape == (2, 5, *CELLS)
    assert both[1, 3].sum() == pytest.approx(float(alone[0, 3].sum()), rel=0.1)


def test_twice_the_cells_the_same_smoke():
    coarse, fine = (run("smoke", frames=3, cells=cells, age=1.0) for cells in (CELLS, (32, 48, 32)))
    a, b = (project(volume)[0, 1] for volume in (coarse, fine.coarser(2)))
    assert a.mean() == pytest.approx(float(b.mean()), rel=0.2)
    assert middle(a) == pytest.approx(middle(b), abs=1.0)
    assert coarse.velocity.std() == pytest.approx(float(fine.coarser(2).velocity.std()), rel=0.3)


def test_an_explosion_expands_and_cools():
    values = {"fuel": 1.0}
    simulation = Simulation([Effect("explosion", lambda frame: values)], MORE_CELLS)
    volumes = [volume.scalars[0] for volume in simulation.volumes(36)]
    room = [float((scalars[3] > 0.3).sum()) for scalars in volumes]
    assert room[10] > 4 * room[2] > 0
    heat = [float(scalars[0].max()) for scalars in volumes]
    assert heat[4] > 1500 and heat[-1] < 0.7 * heat[4]
    assert volumes[-1][2].max() < 0.01 and volumes[-1][1].max() > 0.2


def test_an_explosion_begins_in_lumps():
    """So that it bursts into lobes and is no ball: of each burst another part is rich in fuel."""
    fuels = [run("explosion", frames=2, cells=MORE_CELLS, seed=seed).scalars[0, 2] for seed in (1, 2)]
    inside = torch.stack(fuels).amax(0) > 0.05
    for fuel in fuels:
        assert fuel[inside].std() > 0.4 * fuel[inside].mean() > 0
    assert torch.corrcoef(torch.stack([fuel[inside] for fuel in fuels]))[0, 1] < 0.9


def test_smoke_leaves_through_the_top():
    """As much as comes in: after a while the box holds what it held before."""
    simulation = Simulation([Effect("smoke", lambda frame: {"size": 1.0, "dissipation": 0.0, "age": 0})], CELLS)
    smoke = [float(volume.scalars[0, 1].sum()) for volume in simulation.volumes(144)]
    assert smoke[143] < 1.2 * smoke[95]
    assert smoke[20] > 2 * smoke[6]


def test_wind_carries_it_along():
    across = {wind: middle(seen("smoke", "optical_depth", wind=wind, age=2.0))[0] for wind in (0.0, 0.3, 0.8)}
    assert across[0.0] + 0.5 < across[0.3] < across[0.8] - 0.5
    left = middle(seen("smoke", "optical_depth", wind=0.8, wind_direction=180.0, age=2.0))[0]
    assert left < across[0.0] - 1
    away = seen("smoke", "depth", wind=0.8, wind_direction=90.0, age=2.0)
    assert away.max() > seen("smoke", "depth", age=2.0).max() + 0.3


@pytest.mark.parametrize(
    ("kind", "control", "low", "high", "channel"),
    [
        ("fire", "fuel", 0.4, 1.5, "emission"),
        ("fire", "smoke", 0.1, 2.0, "optical_depth"),
        ("fire", "temperature", 1200.0, 2600.0, "temperature"),
        ("smoke", "smoke", 0.5, 2.0, "optical_depth"),
        ("smoke", "age", 0.3, 2.0, "optical_depth"),
        ("smoke", "fuel", 0.0, 1.0, "emission"),
    ],
)
def test_more_of_a_control_is_more_of_it(kind, control, low, high, channel):
    less, more = (float(seen(kind, channel, **{control: value}).mean()) for value in (low, high))
    assert more > 1.2 * less


def test_more_fuel_is_a_larger_fireball():
    small, large = (run("explosion", frames=14, cells=MORE_CELLS, fuel=fuel).scalars[0, 3] for fuel in (0.5, 2.0))
    assert (large > 0.3).sum() > 1.8 * (small > 0.3).sum() > 0


def test_dissipation_buoyancy_and_size():
    assert seen("smoke", "optical_depth", dissipation=3.0).sum() < 0.8 * seen("smoke", "optical_depth").sum()
    heights = [middle(seen("smoke", "optical_depth", buoyancy=value, age=1.5))[1] for value in (0.2, 1.0, 3.0)]
    assert heights == sorted(heights)
    slow, quick = (run("fire", size=size, age=1.0).velocity.abs().amax() for size in (20.0, 1.0))
    assert quick > 2 * slow


def test_turbulence_and_swirl_stir_the_gas():
    for control, others in (("turbulence", {}), ("swirl", {"turbulence": 0.2})):
        calm, wild = (run("smoke", age=2.0, **{control: value}, **others).velocity[0] for value in (0.0, 4.0))
        assert wild[0].square().mean() > 1.1 * calm[0].square().mean()


def test_time_scale_is_slow_motion():
    """At half the speed, twice the frames show the same moment."""
    normal = run("explosion", frames=5)
    slow = run("explosion", frames=9, time_scale=0.5)
    assert slow.scalars[0, 3].sum() == pytest.approx(float(normal.scalars[0, 3].sum()), rel=0.15)
    assert slow.velocity.abs().max() == pytest.approx(float(normal.velocity.abs().max()) / 2, rel=0.3)


def test_the_colour_of_fire_changes_nothing_else():
    cold, hot = (run("fire", temperature=value) for value in (1200.0, 2600.0))
    assert torch.allclose(cold.velocity, hot.velocity, atol=0.05)
    emissions = [project(volume)[0, 0].mean() for volume in (cold, hot)]
    assert emissions[0] == pytest.approx(float(emissions[1]), rel=0.05)


def test_keyframed_controls_are_followed():
    effect = Effect("smoke", lambda frame: {"age": 0.5, "smoke": 2.0 if frame < 4 else 0.0})
    depths = [float(volume.scalars[0, 1].max()) for volume in Simulation([effect], CELLS, fps=6).volumes(14)]
    assert depths[3] > 1.5 and depths[-1] < 0.5 * depths[3]


def test_an_emitter_can_move_and_be_a_picture():
    picture = torch.zeros(24, 16)
    picture[18:, :5] = 1
    left = Emitter("picture", thickness=0.2, picture=picture)
    fixed = Simulation([Effect("smoke", lambda frame: {"age": 0.3}, lambda frame: left)], CELLS)
    assert middle(project(next(fixed.volumes(1)))[0, 1])[0] < 5

    def path(frame: float) -> Emitter:
        return Emitter("sphere", (0.02 * frame - 0.2, 0.1, 0.0), radius=0.08)

    moving = Simulation([Effect("smoke", lambda frame: {"age": 0.1}, path)], CELLS)
    first, *_, last = (middle(project(volume)[0, 1])[0] for volume in moving.volumes(16))
    assert last > first + 1.5


@pytest.mark.parametrize("shape", ["sphere", "disc", "ring", "line"])
def test_emitters_have_the_same_size_in_all_cells(shape):
    emitter = Emitter(shape, (0.0, 0.3, 0.0), radius=0.15, thickness=0.1, angle=0.5)
    coarse, fine = (emitter.mask(cells, CPU) for cells in ((24, 24, 24), (48, 48, 48)))
    assert fine.min() == 0 and fine.max() == 1
    assert coarse.mean() == pytest.approx(float(fine.mean()), rel=0.15)


def test_emitters_of_no_size_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        Emitter("sphere", radius=0.0)


def test_a_loop_ends_where_it_began():
    simulation = Simulation([Effect("fire", lambda frame: {"size": 1.0, "age": 1.0})], CELLS, period=24)
    pictures = [project(volume)[0, 0] for volume in simulation.loop()]
    assert len(pictures) == 24
    steps = [float((a - b).abs().mean()) for a, b in zip(pictures, pictures[1:] + pictures[:1], strict=True)]
    *inside, seam = steps
    assert seam <= 1.2 * sorted(inside)[len(inside) // 2]
    assert min(steps) > 0.2 * max(steps)


def test_controls_refuse_what_makes_no_sense():
    for kind, values in (
        ("fire", {"size": 0}),
        ("fire", {"wind": math.nan}),
        ("fire", {"wind": "strong"}),
        ("smoke", {"seed": 1.5}),
        ("smoke", {"smoke_colour": (1.0, 2.0, 0.0)}),
        ("explosion", {"foam": 1.0}),
        ("snow", {}),
    ):
        with pytest.raises(UsageError):
            checked(kind, values)


def test_controls_have_sound_tables():
    for kind, table in CONTROLS.items():
        assert set(checked(kind, {})) == set(table)
        for name, control in table.items():
            assert control.name == name and control.label and control.meaning.endswith(".")
            assert control.checked(control.default) == control.default
