"""How much energy the waves of each length and direction have.

Densities are of the variance of height over the plane of wave vectors, in m^4: integrated over d(kx) d(kz) (rad/m)
they give the variance in m^2. The significant height is four times the root of it.
"""

import math

import torch
from torch import Tensor

from .dispersion import GRAVITY, frequency, group_velocity

BREEZE = 3.0  # m/s
CALM = 1e-3  # m/s: a wind that raises nothing, so that none need be divided by


def jonswap(omega: Tensor, wind: float, fetch: float) -> Tensor:
    """Wind sea in deep water, in m^2 s, over angular frequency (rad/s, above 0).

    Hasselmann et al. 1973, JONSWAP, in the form of Horvath 2015, "Empirical directional wave spectra for computer
    graphics". ``wind`` in m/s at 10 m, ``fetch`` in m.
    """
    wind = max(wind, CALM)
    peak = peak_frequency(wind, fetch)
    alpha = 0.076 * (wind**2 / (fetch * GRAVITY)) ** 0.22
    width = torch.where(omega <= peak, 0.07, 0.09)
    sharpness = torch.exp(-((omega - peak) ** 2) / (2 * (width * peak) ** 2))
    density: Tensor = alpha * GRAVITY**2 / omega**5 * torch.exp(-1.25 * (peak / omega) ** 4) * 3.3**sharpness
    return density


def peak_frequency(wind: float, fetch: float) -> float:
    """Angular frequency in rad/s of the highest waves of ``jonswap``."""
    return 22 * math.pow(GRAVITY**2 / (max(wind, CALM) * fetch), 1 / 3)


def shoaling(k: Tensor, depth: float) -> Tensor:
    """What finite depth leaves of the energy at a frequency, 0 to 1.

    Bouws et al. 1985 (TMA), in closed form: tanh^2(kd) / (1 + 2kd / sinh(2kd)).
    """
    kd = k * depth
    return torch.tanh(kd) ** 2 / (1 + 2 * kd / torch.sinh((2 * kd).clamp_max(80)))


def spreading(angle: Tensor, ratio: Tensor) -> Tensor:
    """Share of the energy per radian at ``angle`` from the wind; ``ratio``: frequency over the peak's.

    Donelan et al. 1985 with Banner's tail of 1990: Horvath 2015, Donelan-Banner spreading.
    """
    tail = 10 ** (-0.4 + 0.8393 * torch.exp(-0.567 * torch.log(ratio.clamp_min(1.6) ** 2)))
    beta = torch.where(ratio < 0.95, 2.61 * ratio.clamp_min(0.56) ** 1.3, 2.28 * ratio.clamp_min(0.95) ** -1.3)
    beta = torch.where(ratio > 1.6, tail, beta)
    wrapped = torch.remainder(angle + math.pi, 2 * math.pi) - math.pi
    return beta / (2 * torch.tanh(beta * math.pi)) / torch.cosh(beta * wrapped) ** 2


def wind_sea(kx: Tensor, kz: Tensor, wind: float, direction: float, fetch: float, depth: float) -> Tensor:
    """Density of the waves that wind raises (TMA, directional); ``direction`` in radians. 0 at the zero vector.

    JONSWAP was measured in wind; extended to light airs it would have them raise waves as steep as a storm's, where
    water stays nearly smooth. So its energy is taken back below ``BREEZE``.
    """
    k = torch.hypot(kx, kz)
    safe = torch.where(k > 0, k, 1.0)
    omega = frequency(safe, depth)
    energy = jonswap(omega, wind, fetch) * shoaling(safe, depth) * (1 - math.exp(-((wind / BREEZE) ** 2)))
    share = spreading(torch.atan2(kz, kx) - direction, omega / peak_frequency(wind, fetch))
    return torch.where(k > 0, energy * share * group_velocity(safe, depth) / safe, 0.0)


def band(kx: Tensor, kz: Tensor, peak: float, width: float) -> Tensor:
    """Shape of a band of wavelengths around wavenumber ``peak`` from all sides, log-normal; 1 at its peak.

    ``width``: its deviation, as a factor of e. No unit yet: normalise what is made of it.
    """
    k = torch.hypot(kx, kz)
    return torch.where(k > 0, torch.exp(-((torch.log(torch.where(k > 0, k, 1.0) / peak)) ** 2) / (2 * width**2)), 0.0)


def swell(kx: Tensor, kz: Tensor, peak: float, width: float, direction: float, spread: float) -> Tensor:
    """Shape of a swell around wavenumber ``peak`` toward ``direction`` (radians), like ``band``.

    ``spread``: its angular deviation in radians; infinite for a swell from all sides.
    """
    angle = torch.remainder(torch.atan2(kz, kx) - direction + math.pi, 2 * math.pi) - math.pi
    return band(kx, kz, peak, width) * torch.exp(-((angle / spread) ** 2) / 2)
