"use strict";
// Try a model in the page: what a worker does is asked for and shown here.
(() => {
  const assets = (self.careAssets ??= {});
  const loading = new Map();

  // Scripts are loaded once, when they are needed; a page from disk may not fetch.
  function load(key, address) {
    if (key in assets) return Promise.resolve(assets[key]);
    if (!loading.has(key))
      loading.set(key, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = address;
        script.onload = () => resolve(assets[key]);
        script.onerror = () => {
          loading.delete(key);
          reject(new Error(`${address} is missing beside the page`));
        };
        document.head.append(script);
      }));
    return loading.get(key);
  }

  const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;

  async function chosen(wish, engines) {
    if (wish !== "auto") return wish;
    if (!engines.includes("webgpu") || !navigator.gpu) return "wasm";
    const adapter = await navigator.gpu.requestAdapter().catch(() => null);
    // One that a CPU pretends to be is slower than the CPU itself.
    const real = adapter && !(adapter.info?.isFallbackAdapter ?? false);
    return real ? "webgpu" : "wasm";
  }

  for (const box of document.querySelectorAll(".try")) {
    const { model } = box.dataset, engines = box.dataset.engines.split(" ");
    const find = (query) => box.querySelector(query);
    const said = find(".said"), work = find(".work"), bar = find("progress");
    const result = find(".result"), drop = find(".drop"), download = find(".download");
    let worker = null, kindOfWorker = "", number = 0, address = "";

    const say = (text, wrong = false) => {
      said.textContent = text;
      said.classList.toggle("wrong", wrong);
    };
    const idle = () => { work.hidden = true; drop.inert = false; };
    function stop() {
      number++;
      worker?.terminate();
      worker = null;
      idle();
    }

    async function restore(file, name, forced) {
      const mine = ++number;
      result.hidden = true;
      work.hidden = false;
      drop.inert = true;
      bar.removeAttribute("value");
      say("Loading");
      const wish = forced ?? find("[name=engine]").value;
      try {
        const kind = await chosen(wish, engines);
        const runtime = await load(`ort:${kind}`, `gallery/ort_${kind}.js`);
        const source = await load("worker", "gallery/worker.js");
        const network = await load(`model:${model}`, `gallery/${encodeURIComponent(model)}/model.js`);
        const buffer = file ? await file.arrayBuffer() : bytesOf(network.sample);
        if (mine !== number) return;
        if (!worker || kindOfWorker !== kind) {
          worker?.terminate();
          const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
          worker = new Worker(url);
          kindOfWorker = kind;
        }
        const again = () => restore(file, name, "wasm");
        worker.onmessage = ({ data }) => {
          if (mine === number) heard(data, name, kind, wish, again);
        };
        worker.onerror = (event) => {
          event.preventDefault();
          if (mine === number) fail(event.message || "the worker did not start");
        };
        worker.postMessage({
          kind, assets: runtime, key: model, onnx: network.onnx, recipe: network.recipe,
          wish: find("[name=type]").value, file: buffer,
        }, [buffer]);
      } catch (error) {
        if (mine === number) fail(error.message);
      }
    }

    function fail(text) {
      stop();
      say(`This did not work: ${text}`, true);
    }

    function heard(data, name, kind, wish, again) {
      if (data.kind === "step") say(data.text);
      else if (data.kind === "progress") {
        bar.max = data.total;
        bar.value = data.done;
        say(`Tile ${data.done} of ${data.total}`);
      } else if (data.kind === "engine" && kind === "webgpu" && wish === "auto") {
        stop();
        again(); // on the CPU, then
      } else if (data.kind === "done") {
        idle();
        finish(data, name);
      } else fail(data.text);
    }

    function paint(canvas, { width, height }, grey) {
      canvas.width = width;
      canvas.height = height;
      const image = new ImageData(width, height);
      const [all] = new Uint32Array(Uint8Array.of(0, 0, 0, 255).buffer); // opaque
      const one = new Uint32Array(Uint8Array.of(1, 1, 1, 0).buffer)[0];
      const pixels = new Uint32Array(image.data.buffer);
      for (let i = 0; i < grey.length; i++) pixels[i] = all + grey[i] * one;
      canvas.getContext("2d").putImageData(image, 0, 0);
    }

    function finish(data, name) {
      paint(find("canvas.raw"), data, data.before);
      paint(find("canvas.restored"), data, data.after);
      URL.revokeObjectURL(address);
      address = URL.createObjectURL(new Blob([data.tiff], { type: "image/tiff" }));
      download.href = address;
      download.download = `${name.replace(/\.[^.]*$/, "")}_restored.tif`;
      download.textContent = `Download ${download.download} (${data.type})`;
      const engine = data.engine === "webgpu" ? "WebGPU"
        : `WebAssembly, ${data.threads} thread${data.threads > 1 ? "s" : ""}`;
      const notes = [
        `${data.width} x ${data.height} pixels, ${data.planes} plane${data.planes > 1 ? "s" : ""}`
          + ` in ${data.seconds.toFixed(1)} s (${engine}).`,
      ];
      if (data.facts.blank)
        notes.push(`${data.facts.blank} without contrast, returned unchanged.`);
      if (data.facts.saturated)
        notes.push(`${data.facts.saturated} pixels were beyond ${data.type} and clipped.`);
      say(notes.join(" "));
      result.hidden = false;
    }

    const take = (files) => { if (files?.length) restore(files[0], files[0].name); };
    find("[type=file]").addEventListener("change", (event) => {
      take(event.target.files);
      event.target.value = "";
    });
    find(".sample").addEventListener("click", () => restore(null, "sample.tif"));
    find(".cancel").addEventListener("click", () => { stop(); say("Cancelled."); });
    for (const kind of ["dragenter", "dragover"])
      drop.addEventListener(kind, (event) => {
        event.preventDefault();
        drop.classList.add("over");
      });
    for (const kind of ["dragleave", "drop"])
      drop.addEventListener(kind, () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      if (!drop.inert) take(event.dataTransfer.files);
    });
  }
  // A file that misses its place must not replace the page.
  for (const kind of ["dragover", "drop"])
    addEventListener(kind, (event) => event.preventDefault());
})();
