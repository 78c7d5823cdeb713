"""PYSKL's 3D pipeline of ST-GCN++ with skelaug in it. A PYSKL configuration takes these lines; run it to see them work.

python docs/integrations/pyskl_pipeline.py
"""

custom_imports = dict(imports=["skelaug.compat.pyskl"])  # makes "SkelAug" known to PYSKL

train_pipeline = [
    dict(type="PreNormalize3D"),
    dict(type="SkelAug", policy="hiclr", skeleton="ntu25", view="normal"),
    dict(type="GenSkeFeat", dataset="nturgb+d", feats=["j"]),
    dict(type="UniformSample", clip_len=100),
    dict(type="PoseDecode"),
    dict(type="FormatGCNInput", num_person=2),
    dict(type="Collect", keys=["keypoint", "label"], meta_keys=[]),
    dict(type="ToTensor", keys=["keypoint"]),
]


if __name__ == "__main__":
    import skelaug
    from skelaug.compat.pyskl import SkelAug

    (options,) = [dict(step) for step in train_pipeline if step["type"] == "SkelAug"]
    options.pop("type")
    augment = SkelAug(**options)

    motion = skelaug.synthetic_motion(skelaug.skeletons["ntu25"], n=1, frames=120, persons=2)
    keypoint = skelaug.to_layout(motion.x, "NCTVM", "NMTVC")[0].numpy()
    results = augment({"keypoint": keypoint, "total_frames": 120, "label": 0})
    print("before", keypoint.shape, keypoint.dtype)
    print("after ", results["keypoint"].shape, results["keypoint"].dtype, "total_frames", results["total_frames"])
