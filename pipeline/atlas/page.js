"use strict";
(() => {
  const said = document.querySelector(".said");
  const asHere = document.getElementById("size");
  const command = (tile) => (asHere.checked ? tile.dataset.here : tile.dataset.full);
  let gone = 0;

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {  // a browser that keeps its clipboard from files on disk
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };

  const tiles = [...document.querySelectorAll("[data-here]")];
  tiles.forEach((tile) => tile.addEventListener("click", async () => {
    const text = command(tile);
    const done = await copy(text);
    tile.focus();
    said.querySelector("b").textContent = done ? "Copied" : "Copy this";
    said.querySelector("code").textContent = text;
    said.hidden = false;
    tiles.forEach((other) => other.classList.toggle("chosen", other === tile));
    clearTimeout(gone);
    if (done) gone = setTimeout(() => { said.hidden = true; }, 8000);
  }));
  const retitle = () => tiles.forEach((tile) => { tile.title = command(tile); });
  asHere.addEventListener("change", retitle);
  retitle();
})();
