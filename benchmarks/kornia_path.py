"""kornia's generic path, where it has one: points, a blur, noise, with parameters of their own per sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kornia
import torch
from kornia.augmentation import RandomGaussianNoise
from torch import Tensor

from skelaug import transforms as T


def pairs(x: Tensor) -> dict[str, dict[str, Callable[[], Any]]]:
    """What to race: skelaug's transform and kornia's way to the same result, parameters drawn in both."""
    n, c, t, v, m = x.shape
    rotate, blur, noise = T.Rotate(30), T.Blur((0.1, 2), p=1.0), T.GaussianNoise(0.01)
    kornia_noise = RandomGaussianNoise(0.0, 0.01, p=1.0)

    def rotated() -> Tensor:
        angles = (torch.rand(n, 3, device=x.device) * 2 - 1) * torch.pi / 6
        quaternion = torch.stack(kornia.geometry.quaternion_from_euler(*angles.unbind(1)), 1)
        matrix = torch.eye(4, device=x.device).repeat(n, 1, 1)
        matrix[:, :3, :3] = kornia.geometry.quaternion_to_rotation_matrix(quaternion)
        points = kornia.geometry.transform_points(matrix, x.permute(0, 2, 3, 4, 1).reshape(n, -1, c))
        return points.view(n, t, v, m, c).permute(0, 4, 1, 2, 3).contiguous()

    def blurred() -> Tensor:
        sigma = torch.empty(n, 2, device=x.device).uniform_(0.1, 2)
        sigma[:, 1] = 1e-3  # along time only
        return kornia.filters.gaussian_blur2d(x.flatten(3), (15, 1), sigma).view_as(x)

    return {
        "rotate": {"skelaug": lambda: rotate(x), "kornia transform_points": rotated},
        "blur": {"skelaug": lambda: blur(x), "kornia gaussian_blur2d": blurred},
        "noise": {"skelaug": lambda: noise(x), "kornia RandomGaussianNoise": lambda: kornia_noise(x.flatten(3))},
    }
