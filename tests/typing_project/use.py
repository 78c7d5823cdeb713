"""A user's code as a type checker sees it: a Tensor gives a Tensor, a SkeletonBatch gives a SkeletonBatch."""

from typing import Any, assert_type

from torch import Tensor

import skelaug
from skelaug import Compose, GrowingPolicy, OneOf, Skeleton, SkeletonBatch, Transform
from skelaug.transforms import GaussianNoise, Shear


def transforms(x: Tensor, batch: SkeletonBatch, keys: Tensor) -> None:
    t = Shear(0.5, p=0.5)
    assert_type(t(x), Tensor)
    assert_type(t(batch), SkeletonBatch)
    assert_type(t(x, keys=keys), Tensor)
    assert_type(t.forward(batch, keys=keys), SkeletonBatch)
    assert_type(t(x, return_params=True), tuple[Tensor, dict[str, Any]])
    assert_type(t(batch, keys=keys, return_params=True), tuple[SkeletonBatch, dict[str, Any]])
    params = t.sample(x, keys=keys)
    assert_type(params, dict[str, Any])
    assert_type(t.replay(x, params), Tensor)
    assert_type(t.replay(batch, params), SkeletonBatch)
    assert_type(t.with_(amount=0.2), Shear)


def containers(x: Tensor, batch: SkeletonBatch) -> None:
    for whole in (Compose([Shear(0.5), GaussianNoise(0.1)]), OneOf([Shear(0.5)], weights=[1.0])):
        assert_type(whole(x), Tensor)
        assert_type(whole(batch), SkeletonBatch)
    assert_type(Compose([Shear(0.5)])[0], Transform)
    assert_type([member(x) for member in Compose([Shear(0.5)])], list[Tensor])


def growing(policy: GrowingPolicy, x: Tensor, batch: SkeletonBatch, keys: Tensor) -> None:
    assert_type(policy.views(x, keys=keys), list[Tensor])
    assert_type(policy.views(batch), list[SkeletonBatch])
    assert_type(policy(x), list[Tensor])
    assert_type(policy.key_view(x), Tensor)
    assert_type(policy.key_view(batch, keys=keys), SkeletonBatch)
    assert_type(policy.replay(x, policy.sample(x)), list[Tensor])
    assert_type(policy.replay(batch, policy.sample(batch)), list[SkeletonBatch])
    assert_type(policy[-1](x), Tensor)
    assert_type(policy[0](batch), SkeletonBatch)
    assert_type(policy[:2], GrowingPolicy)
    assert_type(policy.strength(x), Tensor)


def the_rest(x: Tensor) -> None:
    skeleton = skelaug.skeletons["ntu25"]
    assert_type(skeleton, Skeleton)
    assert_type(skelaug.policies.hiclr(skeleton), GrowingPolicy)
    assert_type(skelaug.policies.ctrgcn(skeleton, length=32), Compose)
    assert_type(skelaug.to_layout(x, "NMTVC", "NCTVM"), Tensor)
    assert_type(skelaug.sample_motion(["walk"]), SkeletonBatch)
    assert_type(skelaug.synthetic_motion(skeleton, n=2, frames=3), SkeletonBatch)
    assert_type(skelaug.random.keys(0, 0, [1, 2]), Tensor)
