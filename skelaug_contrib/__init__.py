"""Contrastive learning with skelaug: losses, queue, momentum encoder, encoders and the HiCLR method."""
