"""ST-GCN on NTU RGB+D 60, cross-subject, 3D joints, in mmaction2 1.x, with skelaug in the training pipeline.

mmaction2's tools take this file as it is: python tools/train.py docs/integrations/mmaction2_config.py
"""

default_scope = "mmaction"
custom_imports = dict(imports=["skelaug.compat.mmaction2"])  # makes "SkelAug" known to mmaction2

model = dict(
    type="RecognizerGCN",
    backbone=dict(type="STGCN", graph_cfg=dict(layout="nturgb+d", mode="stgcn_spatial")),
    cls_head=dict(type="GCNHead", num_classes=60, in_channels=256),
)

ann_file = "data/skeleton/ntu60_3d.pkl"
policy = "docs/integrations/policy.yaml"  # from where training is started; a dict or a preset's name does too

train_pipeline = [
    dict(type="PreNormalize3D"),
    dict(type="SkelAug", policy=policy, skeleton="ntu25"),
    dict(type="GenSkeFeat", dataset="nturgb+d", feats=["j"]),
    dict(type="UniformSampleFrames", clip_len=100),
    dict(type="PoseDecode"),
    dict(type="FormatGCNInput", num_person=2),
    dict(type="PackActionInputs"),
]
val_pipeline = [
    dict(type="PreNormalize3D"),
    dict(type="GenSkeFeat", dataset="nturgb+d", feats=["j"]),
    dict(type="UniformSampleFrames", clip_len=100, num_clips=1, test_mode=True),
    dict(type="PoseDecode"),
    dict(type="FormatGCNInput", num_person=2),
    dict(type="PackActionInputs"),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(type="PoseDataset", ann_file=ann_file, pipeline=train_pipeline, split="xsub_train"),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type="PoseDataset", ann_file=ann_file, pipeline=val_pipeline, split="xsub_val", test_mode=True),
)
val_evaluator = [dict(type="AccMetric")]

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=80, val_interval=1)
val_cfg = dict(type="ValLoop")
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=0.0005, nesterov=True))
param_scheduler = [dict(type="CosineAnnealingLR", eta_min=0, T_max=80, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(type="CheckpointHook", interval=1), logger=dict(type="LoggerHook", interval=100))
