"use strict";
// The worker: all that is slow, away from the page.

const PNG = 0x89504e47; // the first four bytes
const TIFF = [0x49492a00, 0x49492b00, 0x4d4d002a, 0x4d4d002b];

// Read an image of either kind, by what the file begins with.
async function imageFile(buffer) {
  const size = buffer.byteLength;
  if (!size) throw new Error("the file is empty");
  const start = size < 4 ? 0 : new DataView(buffer).getUint32(0);
  if (start === PNG) return pngImage(buffer);
  if (!TIFF.includes(start))
    throw new Error("this is no TIFF or PNG file: save it as one of these");
  if (size < 16) throw new Error("the TIFF file ends too early");
  return tiffImage(buffer);
}

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  const THREADS = 8;
  let runtime = null, session = null, loaded = "";

  const bytesOf = (text) => {
    const found = atob(text), out = new Uint8Array(found.length);
    for (let i = 0; i < found.length; i++) out[i] = found.charCodeAt(i);
    return out;
  };
  const script = (source) =>
    URL.createObjectURL(new Blob([source], { type: "text/javascript" }));

  async function start({ kind, assets }) {
    if (runtime) return;
    importScripts(script(assets.api));
    ort.env.wasm.numThreads = self.crossOriginIsolated
      ? Math.min(THREADS, navigator.hardwareConcurrency || 1) : 1;
    ort.env.wasm.proxy = false;
    ort.env.wasm.wasmPaths = { mjs: script(assets.glue) };
    ort.env.wasm.wasmBinary = (await inflated(bytesOf(assets.wasm), "gzip", LARGEST)).buffer;
    ort.env.logLevel = "error";
    runtime = kind;
  }

  async function open({ key, onnx, kind }) {
    if (loaded === key) return;
    await session?.release();
    session = await ort.InferenceSession.create(bytesOf(onnx), {
      executionProviders: [kind], logSeverityLevel: 3, enableMemPattern: false,
    });
    loaded = key;
  }

  // The network as a function of a tile, whatever the order of its axes.
  const network = (recipe) => async (data, channels, rows, columns) => {
    const sizes = { B: 1, C: channels, Y: rows, X: columns };
    const put = (values, from, to, all) => {
      if (from === to) return values;
      const stride = {}, out = new Float32Array(values.length);
      [...from].reduceRight((step, a) => { stride[a] = step; return step * all[a]; }, 1);
      const index = [...to].map(() => 0);
      for (let i = 0; i < out.length; i++) {
        out[i] = values[index.reduce((sum, n, k) => sum + n * stride[to[k]], 0)];
        for (let k = to.length - 1; k >= 0; k--) {
          if (++index[k] < all[to[k]]) break;
          index[k] = 0;
        }
      }
      return out;
    };
    const { letters, output } = recipe;
    const input = new ort.Tensor("float32", put(data, "BCYX", letters, sizes),
      [...letters].map((axis) => sizes[axis]));
    const name = session.outputNames.includes(output.id)
      ? output.id : session.outputNames[0];
    const found = (await session.run({ [session.inputNames[0]]: input }, [name]))[name];
    const values = await found.getData();
    return put(values, output.letters, "BCYX", { ...sizes, C: output.channels });
  };

  self.onmessage = async ({ data: ask }) => {
    const tell = (message, moved) => self.postMessage(message, moved ?? []);
    try {
      tell({ kind: "step", text: "Reading the image" });
      const image = await imageFile(ask.file);
      tell({ kind: "step", text: "Starting the network" });
      try {
        await start(ask);
        await open(ask);
      } catch (error) {
        tell({ kind: "engine", text: String(error.message ?? error) });
        return;
      }
      const began = performance.now();
      const asked = network(ask.recipe);
      const run = (...tile) => asked(...tile).catch((error) => {
        throw Object.assign(error, { engine: true });
      });
      const found = await restore(image, ask.recipe, run, ask.wish, (done, total) =>
        tell({ kind: "progress", done, total }));
      const seconds = (performance.now() - began) / 1000;
      const { width, height, grid } = image;
      const before = shown(grid[0][0][middle(grid)]);
      const after = shown(found.view);
      const tiff = tiffFile(found.image);
      tell({
        kind: "done", width, height, before, after, tiff, seconds,
        type: found.image.type, facts: found.facts, engine: runtime,
        threads: ort.env.wasm.numThreads, planes: grid.length * grid[0].length * grid[0][0].length,
      }, [before.buffer, after.buffer, tiff]);
    } catch (error) {
      const kind = error.engine ? "engine" : "error";
      tell({ kind, text: String(error.message ?? error) });
    }
  };
}
