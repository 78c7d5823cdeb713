"""Every transform, found by the axis it acts on: space, time, joints, values, graph.

Beside space stand mirror (axes and sides) and pose (where bodies stand), beside joints streams (bone, motion), beside
time gaps. A new transform is listed in the ``__all__`` of its module, and nowhere else.
"""

from typing import TYPE_CHECKING, Any

from skelaug import plugins
from skelaug.transform import Transform
from skelaug.transforms import gaps, graph, joints, mirror, pose, space, streams, time, values
from skelaug.transforms.gaps import *  # noqa: F403
from skelaug.transforms.graph import *  # noqa: F403
from skelaug.transforms.joints import *  # noqa: F403
from skelaug.transforms.mirror import *  # noqa: F403
from skelaug.transforms.pose import *  # noqa: F403
from skelaug.transforms.space import *  # noqa: F403
from skelaug.transforms.streams import *  # noqa: F403
from skelaug.transforms.time import *  # noqa: F403
from skelaug.transforms.values import *  # noqa: F403

__all__: list[str] = []
__all__ += gaps.__all__
__all__ += graph.__all__
__all__ += joints.__all__
__all__ += mirror.__all__
__all__ += pose.__all__
__all__ += space.__all__
__all__ += streams.__all__
__all__ += time.__all__
__all__ += values.__all__


def _wrong_plugin(name: str, plugin: Any) -> str | None:
    if not (isinstance(plugin, type) and issubclass(plugin, Transform)):
        return f"must be a subclass of skelaug.Transform, is {plugin!r}"
    return None if plugin.__name__ == name else f"must be registered under the name of its class, {plugin.__name__!r}"


# The names in skelaug.policy are also types of a configuration, so no other package may take them.
registry = plugins.Registry(
    "transforms", {*__all__, "Compose", "OneOf", "OnCoordinates", "GrowingPolicy", "View"}, _wrong_plugin
)

if not TYPE_CHECKING:  # a type checker would take any name for a transform
    __getattr__ = registry.attribute
