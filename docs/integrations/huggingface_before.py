"""A data set of clips (T, V, C) of several lengths, read row by row."""

import numpy as np
from datasets import Array3D, Dataset, Features, Value

rng = np.random.default_rng(0)
clips = [rng.normal(size=(frames, 17, 3)).astype(np.float32) for frames in (40, 64, 52, 40)]
features = Features({"keypoint": Array3D((None, 17, 3), "float32"), "label": Value("int64")})
dataset = Dataset.from_dict({"keypoint": clips, "label": [0, 1, 2, 3]}, features=features)

dataset = dataset.with_format("torch")
for row in dataset:
    print(row["keypoint"].dtype, tuple(row["keypoint"].shape), int(row["label"]))
