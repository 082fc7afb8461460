"""The colour of what glows: Planck's law seen by the CIE's standard observer, as scene-linear Rec. 709."""

from functools import cache

import torch
from torch import Tensor

from ..images import LUMINANCE

SECOND_RADIATION = 1.438777e-2  # m K, hc / k
COLDEST, HOTTEST, ENTRIES = 300.0, 10_000.0, 512
LEAST_REFERENCE = 1500.0  # K: nobody exposes for gas that is colder
EXPOSURE = 0.7  # how far light falls with the eye's sensitivity, as a power: 1 is physics, and hides what is red hot

# Wyman, Sloan and Shirley 2013, "Simple Analytic Approximations to the CIE XYZ Color Matching Functions", equation 4:
# lobes as (weight, centre, width below it, width above it), in nm.
_LOBES = (
    ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
    ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
    ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
)
_TO_REC709 = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)  # IEC 61966-2-1, white D65
# Of each of a camera's colours that the others see too. Without it a fire could never be white hot, and with much of it
# fire in daylight is salmon under AgX, which bleaches what is bright by itself.
OVERLAP = 0.004


def glow(temperature: Tensor, hottest: float) -> Tensor:
    """Scene-linear RGB (..., 3) of one unit of radiant power from a body at ``temperature`` (...) in K.

    Exposed for the ``hottest`` gas (K), whose luminance is 1 unless that is below LEAST_REFERENCE. Colder gas gives
    less of its power as light, and below the Draper point (798 K) nothing that shows.
    """
    found = _looked_up(temperature)
    reference = _looked_up(temperature.new_tensor(max(hottest, LEAST_REFERENCE)))[3]
    return found[..., :3] * torch.exp(EXPOSURE * (found[..., 3:] - reference))


def _looked_up(temperature: Tensor) -> Tensor:
    """(..., 4): what ``_table`` says of each temperature, between its entries too."""
    table, place = _table().to(temperature.device), _place(temperature)
    below = place.long().clamp(max=ENTRIES - 2)
    return torch.lerp(table[below], table[below + 1], (place - below)[..., None])


def _place(temperature: Tensor) -> Tensor:
    """Where in the table a temperature is: entries are evenly spaced in 1 / T, as Planck's exponent is."""
    cold, hot = 1 / COLDEST, 1 / HOTTEST
    return (cold - 1 / temperature.clamp(COLDEST, HOTTEST)) / (cold - hot) * (ENTRIES - 1)


@cache
def _table() -> Tensor:
    """(ENTRIES, 4): RGB of luminance 1, and the logarithm of the share of the power that the eye's sensitivity sees."""
    nm = torch.arange(360.0, 831.0, 5.0, dtype=torch.float64)
    matching = torch.stack([sum(_lobe(nm, *lobe) for lobe in lobes) for lobes in _LOBES])  # type: ignore[misc]
    kelvins = 1 / torch.linspace(1 / COLDEST, 1 / HOTTEST, ENTRIES, dtype=torch.float64)
    metres = nm * 1e-9
    # Over the total power (which goes with T^4): what is left is the shape of the spectrum.
    spectrum = metres**-5 / torch.expm1(SECOND_RADIATION / (metres * kelvins[:, None])) / kelvins[:, None] ** 4
    xyz = spectrum @ matching.T
    rgb = (xyz @ torch.tensor(_TO_REC709, dtype=torch.float64).T).clamp(min=0)  # red beyond Rec. 709 loses its blue
    rgb = rgb * (1 - 3 * OVERLAP) + OVERLAP * rgb.sum(1, keepdim=True)
    luminance = rgb @ torch.tensor(LUMINANCE, dtype=torch.float64)
    return torch.cat((rgb / luminance[:, None], xyz[:, 1:2].log()), 1).float()


def _lobe(nm: Tensor, weight: float, centre: float, below: float, above: float) -> Tensor:
    width = torch.where(nm < centre, below, above)
    return weight * torch.exp(-0.5 * ((nm - centre) / width) ** 2)
