"use strict";
// What the reader does: the fields of the page, the keys, copying.

const byId = (id) => document.getElementById(id);

class Input {
  constructor(viewer) {
    this.viewer = viewer;
    const on = (id, event, action) => byId(id).addEventListener(event, action);
    on("choices", "submit", (event) => event.preventDefault());
    on("choices", "change", ({ target }) => {
      if (target.id === "clip") viewer.choose({ clip: Number(target.value) });
      else if (target.id === "ghost") viewer.choose({ ghost: target.checked });
      else if (target.id === "dark") viewer.setTheme(target.checked);
      else viewer.choose({ [target.name]: target.name === "seed" ? Number(target.value) : target.value });
    });
    on("play", "click", () => viewer.play());
    on("back", "click", () => viewer.step(-1));
    on("on", "click", () => viewer.step(1));
    on("reset", "click", () => viewer.resetCamera());
    on("speed", "change", ({ target }) => viewer.choose({ speed: Number(target.value) }));
    on("time", "input", ({ target }) => {
      viewer.play(false);
      viewer.seek(Number(target.value));
    });
    document.querySelectorAll("[data-copies]").forEach((button) => button.addEventListener("click", () => this.copy(button)));
    document.addEventListener("keydown", (event) => this.key(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ({ matches }) => viewer.setTheme(matches));
  }

  async copy(button) {
    const text = byId(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch { // inside a frame, or from a file: the selection is copied instead
      getSelection().selectAllChildren(text);
      document.execCommand("copy");
    }
    byId("said").textContent = "Copied.";
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1200);
  }

  key(event) {
    const { viewer } = this, { now, data, controls } = viewer, name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const field = event.target.closest("input[type=range], input[type=radio], select, pre"), button = event.target.closest("button, summary, input");
    if (event.ctrlKey || event.metaKey || event.altKey || (name === " " && button) || (field && /^(Arrow|Home|End|Page)/.test(name)) || event.target.closest("select")) return;
    const turn = Math.PI / 24, speeds = [0.25, 0.5, 1, 2], faster = (by) => speeds[Math.min(Math.max(speeds.indexOf(now.speed) + by, 0), 3)];
    const clip = (by) => ({ clip: (now.clip + by + data.clips.length) % data.clips.length });
    const rotate = (left, up) => {
      if (data.flat) return;
      viewer.turned = true;
      controls.rotateLeft(left);
      controls.rotateUp(up);
    };
    const zoom = (factor) => {
      viewer.turned = true;
      viewer.camera.position.sub(controls.target).multiplyScalar(factor).add(controls.target);
      controls.update();
    };
    const actions = {
      " ": () => viewer.play(), ",": () => viewer.step(-1), ".": () => viewer.step(1),
      ArrowLeft: () => rotate(turn, 0), ArrowRight: () => rotate(-turn, 0), ArrowUp: () => rotate(0, turn), ArrowDown: () => rotate(0, -turn),
      "+": () => zoom(1 / 1.15), "=": () => zoom(1 / 1.15), "-": () => zoom(1.15), 0: () => viewer.resetCamera(),
      n: () => viewer.choose(clip(1)), p: () => viewer.choose(clip(-1)), s: () => viewer.choose({ seed: (now.seed + 1) % data.seeds.length }),
      a: () => viewer.choose({ stage: "all" }), g: () => viewer.choose({ ghost: !now.ghost }),
      c: () => viewer.choose({ colour: now.colour === "sides" ? "moved" : "sides" }), d: () => viewer.setTheme(!byId("dark").checked),
      "[": () => viewer.choose({ speed: faster(-1) }), "]": () => viewer.choose({ speed: faster(1) }),
    };
    const stage = /^[1-9]$/.test(name) ? viewer.stageNames[Number(name)] : null;
    const action = stage ? () => viewer.choose({ stage }) : actions[name];
    if (!action) return;
    event.preventDefault();
    action();
  }
}
