"""The same training, augmented on the model's device: a batch at once, after the DataLoader.

python tools/train.py docs/integrations/mmaction2_gpu_config.py
"""

_base_ = "mmaction2_config.py"

model = dict(
    data_preprocessor=dict(type="SkelAugDataPreprocessor", policy="docs/integrations/policy.yaml", skeleton="ntu25")
)

train_pipeline = [
    dict(type="PreNormalize3D"),
    dict(type="GenSkeFeat", dataset="nturgb+d", feats=["j"]),
    dict(type="UniformSampleFrames", clip_len=100),
    dict(type="PoseDecode"),
    dict(type="FormatGCNInput", num_person=2),
    dict(type="PackActionInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
