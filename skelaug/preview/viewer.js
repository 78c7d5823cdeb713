"use strict";
// The page: choices, time, one camera for all pictures. Everything shown was computed by skelaug before.

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

class Viewer {
  constructor(data) {
    this.data = data;
    this.colours = new Colours();
    this.now = { clip: 0, seed: 0, stage: "all", colour: "sides", ghost: true, step: 2, speed: 1 };
    this.position = 0; // in frames
    this.playing = false;
    this.pictures = [];
    this.drawn = { frames: 0, milliseconds: 0 };
    this.framings = new Map();
    this.turned = false; // the camera, by hand
    const canvas = byId("view");
    this.renderer = new T3.WebGLRenderer({ canvas, antialias: true });
    this.renderer.setScissorTest(true);
    this.camera = new T3.PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 1000);
    this.eye = new T3.PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 1000);
    this.controls = new T3.OrbitControls(this.camera, canvas);
    this.controls.enableRotate = !data.flat;
    this.controls.addEventListener("start", () => (this.turned = true));
    this.controls.addEventListener("change", () => this.draw());
    canvas.style.touchAction = "pan-y"; // a page on a phone can still be scrolled
    this.describePage();
    this.makeChoices();
    new Input(this);
    this.setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
    this.choose({});
    this.resetCamera();
    new ResizeObserver(() => this.resize()).observe(byId("stage"));
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.play(true);
  }

  get clip() {
    return this.data.clips[this.now.clip];
  }

  get original() {
    return this.data.track(this.clip, this.clip.original);
  }

  get frame() {
    return Math.min(Math.floor(this.position), this.original.frames - 1);
  }

  // --- what there is ---------------------------------------------------------------------------------------------

  describePage() {
    const { data } = this, { skeleton } = data;
    const bones = skeleton.name ? `skeleton ${skeleton.name}` : "no skeleton given: joints without bones";
    const arrows = { bone: "views are bones, drawn from the recorded parents", motion: "views are motion, five times as long, drawn from the recorded joints" };
    byId("about").textContent = [data.source, `${data.joints} joints, ${bones}`, arrows[data.vectors], `skelaug ${data.version}`].filter(Boolean).join(" · ");
    byId("policy").hidden = !data.python;
    byId("python").textContent = data.python;
    byId("yaml").textContent = data.yaml;
    const icon = (body) => `<svg width="22" height="14" viewBox="0 0 22 14" aria-hidden="true" fill="none" stroke-linecap="round">${body}</svg>`;
    const line = (colour, more = "") => icon(`<path d="M2 7H20" stroke="var(--${colour})" stroke-width="3" ${more}/>`);
    const stops = [0, 1, 2, 3, 4];
    this.legends = [
      ["sides", line("left"), "left"],
      ["sides", line("right"), "right"],
      ["moved", `<svg width="70" height="12" aria-hidden="true" class="ramp">${stops.map((i) => `<rect x="${i * 14}" width="14.5" height="12"/>`).join("")}</svg>`,
        `0 to ${data.most} body sizes from where it was recorded`],
      ["ghost", line("ghost"), "ghost: as recorded"],
      [MASKED, icon('<circle cx="11" cy="7" r="5" stroke="var(--mask)" stroke-width="1.6"/><path d="M8.2 4.2 13.8 9.8M13.8 4.2 8.2 9.8" stroke="var(--mask)" stroke-width="1.6"/>'),
        "masked joint, where it would have been"],
      ["dropped", line("mask", 'stroke-dasharray="2 4.6" stroke-width="2"'), "dropped frame or person"],
      ["edges", line("mask", 'stroke-dasharray="4 5"'), "edge lost (few dashes: one way)"],
      ["edges", line("new"), "new edge"],
    ].filter(([kind]) => this.occurs(kind));
    byId("legend").innerHTML = this.legends.map(([kind, drawing, text]) => `<li data-kind="${kind}">${drawing}<span>${text}</span></li>`).join("");
  }

  /** Whether a thing of the legend is anywhere on the page. */
  occurs(kind) {
    const tracks = this.data.clips.flatMap((clip) => [...clip.views.flat(), ...clip.steps].map((about) => this.data.track(clip, about)));
    if (kind === "edges") return tracks.some((track) => track.edges.length);
    if (kind === "sides") return this.data.skeleton.sides.some((side) => side !== "middle");
    if (kind === "ghost") return tracks.length > 0;
    if (kind === "moved") return tracks.some((track) => track.moved);
    const looked = kind === "dropped" ? [GONE, FILLED] : [kind];
    if (kind === "dropped" && tracks.some((track) => [...Array(track.frames).keys()].some((f) => this.data.counts(track, f).dropped))) return true;
    return tracks.some((track) => looked.some((state) => track.state.includes(state)));
  }

  makeChoices() {
    const { data } = this;
    data.clips.forEach((clip, i) => byId("clip").add(new Option(clip.name, i)));
    const radios = (id, name, options) => {
      for (const [value, text] of options)
        byId(id).append(element("label", {}, element("input", { type: "radio", name, value }), element("span", { textContent: text })));
      byId(id).hidden = options.length < 2;
    };
    radios("seeds", "seed", data.seeds.map((seed, i) => [i, seed]));
    const stages = data.views.map(({ name }, i) => [String(i), name]);
    if (data.slider) stages.push(["slider", data.slider.name]);
    radios("stages", "stage", stages.length ? [["all", "All"], ...stages] : []);
    byId("colours").hidden = !data.clips.some((clip) => clip.views.flat().some((view) => view.moved));
    byId("ghost").parentElement.hidden = !stages.length;
    this.stageNames = ["all", ...stages.map(([value]) => value)];
  }

  // --- choices ---------------------------------------------------------------------------------------------------

  /** Change what is shown. */
  choose(changes) {
    const before = this.now, now = (this.now = { ...before, ...changes });
    byId("clip").value = now.clip;
    for (const [name, value] of [["seed", now.seed], ["stage", now.stage], ["colour", now.colour]])
      for (const radio of document.getElementsByName(name)) radio.checked = radio.value === String(value);
    byId("ghost").checked = now.ghost;
    byId("speed").value = now.speed;
    byId("time").max = this.original.frames - 1;
    if (this.position >= this.original.frames) this.position = 0;
    for (const item of byId("legend").children)
      item.hidden = { sides: now.colour !== "sides", moved: now.colour !== "moved", ghost: !now.ghost }[item.dataset.kind] ?? false;
    const same = before.clip === now.clip && before.seed === now.seed && before.stage === now.stage;
    if (!same || !this.pictures.length) this.makePictures();
    else this.describePictures();
    if (before.clip !== now.clip && !this.turned) this.resetCamera();
    this.update();
    if (this.fresh) this.resize(); // the stage may have another size now
    this.fresh = false;
    if (!this.playing) this.say();
  }

  /** The pictures shown: the recording, the views, the slider. */
  makePictures() {
    const { data, clip, now } = this;
    const all = [
      { stage: "original", title: "as recorded", adds: "", about: () => this.clip.original },
      ...data.views.map((view, i) => ({
        stage: String(i), title: view.name, adds: (i && view.adds ? "+ " : "") + view.adds, view, about: () => this.clip.views[this.now.seed][i], vectors: data.vectors,
      })),
    ];
    if (data.slider)
      all.push({ stage: "slider", title: data.slider.name, adds: `alone, always applied; seed ${data.seeds[0]}`, about: () => this.clip.steps[this.now.step] });
    const shown = all.filter(({ stage }) => now.stage === "all" || stage === "original" || stage === now.stage);
    this.pictures.forEach((picture) => picture.figure.scene.traverse((item) => item.dispose?.()));
    this.pictures = shown.map((picture) => ({ ...picture, figure: new Figure(data, this.colours, clip.persons), ...this.makePanel(picture) }));
    byId("panels").replaceChildren(...this.pictures.map(({ panel }) => panel));
    byId("panels").style.setProperty("--columns", this.pictures.length);
    this.describePictures();
    this.fresh = true;
  }

  makePanel(picture) {
    const viewport = element("div", { className: "viewport" }), badge = element("span", { className: "badge" });
    viewport.append(badge);
    const cursor = element("i"), strip = element("canvas", { width: 256, height: 12 });
    const under = element("div", { className: "under" }, element("div", { className: "strip", ariaHidden: "true" }, strip, cursor));
    const panel = element("figure", { className: "panel" }, element("figcaption", {}, element("h2", { textContent: picture.title, title: picture.title }),
      element("p", { className: "adds", textContent: picture.adds, title: picture.adds })), viewport, under);
    const parts = { panel, viewport, badge, cursor, strip };
    if (picture.stage === "slider") {
      const values = this.data.slider.values;
      parts.input = element("input", { type: "range", min: 0, max: values.length - 1, step: 1, value: this.now.step, ariaLabel: this.data.slider.name });
      parts.value = element("output");
      parts.input.addEventListener("input", () => this.choose({ step: Number(parts.input.value) }));
      under.append(element("div", { className: "slide" }, parts.input, parts.value));
    } else {
      parts.strength = element("div", { className: "strength" });
      under.append(parts.strength);
    }
    return parts;
  }

  /** Strength, marks over time: what does not change from frame to frame. */
  describePictures() {
    const { data, now, clip } = this;
    const strongest = Math.max(1e-9, ...data.views.flatMap(({ strength }) => strength).filter((value) => value !== null));
    for (const picture of this.pictures) {
      picture.track = data.track(clip, picture.about());
      const { track } = picture;
      if (picture.view && picture.view.strength[now.seed] !== null) {
        const all = picture.view.strength[now.seed], bar = element("i");
        bar.style.width = `${(100 * all) / strongest}%`;
        const own = track.strength === null ? "" : `this clip ${track.strength.toFixed(3)}`;
        picture.strength.replaceChildren(element("div", { className: "bar", ariaHidden: "true" }, bar),
          element("b", { textContent: `strength ${all.toFixed(3)}` }), element("span", { textContent: own }));
      }
      if (picture.input) {
        picture.value.textContent = data.slider.values[now.step];
        picture.input.value = now.step;
        picture.input.ariaValueText = String(data.slider.values[now.step]);
      }
      this.drawStrip(picture);
    }
  }

  /** A bar over time for each person: there, masked in part, dropped, filled, absent. */
  drawStrip({ strip, track }) {
    const pen = strip.getContext("2d"), style = getComputedStyle(document.documentElement), { width, height } = strip;
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    pen.fillStyle = colour("panel");
    pen.fillRect(0, 0, width, height);
    for (let frame = 0; frame < track.frames; frame++) {
      const left = Math.floor((frame * width) / track.frames), wide = Math.ceil(((frame + 1) * width) / track.frames) - left;
      const { people } = this.data.counts(track, frame), high = height / people.length;
      people.forEach((own, person) => {
        const there = own[SHOWN] + own[FILLED] + own[MASKED] + own[GONE];
        if (!there) return;
        pen.fillStyle = colour("track");
        pen.fillRect(left, person * high, wide, high);
        const marked = own[GONE] || own[FILLED] ? there : own[MASKED], part = marked && Math.max((high * marked) / there, 2);
        pen.fillStyle = colour("mask");
        pen.fillRect(left, (person + 1) * high - part, wide, part);
      });
    }
  }

  setTheme(dark) {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    byId("dark").checked = dark;
    this.colours.read();
    document.querySelectorAll(".ramp rect").forEach((box, i) => box.setAttribute("fill", `#${this.colours.ramp[i].getHexString()}`));
    this.pictures.forEach((picture) => this.drawStrip(picture));
    this.update();
  }

  // --- time ------------------------------------------------------------------------------------------------------

  play(on = !this.playing) {
    this.playing = on;
    byId("play").textContent = on ? "Pause" : "Play";
    this.last = null;
    if (on) this.draw();
    else this.say();
  }

  seek(frame) {
    const { frames } = this.original;
    this.position = ((frame % frames) + frames) % frames;
    this.update();
    if (!this.playing) this.say();
  }

  step(by) {
    this.play(false);
    this.seek(this.frame + by);
  }

  // --- drawing ---------------------------------------------------------------------------------------------------

  /** Place the figures for the frame, and draw soon. */
  update() {
    if (!this.pictures.length) return;
    const { frame, clip, original, now } = this;
    for (const picture of this.pictures) {
      const comparable = picture.track.frames === original.frames && picture.track.moved !== null;
      const at = Math.min(frame, picture.track.frames - 1);
      picture.figure.set(clip, picture.track, comparable ? original : null, at, {
        ghost: now.ghost && picture.stage !== "original", colour: now.colour, vectors: picture.vectors, camera: this.camera,
      });
      picture.badge.textContent = this.badge(picture.track, at);
      picture.cursor.style.left = `${(100 * (at + 0.5)) / picture.track.frames}%`;
    }
    byId("time").value = frame;
    const seconds = (frame * clip.every) / this.data.fps;
    byId("clock").textContent = `${frame + 1} / ${original.frames} · ${seconds.toFixed(2)} s`;
    byId("time").setAttribute("aria-valuetext", `frame ${frame + 1} of ${original.frames}`);
    this.draw();
  }

  /** What is to be marked in words. */
  badge(track, frame) {
    const { of, people, dropped } = this.data.counts(track, frame), { joints } = this.data;
    const many = (count, one, more) => `${count} ${count === 1 ? one : more}`;
    if (dropped) return "frame dropped";
    if (of[FILLED]) return "frame dropped, filled from others";
    if (!of[SHOWN] && !of[GONE]) return of[MASKED] ? `${of[MASKED]} joints masked` : "nobody observed";
    const said = [];
    if (of[MASKED]) said.push(many(of[MASKED], "joint masked", "joints masked"));
    people.forEach((own, person) => {
      if (own[GONE] === joints) said.push(`person ${person + 1} dropped`);
      else if (own[ABSENT] && own[ABSENT] < joints) said.push(many(own[ABSENT], "joint not observed", "joints not observed"));
      else if (own[ABSENT] && this.everSeen(track, person)) said.push(`person ${person + 1} absent`);
    });
    if (track.edges.length) said.push(many(track.edges.length, "edge changed", "edges changed"));
    return said.join(", ");
  }

  everSeen(track, person) {
    track.seen ??= Array.from({ length: track.each / this.data.joints }, (_, p) =>
      Array.from({ length: track.frames }).some((_, f) => this.data.counts(track, f).people[p][ABSENT] < this.data.joints));
    return track.seen[person];
  }

  framing(about) {
    if (!this.framings.has(about)) this.framings.set(about, new Framing(this.data, this.clip, this.data.track(this.clip, about)));
    return this.framings.get(about);
  }

  /** Where the camera of a picture looks: at the recorded body; a body that is elsewhere pulls it along. */
  target(picture) {
    const own = this.framing(picture.about()).targets, base = this.framing(this.clip.original).targets, frame = this.frame;
    const at = base[Math.min(frame, base.length - 1)], away = own[Math.min(frame, own.length - 1)].clone().sub(at);
    const far = away.length(), free = 0.15 * this.clip.body;
    return far > free ? away.multiplyScalar((far - free) / far).add(at) : at.clone();
  }

  resetCamera() {
    const { data, clip } = this, { clientWidth, clientHeight } = this.pictures[0].viewport;
    const views = clip.views.flat().map((about) => this.framing(about)), aspect = clientWidth / Math.max(clientHeight, 1);
    const distance = this.framing(clip.original).distance(aspect, views);
    const [x, z] = clip.front, turn = data.flat ? 0 : (-35 * Math.PI) / 180, rise = data.flat ? 0 : (12 * Math.PI) / 180;
    const way = data.flat ? new T3.Vector3(0, 0, 1) : new T3.Vector3(x, 0, z).applyAxisAngle(UP, turn);
    this.controls.target.set(0, 0, 0);
    this.camera.position.copy(way.multiplyScalar(Math.cos(rise)).setY(Math.sin(rise)).multiplyScalar(distance));
    this.camera.near = this.eye.near = distance / 100;
    this.camera.far = this.eye.far = distance * 30;
    this.controls.minDistance = distance / 6;
    this.controls.maxDistance = distance * 4;
    this.controls.update();
    this.fitted = distance;
    this.turned = false;
    this.draw();
  }

  resize() {
    const stage = byId("stage"), ratio = Math.min(devicePixelRatio, 2);
    if (!this.pictures.length || !stage.clientWidth) return;
    this.renderer.setPixelRatio(ratio);
    this.renderer.setSize(stage.clientWidth, stage.clientHeight, false);
    if (this.fitted && !this.turned) this.resetCamera();
    this.render(); // at once: a canvas that was resized is empty
  }

  draw() {
    this.waiting ??= requestAnimationFrame((time) => {
      this.waiting = null;
      const start = performance.now();
      if (this.playing) {
        const passed = Math.min((time - (this.last ?? time)) / 1000, 0.25);
        this.last = time;
        const before = this.frame;
        this.position = (this.position + (passed * this.data.fps * this.now.speed) / this.clip.every) % this.original.frames;
        if (this.frame !== before) this.update();
      }
      this.render();
      this.drawn.frames++;
      this.drawn.milliseconds += performance.now() - start;
      if (this.playing) this.draw();
    });
  }

  render() {
    const { renderer, eye, camera } = this, stage = byId("stage").getBoundingClientRect();
    renderer.setScissor(0, 0, stage.width, stage.height);
    renderer.setViewport(0, 0, stage.width, stage.height);
    renderer.setClearColor(this.colours.page);
    renderer.clear();
    for (const picture of this.pictures) {
      const box = picture.viewport.getBoundingClientRect();
      const [left, bottom] = [box.left - stage.left, stage.bottom - box.bottom];
      renderer.setViewport(left, bottom, box.width, box.height);
      renderer.setScissor(left, bottom, box.width, box.height);
      const target = this.target(picture);
      eye.position.copy(camera.position).add(target);
      eye.quaternion.copy(camera.quaternion);
      eye.aspect = box.width / Math.max(box.height, 1);
      eye.updateProjectionMatrix();
      eye.updateMatrixWorld();
      picture.figure.face(eye, this.clip, target.add(this.controls.target));
      renderer.render(picture.figure.scene, eye);
    }
  }

  // --- words ----------------------------------------------------------------------------------------------------

  /** For screen readers: what is seen, when it stands still. */
  say() {
    const pictures = this.pictures.map((picture) => {
      const strength = picture.view?.strength[this.now.seed], marks = picture.badge.textContent;
      return [picture.title, strength == null ? "" : `strength ${strength.toFixed(2)}`, marks].filter(Boolean).join(", ");
    });
    byId("said").textContent = `${this.clip.name}, frame ${this.frame + 1} of ${this.original.frames}. ${pictures.join(". ")}.`;
  }
}

Data.read().then((data) => {
  try {
    window.skelaugPreview = new Viewer(data);
  } catch (error) {
    byId("failed").hidden = false;
    if (!/WebGL/.test(error)) throw error;
  }
});
