"use strict";
// The page itself: permalinks, filters, sliders and buttons that copy.
(() => {
  const root = document.documentElement;
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  root.classList.add("js");

  // Show the model that the address names, or the list of all.
  const first = document.title;
  function show(moved) {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* it is no name, then */ }
    let open = null;
    for (const section of all("section.model")) {
      const is = section.id === name;
      section.classList.toggle("open", is);
      if (is) open = section;
    }
    root.classList.toggle("detail", open !== null);
    document.title = open ? `${name} – ${first}` : first;
    if (!moved) return;
    scrollTo(0, 0);
    (open ?? document.querySelector(".overview")).querySelector("h2")
      .focus({ preventScroll: true });
  }
  addEventListener("hashchange", () => show(true));
  show(false);

  // Filters.
  const form = document.querySelector(".filters"), output = form.querySelector("output");
  const tiles = all(".grid > li");
  function filter() {
    const words = form.elements.text.value.toLowerCase().split(/\s+/);
    let count = 0;
    for (const tile of tiles) {
      const fits = words.every((word) => tile.dataset.text.includes(word)) &&
        ["task", "axes", "origin"].every((key) =>
          ["", tile.dataset[key]].includes(form.elements[key].value));
      tile.hidden = !fits;
      if (fits) count++;
    }
    output.textContent = `${count} of ${tiles.length} models`;
  }
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();

  // Sliders between raw and restored.
  const STEPS = {
    ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10,
    Home: -100, End: 100,
  };
  for (const figure of all(".compare")) {
    const stage = figure.querySelector(".stage"), handle = figure.querySelector(".handle");
    const place = (percent) => {
      const at = Math.round(Math.min(100, Math.max(0, percent)));
      stage.style.setProperty("--at", `${at}%`);
      handle.setAttribute("aria-valuenow", at);
      handle.setAttribute("aria-valuetext", `${at} % raw`);
    };
    const follow = (event) => {
      const box = stage.getBoundingClientRect();
      place((100 * (event.clientX - box.left)) / box.width);
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      stage.setPointerCapture(event.pointerId);
      follow(event);
      event.preventDefault();
      handle.focus({ preventScroll: true, focusVisible: false });
    });
    stage.addEventListener("pointermove", (event) => {
      if (stage.hasPointerCapture(event.pointerId)) follow(event);
    });
    handle.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      place(Number(handle.getAttribute("aria-valuenow")) + step);
      event.preventDefault();
    });
    for (const radio of all(".sides input", figure))
      radio.addEventListener("change", () => {
        for (const image of all(".stage > img:not(.raw)", figure))
          image.hidden = !image.classList.contains(radio.value);
      });
  }

  // Commands to copy. Pages from disk may not use the clipboard everywhere.
  for (const button of all(".copy"))
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      let done = true;
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        getSelection().selectAllChildren(code);
        done = document.execCommand("copy");
      }
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
})();
