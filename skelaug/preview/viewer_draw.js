"use strict";
// Drawing: one renderer and one camera for all pictures, each in its own part of the canvas.

const T3 = SKELAUG_THREE;
const UP = new T3.Vector3(0, 1, 0);
const FIELD_OF_VIEW = 26;

/** Many copies of one geometry, placed anew for each frame. */
class Copies {
  constructor(scene, geometry, material, capacity) {
    this.mesh = new T3.InstancedMesh(geometry, material, Math.max(capacity, 1));
    this.mesh.instanceMatrix.setUsage(T3.DynamicDrawUsage);
    this.mesh.frustumCulled = false;
    this.mesh.setColorAt(0, Copies.white); // makes room for colours
    this.mesh.count = 0;
    this.capacity = capacity;
    this.holder = new T3.Object3D();
    scene.add(this.mesh);
  }

  start() {
    this.mesh.count = 0;
  }

  put(colour) {
    if (this.mesh.count >= this.capacity) return;
    this.holder.updateMatrix();
    this.mesh.setMatrixAt(this.mesh.count, this.holder.matrix);
    this.mesh.setColorAt(this.mesh.count++, colour);
  }

  /** A cylinder from one point to another. */
  tube(a, b, radius, colour) {
    const { holder } = this, length = a.distanceTo(b);
    if (length < 1e-9) return;
    holder.position.addVectors(a, b).multiplyScalar(0.5);
    holder.quaternion.setFromUnitVectors(UP, Copies.way.subVectors(b, a).divideScalar(length));
    holder.scale.set(radius, length, radius);
    this.put(colour);
  }

  dashes(a, b, radius, colour, pieces) {
    const from = new T3.Vector3(), to = new T3.Vector3();
    for (let i = 0; i < pieces; i++) {
      from.lerpVectors(a, b, (i + 0.2) / pieces);
      to.lerpVectors(a, b, (i + 0.8) / pieces);
      this.tube(from, to, radius, colour);
    }
  }

  at(point, size, colour, turned) {
    this.holder.position.copy(point);
    if (turned) this.holder.quaternion.copy(turned);
    else this.holder.quaternion.identity();
    this.holder.scale.setScalar(size);
    this.put(colour);
  }

  end() {
    this.mesh.instanceMatrix.needsUpdate = true;
    this.mesh.instanceColor.needsUpdate = true;
  }
}
Copies.way = new T3.Vector3();
Copies.white = new T3.Color(1, 1, 1);

/** A flat ring with a cross in it, which is turned to the camera: a masked joint. */
function crossGeometry() {
  const ring = new T3.RingGeometry(0.78, 1, 20), points = [...ring.attributes.position.array], index = [...ring.index.array];
  for (const angle of [Math.PI / 4, (3 * Math.PI) / 4]) {
    const start = points.length / 3, [c, s] = [Math.cos(angle), Math.sin(angle)];
    for (const [x, y] of [[-0.8, -0.1], [0.8, -0.1], [0.8, 0.1], [-0.8, 0.1]]) points.push(c * x - s * y, s * x + c * y, 0);
    index.push(start, start + 1, start + 2, start, start + 2, start + 3);
  }
  const geometry = new T3.BufferGeometry();
  geometry.setAttribute("position", new T3.BufferAttribute(new Float32Array(points), 3));
  geometry.setIndex(index);
  return geometry;
}

/** Colours of the page's style. */
class Colours {
  constructor() {
    this.read();
  }

  read() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => new T3.Color(style.getPropertyValue(`--${name}`).trim());
    for (const name of ["page", "panel", "left", "right", "middle", "ghost", "grid", "shadow", "mask", "new"]) this[name] = colour(name);
    this.ramp = style.getPropertyValue("--ramp").trim().split(" ").map((text) => new T3.Color(text));
    // A second person is paler.
    this.pale = Object.fromEntries(["left", "right", "middle"].map((side) => [side, this[side].clone().lerp(this.panel, 0.4)]));
  }

  displacement(level, into) {
    const place = (level / 255) * (this.ramp.length - 1), low = Math.min(Math.floor(place), this.ramp.length - 2);
    return into.lerpColors(this.ramp[low], this.ramp[low + 1], place - low);
  }
}

/** The figure of one picture, in a scene of its own. */
class Figure {
  constructor(data, colours, persons) {
    this.data = data;
    this.colours = colours;
    this.scene = new T3.Scene();
    const { bones } = data.skeleton, joints = persons * data.joints, lines = persons * Math.max(bones.length, data.joints);
    const tube = new T3.CylinderGeometry(1, 1, 1, 10, 1), ball = new T3.SphereGeometry(1, 14, 10);
    const lit = () => new T3.MeshLambertMaterial(), plain = (more) => new T3.MeshBasicMaterial(more);
    this.bones = new Copies(this.scene, tube, lit(), lines * 5);
    this.joints = new Copies(this.scene, ball, lit(), joints);
    this.ghost = new Copies(this.scene, tube, plain(), lines);
    this.edges = new Copies(this.scene, tube, plain(), persons * 7 * data.mostEdges);
    this.crosses = new Copies(this.scene, crossGeometry(), plain({ side: 2 }), joints);
    if (!data.flat) this.ground(tube, lines);
    this.scene.add(new T3.HemisphereLight(0xffffff, 0xb8b8b8, 2.4));
    this.light = new T3.DirectionalLight(0xffffff, 1.1);
    this.scene.add(this.light, this.light.target);
    this.ends = [new T3.Vector3(), new T3.Vector3()];
    this.own = new T3.Color();
  }

  ground(tube, lines) {
    const cells = 24, points = [];
    for (let i = -cells / 2; i <= cells / 2; i++) points.push(i, 0, -cells / 2, i, 0, cells / 2, -cells / 2, 0, i, cells / 2, 0, i);
    const geometry = new T3.BufferGeometry();
    geometry.setAttribute("position", new T3.BufferAttribute(new Float32Array(points), 3));
    this.grid = new T3.LineSegments(geometry, new T3.LineBasicMaterial());
    this.scene.add(this.grid);
    // The figure's shadow straight below it, for depth: its bones once more, pressed flat.
    this.flat = new T3.Object3D();
    this.scene.add(this.flat);
    this.shadow = new Copies(this.flat, tube, new T3.MeshBasicMaterial(), lines);
  }

  /** Place everything for a frame. */
  set(clip, track, original, frame, options) {
    const { data, colours, ends } = this, thick = clip.body * (data.flat ? 0.007 : 0.0085);
    const parts = [this.bones, this.joints, this.ghost, this.edges, this.crosses, this.shadow].filter(Boolean);
    parts.forEach((part) => part.start());
    const point = (from, person, joint, into) => into.fromArray(from.places, ((frame * clip.persons + person) * data.joints + joint) * 3);
    const state = (from, person, joint) => from.state[(frame * clip.persons + person) * data.joints + joint];
    const { dropped } = data.counts(track, frame);
    for (let person = 0; person < clip.persons; person++) {
      const width = thick * (person ? 0.75 : 1);
      if (options.ghost && original)
        for (const [joint, parent] of data.skeleton.bones)
          if (state(original, person, joint) && state(original, person, parent))
            this.ghost.tube(point(original, person, joint, ends[0]), point(original, person, parent, ends[1]), width * 0.55, colours.ghost);
      this.skeletonOf(track, original, person, width, dropped, point, state, frame, clip, options);
      for (const [a, b, how] of track.edges) {
        if (!state(track, person, a) || !state(track, person, b)) continue;
        point(track, person, a, ends[0]), point(track, person, b, ends[1]);
        if (how === NEW) this.edges.tube(ends[0], ends[1], width * 0.4, colours.new);
        else this.edges.dashes(ends[0], ends[1], width * 1.25, colours.mask, how === LOST ? 7 : 3);
      }
    }
    if (this.grid) {
      this.flat.scale.y = 1e-4;
      this.flat.position.y = clip.floor + 0.002 * clip.body;
      this.grid.scale.setScalar(clip.body / 4);
      this.grid.material.color = colours.grid;
    }
    parts.forEach((part) => part.end());
  }

  skeletonOf(track, original, person, width, dropped, point, state, frame, clip, options) {
    const { data, colours, ends } = this, there = (s) => s === SHOWN || s === FILLED;
    const colour = (joint) => {
      const index = (frame * clip.persons + person) * data.joints + joint;
      if (options.colour === "moved" && track.moved) return colours.displacement(track.moved[index], this.own);
      return (person ? colours.pale : colours)[data.skeleton.sides[joint]];
    };
    // Of a stream an arrow is drawn from where it begins in the recording.
    const arrows = options.vectors && original;
    const drawn = arrows ? data.skeleton.sides.map((_, joint) => [joint, joint]) : data.skeleton.bones;
    const parents = new Map(data.skeleton.bones);
    for (const [joint, other] of drawn) {
      const start = arrows ? (options.vectors === "bone" ? parents.get(joint) ?? joint : joint) : other;
      const [one, two] = [state(track, person, joint), arrows ? state(original, person, start) : state(track, person, start)];
      if (!one || !two) continue;
      point(track, person, joint, ends[0]), point(arrows ? original : track, person, start, ends[1]);
      if (there(one) && (arrows || there(two))) {
        this.bones.tube(ends[0], ends[1], width, colour(joint));
        this.shadow?.tube(ends[0], ends[1], width * 1.3, colours.shadow);
      } else if (dropped || one === GONE || two === GONE) {
        this.bones.dashes(ends[0], ends[1], width * 0.5, colours.mask, 4);
      }
    }
    const turned = options.camera.quaternion, ball = width * (arrows ? 1.3 : data.skeleton.bones.length ? 1.7 : 2.4);
    for (let joint = 0; joint < data.joints; joint++) {
      const now = state(track, person, joint);
      if (there(now)) this.joints.at(point(track, person, joint, ends[0]), ball, colour(joint));
      else if (now === MASKED && !dropped) this.crosses.at(point(track, person, joint, ends[0]), width * 3.2, colours.mask, turned);
    }
  }

  /** Turn what faces the camera; the ground goes along with the body, cell by cell. */
  face(camera, clip, target) {
    const { mesh } = this.crosses, matrix = new T3.Matrix4(), place = new T3.Vector3(), size = new T3.Vector3(), turn = new T3.Quaternion();
    for (let i = 0; i < mesh.count; i++) {
      mesh.getMatrixAt(i, matrix);
      matrix.decompose(place, turn, size);
      mesh.setMatrixAt(i, matrix.compose(place, camera.quaternion, size));
    }
    mesh.instanceMatrix.needsUpdate = true;
    this.light.position.copy(camera.position);
    this.light.target.position.copy(target);
    const distance = camera.position.distanceTo(target);
    this.scene.background = this.colours.panel;
    if (!this.grid) return;
    const cell = clip.body / 4;
    this.grid.position.set(Math.round(target.x / cell) * cell, clip.floor, Math.round(target.z / cell) * cell);
    this.scene.fog ??= new T3.Fog(0, 1, 2);
    this.scene.fog.color = this.colours.panel;
    this.scene.fog.near = distance + 0.3 * clip.body;
    this.scene.fog.far = distance + 2.6 * clip.body;
  }
}

/** Where the camera looks in each frame, and how far from there the body reaches. */
class Framing {
  constructor(data, clip, track) {
    const { frames, each } = track, centres = [];
    let last = null;
    for (let frame = 0; frame < frames; frame++) {
      const sum = [0, 0, 0];
      let count = 0;
      for (let i = frame * each; i < (frame + 1) * each; i++)
        if (track.state[i] && ++count) for (let axis = 0; axis < 3; axis++) sum[axis] += track.places[i * 3 + axis];
      if (count) last = sum.map((value) => value / count);
      centres.push(last);
    }
    const first = centres.find(Boolean) ?? clip.centre, found = centres.map((centre) => centre ?? first);
    const height = found.reduce((sum, centre) => sum + centre[1], 0) / frames, reach = Math.round(frames / 5);
    this.targets = found.map((_, frame) => {
      const part = found.slice(Math.max(frame - reach, 0), frame + reach + 1);
      const mean = (axis) => part.reduce((sum, centre) => sum + centre[axis], 0) / part.length;
      return new T3.Vector3(mean(0), height, mean(2) || 0);
    });
    const across = new Float32Array(frames), along = new Float32Array(frames);
    for (let i = 0; i < track.state.length; i++) {
      if (!track.state[i]) continue;
      const frame = Math.floor(i / each), target = this.targets[frame], at = (axis) => track.places[i * 3 + axis];
      across[frame] = Math.max(across[frame], Math.hypot(at(0) - target.x, at(2) - target.z));
      along[frame] = Math.max(along[frame], Math.abs(at(1) - target.y));
    }
    const most = (values) => values.sort()[Math.floor(0.97 * (frames - 1))];
    this.across = Math.max(most(across), 0.2 * clip.body);
    this.along = Math.max(most(along), 0.3 * clip.body);
  }

  /** How far away all of the body is seen, and most of what the views make of it. */
  distance(aspect, views) {
    const half = Math.tan((FIELD_OF_VIEW / 2) * (Math.PI / 180));
    const usual = (name) => views.map((view) => view[name]).sort((a, b) => a - b)[Math.floor(0.7 * views.length)] ?? 0;
    const reach = (name) => Math.max(this[name], Math.min(usual(name), 1.2 * this[name]));
    // Seen aslant the body is seldom as wide as it reaches.
    return Math.max((1.1 * reach("along")) / half, (0.8 * reach("across")) / (half * aspect)) + 0.3 * reach("across");
  }
}
