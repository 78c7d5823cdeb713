"""The trees of the known skeletons, in words.

They are those of the field's code: ST-GCN's and CTR-GCN's for the Kinects and OpenPose, PYSKL's for COCO, the body
models' own elsewhere. MediaPipe has no trunk: as in COCO's tree, the shoulders hang on the nose.
"""

from typing import NamedTuple

__all__ = ["TREES", "Tree"]


class Tree(NamedTuple):
    """A skeleton in words; left and right in the names say which joints mirror each other and which limb they are of.

    Attributes:
        bones: ``"child<parent"``, a word a joint, in the order of the data unless ``order`` gives another; the root
            stands alone.
        centre: the joint to centre on.
        spine: lower and upper joint of the spine.
        order: the joints in the order of the data.
    """

    bones: str
    centre: str
    spine: tuple[str, str] | None = None
    order: str | None = None


_KINECT = """
    hip_center<spine spine<shoulder_center shoulder_center head<shoulder_center shoulder_left<shoulder_center
    elbow_left<shoulder_left wrist_left<elbow_left hand_left<wrist_left shoulder_right<shoulder_center
    elbow_right<shoulder_right wrist_right<elbow_right hand_right<wrist_right hip_left<hip_center knee_left<hip_left
    ankle_left<knee_left foot_left<ankle_left hip_right<hip_center knee_right<hip_right ankle_right<knee_right
    foot_right<ankle_right"""

TREES = {
    "ntu25": Tree(
        """
        spine_base<spine_mid spine_mid<spine_shoulder neck<spine_shoulder head<neck shoulder_left<spine_shoulder
        elbow_left<shoulder_left wrist_left<elbow_left hand_left<wrist_left shoulder_right<spine_shoulder
        elbow_right<shoulder_right wrist_right<elbow_right hand_right<wrist_right hip_left<spine_base knee_left<hip_left
        ankle_left<knee_left foot_left<ankle_left hip_right<spine_base knee_right<hip_right ankle_right<knee_right
        foot_right<ankle_right spine_shoulder hand_tip_left<thumb_left thumb_left<hand_left hand_tip_right<thumb_right
        thumb_right<hand_right""",
        "spine_shoulder",
        ("spine_base", "spine_mid"),
    ),
    "kinect20": Tree(
        _KINECT,
        "shoulder_center",
        ("hip_center", "spine"),
    ),
    "msr20": Tree(
        _KINECT,
        "shoulder_center",
        ("hip_center", "spine"),
        """
        shoulder_left shoulder_right shoulder_center spine hip_left hip_right hip_center elbow_left elbow_right
        wrist_left wrist_right hand_left hand_right knee_left knee_right ankle_left ankle_right foot_left foot_right
        head""",
    ),
    "utd20": Tree(
        _KINECT,
        "shoulder_center",
        ("hip_center", "spine"),
        """
        head shoulder_center spine hip_center shoulder_left elbow_left wrist_left hand_left shoulder_right elbow_right
        wrist_right hand_right hip_left knee_left ankle_left foot_left hip_right knee_right ankle_right foot_right""",
    ),
    "openpose18": Tree(
        """
        nose<neck neck right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow left_shoulder<neck
        left_elbow<left_shoulder left_wrist<left_elbow right_hip<right_shoulder right_knee<right_hip
        right_ankle<right_knee left_hip<left_shoulder left_knee<left_hip left_ankle<left_knee right_eye<nose
        left_eye<nose right_ear<right_eye left_ear<left_eye""",
        "neck",
    ),
    "body25": Tree(
        """
        nose<neck neck right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow left_shoulder<neck
        left_elbow<left_shoulder left_wrist<left_elbow mid_hip<neck right_hip<mid_hip right_knee<right_hip
        right_ankle<right_knee left_hip<mid_hip left_knee<left_hip left_ankle<left_knee right_eye<nose left_eye<nose
        right_ear<right_eye left_ear<left_eye left_big_toe<left_ankle left_small_toe<left_big_toe left_heel<left_ankle
        right_big_toe<right_ankle right_small_toe<right_big_toe right_heel<right_ankle""",
        "neck",
        ("mid_hip", "neck"),
    ),
    "coco17": Tree(
        """
        nose left_eye<nose right_eye<nose left_ear<left_eye right_ear<right_eye left_shoulder<nose right_shoulder<nose
        left_elbow<left_shoulder right_elbow<right_shoulder left_wrist<left_elbow right_wrist<right_elbow
        left_hip<left_shoulder right_hip<right_shoulder left_knee<left_hip right_knee<right_hip left_ankle<left_knee
        right_ankle<right_knee""",
        "nose",
    ),
    "h36m17": Tree(
        """
        pelvis right_hip<pelvis right_knee<right_hip right_ankle<right_knee left_hip<pelvis left_knee<left_hip
        left_ankle<left_knee spine<pelvis thorax<spine nose<thorax head<nose left_shoulder<thorax
        left_elbow<left_shoulder left_wrist<left_elbow right_shoulder<thorax right_elbow<right_shoulder
        right_wrist<right_elbow""",
        "pelvis",
        ("pelvis", "spine"),
    ),
    "mediapipe33": Tree(
        """
        nose left_eye_inner<nose left_eye<left_eye_inner left_eye_outer<left_eye right_eye_inner<nose
        right_eye<right_eye_inner right_eye_outer<right_eye left_ear<left_eye_outer right_ear<right_eye_outer
        mouth_left<nose mouth_right<nose left_shoulder<nose right_shoulder<nose left_elbow<left_shoulder
        right_elbow<right_shoulder left_wrist<left_elbow right_wrist<right_elbow left_pinky<left_wrist
        right_pinky<right_wrist left_index<left_wrist right_index<right_wrist left_thumb<left_wrist
        right_thumb<right_wrist left_hip<left_shoulder right_hip<right_shoulder left_knee<left_hip right_knee<right_hip
        left_ankle<left_knee right_ankle<right_knee left_heel<left_ankle right_heel<right_ankle
        left_foot_index<left_ankle right_foot_index<right_ankle""",
        "nose",
    ),
    "smpl24": Tree(
        """
        pelvis left_hip<pelvis right_hip<pelvis spine1<pelvis left_knee<left_hip right_knee<right_hip spine2<spine1
        left_ankle<left_knee right_ankle<right_knee spine3<spine2 left_foot<left_ankle right_foot<right_ankle
        neck<spine3 left_collar<spine3 right_collar<spine3 head<neck left_shoulder<left_collar
        right_shoulder<right_collar left_elbow<left_shoulder right_elbow<right_shoulder left_wrist<left_elbow
        right_wrist<right_elbow left_hand<left_wrist right_hand<right_wrist""",
        "pelvis",
        ("pelvis", "spine1"),
    ),
    "humanoid15": Tree(
        """
        root chest<root neck<chest right_hip<root right_knee<right_hip right_ankle<right_knee right_shoulder<chest
        right_elbow<right_shoulder right_wrist<right_elbow left_hip<root left_knee<left_hip left_ankle<left_knee
        left_shoulder<chest left_elbow<left_shoulder left_wrist<left_elbow""",
        "root",
        ("root", "chest"),
    ),
}
