"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const round = (v) => (v === null ? "–" : String(+v.toPrecision(3)));

  // One cursor through all charts; their means give way to the values under it.
  const charts = [...document.querySelectorAll(".chart")].map((chart) => ({
    field: chart.querySelector(".field"), cursor: chart.querySelector(".cursor"),
    output: chart.querySelector("output"), said: chart.querySelector("output").textContent,
    values: data.curves[chart.dataset.curve],
  }));
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = (1000 * (event.clientX - box.left)) / box.width;
    let at = 0;
    data.x.forEach((place, i) => { if (Math.abs(place - x) < Math.abs(data.x[at] - x)) at = i; });
    for (const { cursor, output, values } of charts) {
      cursor.hidden = false;
      cursor.style.left = data.x[at] / 10 + "%";
      output.textContent = `frame ${data.frames[at]}: ${round(values[at])}`;
    }
  };
  const leave = () => charts.forEach(({ cursor, output, said }) => { cursor.hidden = true; output.textContent = said; });
  charts.forEach(({ field }) => {
    field.addEventListener("pointermove", point);
    field.addEventListener("pointerdown", point);
    field.addEventListener("pointerleave", leave);
  });

  // Pictures, large: left and right through time, up and down through what is shown of a frame.
  const dialog = document.querySelector("dialog");
  const tiles = [...document.querySelectorAll(".tile")];
  const rows = [...new Set(tiles.map((tile) => tile.dataset.row))];
  const frames = [...new Set(tiles.map((tile) => tile.dataset.frame))];
  let shown = null;
  const show = (tile) => {
    if (!tile) return;
    shown = tile;
    const image = tile.querySelector("img");
    dialog.querySelector("img").src = image.src;
    dialog.querySelector("img").alt = image.alt;
    dialog.querySelector("span").textContent = image.alt;
    if (!dialog.open) dialog.showModal();
  };
  const step = (list, key, by) => {
    for (let at = list.indexOf(shown.dataset[key]) + by; at >= 0 && at < list.length; at += by) {
      const wanted = { ...shown.dataset, [key]: list[at] };
      const found = tiles.find((tile) => tile.dataset.row === wanted.row && tile.dataset.frame === wanted.frame);
      if (found) return show(found);
    }
  };
  const moves = { ArrowLeft: [frames, "frame", -1], ArrowRight: [frames, "frame", 1], ArrowUp: [rows, "row", -1], ArrowDown: [rows, "row", 1] };
  tiles.forEach((tile) => tile.addEventListener("click", () => show(tile)));
  dialog.addEventListener("keydown", (event) => {
    if (moves[event.key]) { event.preventDefault(); step(...moves[event.key]); }
  });
  dialog.querySelectorAll("button").forEach((button) =>
    button.addEventListener("click", () => (button.value ? step(...moves[button.value]) : dialog.close())));
  dialog.querySelector("img").addEventListener("click", () => dialog.close());

  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
})();
