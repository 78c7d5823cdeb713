"""A LightningModule, trained and validated on batches of (data, label)."""

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import skelaug
from skelaug.compat.lightning import Augmented


class Recogniser(Augmented, lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 25 * 2, 10))
        self.augment = skelaug.AugmentBatch("ctrgcn", "ntu25")

    def training_step(self, batch, index):
        data, label = batch
        print("train", data.dtype, tuple(data.shape), label.dtype)
        return nn.functional.cross_entropy(self.model(data), label)

    def validation_step(self, batch, index):
        data, label = batch
        self.log("accuracy", (self.model(data).argmax(1) == label).float().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def main():
    lightning.seed_everything(0, verbose=False)
    clips = TensorDataset(torch.randn(32, 3, 64, 25, 2), torch.arange(32) % 10)
    loader = DataLoader(clips, batch_size=16)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Recogniser(), loader, loader)


if __name__ == "__main__":
    main()
