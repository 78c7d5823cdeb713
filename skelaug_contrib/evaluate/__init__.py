"""What an encoder is worth: k-NN, linear probe, fine-tuning, semi-supervised learning and fusion of streams.

Every choice (epoch, fusion weights) is made on validation subjects, and the test set is used once, after all choices.
"""

from skelaug_contrib.evaluate.features import Coordinates, embed
from skelaug_contrib.evaluate.finetune import Classifier, finetune, labelled
from skelaug_contrib.evaluate.fuse import choose_weights, combine
from skelaug_contrib.evaluate.knn import knn
from skelaug_contrib.evaluate.linear import linear_probe, ridge
from skelaug_contrib.evaluate.schedule import FINETUNE, LINEAR, SEMI, Fit, Schedule
from skelaug_contrib.evaluate.scores import accuracy, class_accuracy, confusion

__all__ = [
    "FINETUNE",
    "LINEAR",
    "SEMI",
    "Classifier",
    "Coordinates",
    "Fit",
    "Schedule",
    "accuracy",
    "choose_weights",
    "class_accuracy",
    "combine",
    "confusion",
    "embed",
    "finetune",
    "knn",
    "labelled",
    "linear_probe",
    "ridge",
]
