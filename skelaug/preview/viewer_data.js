"use strict";
// The data of the page: what skelaug computed, unpacked. Nothing is computed anew; quantised numbers become numbers.

const ABSENT = 0, SHOWN = 1, MASKED = 2, GONE = 3, FILLED = 4; // what became of a joint, as in preview/trace.py
const ONE_WAY = 0, LOST = 1, NEW = 2; // what became of an edge

class Data {
  static async read() {
    const about = JSON.parse(document.getElementById("data").textContent);
    const [numbers, marks] = await Promise.all(["numbers", "marks"].map(Data.inflated));
    return new Data(about, numbers, marks);
  }

  static async inflated(id) {
    const text = document.getElementById(id).textContent;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  constructor(about, numbers, marks) {
    Object.assign(this, about);
    this.numbers = numbers;
    this.marks = marks;
    this.joints = this.skeleton.joints.length;
    this.unpacked = new Map();
    this.mostEdges = Math.max(...this.clips.flatMap((clip) => [...clip.views.flat(), ...clip.steps]).map(({ edges }) => edges.length), 0);
  }

  /** A track of a clip: places (frame, person, joint, 3), states and displacements 0 … 255 (frame, person, joint). */
  track(clip, about) {
    if (!this.unpacked.has(about)) this.unpacked.set(about, this.unpack(clip, about));
    return this.unpacked.get(about);
  }

  unpack(clip, about) {
    const axes = this.flat ? 2 : 3, each = clip.persons * this.joints, count = about.frames * each;
    const low = this.numbers.subarray(about.at, about.at + count * axes);
    const high = this.numbers.subarray(about.at + count * axes, about.at + 2 * count * axes);
    const places = new Float32Array(count * 3), sum = new Int16Array(each * axes); // sums modulo 2^16
    for (let frame = 0, i = 0; frame < about.frames; frame++) {
      for (let j = 0; j < each * axes; j++, i++) {
        sum[j] += low[i] | (high[i] << 8);
        const axis = j % axes;
        places[(frame * each + (j - axis) / axes) * 3 + axis] = sum[j] * clip.step + clip.centre[axis];
      }
    }
    const state = this.marks.subarray(about.mark, about.mark + count);
    const moved = about.moved ? this.marks.subarray(about.mark + count, about.mark + 2 * count) : null;
    return { frames: about.frames, each, places, state, moved, edges: about.edges, strength: about.strength };
  }

  /** How many joints of a frame are in each state, whether the frame was dropped, and which persons are. */
  counts(track, frame) {
    const of = [0, 0, 0, 0, 0], people = [];
    for (let start = 0; start < track.each; start += this.joints) {
      const own = [0, 0, 0, 0, 0];
      for (let j = 0; j < this.joints; j++) own[track.state[frame * track.each + start + j]]++;
      own.forEach((n, i) => (of[i] += n));
      people.push(own);
    }
    const whole = people.filter((own) => own[MASKED] === this.joints).length;
    return { of, people, dropped: of[MASKED] > 0 && of[SHOWN] + of[FILLED] === 0 && whole > 0 };
  }
}
