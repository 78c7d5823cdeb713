"""A data set of clips (T, V, C) of several lengths, read row by row."""

from pathlib import Path

import numpy as np
from datasets import Array3D, Dataset, Features, Value

from skelaug.compat.datasets import AugmentColumn

POLICY = Path(__file__).with_name("policy.yaml")
rng = np.random.default_rng(0)
clips = [rng.normal(size=(frames, 17, 3)).astype(np.float32) for frames in (40, 64, 52, 40)]
features = Features({"keypoint": Array3D((None, 17, 3), "float32"), "label": Value("int64")})
dataset = Dataset.from_dict({"keypoint": clips, "label": [0, 1, 2, 3]}, features=features)

dataset = dataset.with_transform(AugmentColumn(POLICY, "coco17", column="keypoint", layout="TVC"))
for row in dataset:
    print(row["keypoint"].dtype, tuple(row["keypoint"].shape), int(row["label"]))
