"""A biped with everything that MuJoCo models have, for the tests of `equiworld.verify.mechanism`."""

from __future__ import annotations

_SIDE = """
<body name="{n}_thigh" pos="0 {y} -0.2">
  <inertial pos="0.01 {i} -0.15" mass="2" fullinertia="0.03 0.032 0.006 {p} 0.001 {q}"/>
  <joint name="{n}_hip_x" axis="1 0 0" range="{rx}" damping="1" armature="0.01"/>
  <joint name="{n}_hip_y" axis="0 1 0" range="-1.5 0.6" damping="1" armature="0.01" stiffness="2" springref="-0.1"
    frictionloss="0.02"/>
  <geom name="{n}_thigh" type="capsule" size="0.05" fromto="0 0 -0.05 0.02 {g} -0.3"/>
  <body name="{n}_shin" pos="0 0 -0.4">
    <inertial pos="0.01 0 -0.18" mass="1" diaginertia="0.012 0.012 0.002"/>
    <joint name="{n}_knee" axis="0 1 0" range="0 2" damping="0.5" armature="0.01"/>
    <geom name="{n}_shin" type="capsule" size="0.04" fromto="0 0 0 0 0 -0.35"/>
    <geom name="{n}_foot" type="box" size="0.1 0.05 0.02" pos="0.05 0 -0.4" friction="1 0.01 0.001"/>
    <site name="{n}_sole" pos="0.05 0 -0.42"/>
  </body>
</body>
<body name="{n}_arm" pos="0 {a} 0.2">
  <joint name="{n}_shoulder" type="ball" damping="0.2" armature="0.01"/>
  <geom name="{n}_arm" type="capsule" size="0.03" fromto="0 0 0 0.05 {b} -0.25"/>
</body>
"""

_LEFT = {
    "n": "left",
    "y": 0.1,
    "i": 0.002,
    "p": 0.0005,
    "q": -0.0007,
    "g": 0.01,
    "a": 0.2,
    "b": 0.1,
    "rx": "-0.3 0.7",
}
_RIGHT = {
    "n": "right",
    "y": -0.1,
    "i": -0.002,
    "p": -0.0005,
    "q": 0.0007,
    "g": -0.01,
    "a": -0.2,
    "b": -0.1,
    "rx": "-0.7 0.3",
}

BIPED = f"""
<mujoco model="biped">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="0.004" cone="pyramidal" solver="Newton"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 0.1"/>
    <body name="torso" pos="0 0 1.03">
      <freejoint name="root"/>
      <geom name="torso" type="box" size="0.08 0.15 0.2" mass="10"/>
      <site name="imu" pos="0.02 0 0.1"/>
      <body name="head" pos="0 0 0.3">
        <joint name="neck" type="slide" axis="0 0 1" range="-0.05 0.05" stiffness="500" damping="10"/>
        <geom name="head" type="sphere" size="0.08" mass="3"/>
      </body>
      {_SIDE.format(**_LEFT)}{_SIDE.format(**_RIGHT)}
    </body>
  </worldbody>
  <tendon>
    <fixed name="left_string" stiffness="1" damping="0.1"><joint joint="left_hip_y" coef="1"/>
      <joint joint="left_knee" coef="-0.5"/></fixed>
    <fixed name="right_string" stiffness="1" damping="0.1"><joint joint="right_hip_y" coef="1"/>
      <joint joint="right_knee" coef="-0.5"/></fixed>
    <spatial name="belt" stiffness="5"><site site="left_sole"/><site site="imu"/><site site="right_sole"/></spatial>
  </tendon>
  <actuator>
    <motor name="left_hip_x" joint="left_hip_x" gear="20" ctrlrange="-1 1"/>
    <motor name="right_hip_x" joint="right_hip_x" gear="20" ctrlrange="-1 1"/>
    <position name="left_hip_y" joint="left_hip_y" kp="40" ctrlrange="-1 0.5" forcerange="-30 30"/>
    <position name="right_hip_y" joint="right_hip_y" kp="40" ctrlrange="-1 0.5" forcerange="-30 30"/>
    <general name="left_knee" joint="left_knee" dyntype="filter" dynprm="0.02" gainprm="20" ctrlrange="-1 1"/>
    <general name="right_knee" joint="right_knee" dyntype="filter" dynprm="0.02" gainprm="20" ctrlrange="-1 1"/>
    <motor name="left_pull" tendon="left_string" ctrlrange="-1 1"/>
    <motor name="right_pull" tendon="right_string" ctrlrange="-1 1"/>
  </actuator>
  <sensor>
    <touch name="left_touch" site="left_sole"/>
    <touch name="right_touch" site="right_sole"/>
    <gyro name="gyro" site="imu"/>
  </sensor>
  <contact>
    <exclude body1="torso" body2="left_thigh"/>
    <exclude body1="torso" body2="right_thigh"/>
    <exclude body1="torso" body2="left_arm"/>
    <exclude body1="torso" body2="right_arm"/>
    <exclude body1="left_thigh" body2="right_thigh"/>
  </contact>
</mujoco>
"""
"""Left and right are mirror images across y = 0, and the torso's mass is where it should be."""

HEXAPOD = """
<mujoco model="hexapod"><compiler angle="radian" autolimits="true"/>
  <option cone="elliptic" timestep="0.004"/>
  <worldbody><geom name="floor" type="plane" size="5 5 0.1"/>
    <body name="hub" pos="0 0 0.32"><freejoint/><geom type="cylinder" size="0.15 0.05" mass="3"/>{legs}</body>
  </worldbody><actuator>{motors}</actuator></mujoco>
"""


def hexapod(legs: int = 6) -> str:
    """A body with `legs` equal legs around it."""
    from math import cos, pi, sin

    bodies, motors = "", ""
    for leg in range(legs):
        angle = 2 * pi * leg / legs
        bodies += f"""<body name="leg{leg}" pos="{0.15 * cos(angle)!r} {0.15 * sin(angle)!r} 0" euler="0 0 {angle!r}">
          <joint name="lift{leg}" axis="0 1 0" range="-1 1" damping="0.5" armature="0.01"/>
          <geom type="capsule" size="0.02" fromto="0 0 0 0.2 0 -0.2" mass="0.3"/></body>"""
        motors += f'<motor name="motor{leg}" joint="lift{leg}" gear="2" ctrlrange="-1 1"/>'
    return HEXAPOD.format(legs=bodies, motors=motors)
