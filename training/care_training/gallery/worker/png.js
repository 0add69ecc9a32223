"use strict";
// A reader of PNG that keeps 16 bits, which the browser's own does not.

async function pngImage(buffer) {
  const view = new DataView(buffer), bytes = new Uint8Array(buffer);
  let head = null, at = 8, plain = true;
  const data = [];
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (at + 12 + length > bytes.length) throw new Error("the PNG file ends too early");
    if (kind === "IHDR") {
      head = {
        width: view.getUint32(at + 8), height: view.getUint32(at + 12),
        depth: bytes[at + 16], colour: bytes[at + 17], interlaced: bytes[at + 20] !== 0,
      };
    } else if (kind === "IDAT") data.push(bytes.subarray(at + 8, at + 8 + length));
    else if (kind === "IEND") break;
    at += 12 + length;
  }
  if (!head || !head.width || !head.height) throw new Error("the PNG file is damaged");
  const samples = { 0: 1, 2: 3, 4: 2, 6: 4 }[head.colour];
  plain = samples && !head.interlaced && (head.depth === 8 || head.depth === 16);
  if (head.width * head.height * 8 > LARGEST)
    throw new Error("the PNG file is too large: use the command line");
  const found = plain ? await unfiltered(head, samples, data) : await painted(buffer);
  return grey1({ ...found, width: head.width, height: head.height });
}

async function unfiltered({ width, height, depth, colour }, samples, data) {
  const step = (samples * depth) / 8, row = width * step;
  const raw = await inflated(new Uint8Array(await new Blob(data).arrayBuffer()), "deflate",
    (row + 1) * height);
  if (raw.length < (row + 1) * height) throw new Error("the PNG file is damaged");
  let above = new Uint8Array(row);
  const lines = [];
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (row + 1)], line = raw.subarray(y * (row + 1) + 1, (y + 1) * (row + 1));
    for (let i = 0; i < row; i++) {
      const a = i < step ? 0 : line[i - step], b = above[i], c = i < step ? 0 : above[i - step];
      if (filter === 1) line[i] += a;
      else if (filter === 2) line[i] += b;
      else if (filter === 3) line[i] += (a + b) >> 1;
      else if (filter === 4) {
        const p = a + b - c, pa = Math.abs(p - a), pb = Math.abs(p - b), pc = Math.abs(p - c);
        line[i] += pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
      }
    }
    lines.push(line);
    above = line;
  }
  const type = depth === 16 ? "uint16" : "uint8";
  const colours = colour === 2 || colour === 6 ? 3 : 1; // without opacity
  const channels = Array.from({ length: colours }, () => new ARRAYS[type](width * height));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < colours; c++) {
        const i = x * step + (c * depth) / 8, line = lines[y];
        channels[c][y * width + x] = depth === 16 ? (line[i] << 8) | line[i + 1] : line[i];
      }
  return { type, channels };
}

// Palettes and the like: as the browser paints them.
async function painted(buffer) {
  const image = await createImageBitmap(new Blob([buffer], { type: "image/png" }),
    { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const channels = [0, 1, 2].map((c) =>
    Uint8Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + c]));
  return { type: "uint8", channels };
}

// Three equal channels are one.
function grey1({ type, width, height, channels }) {
  const [first, ...others] = channels;
  const same = others.every((channel) => channel.every((value, i) => value === first[i]));
  return {
    type, width, height, grid: [(same ? [first] : channels).map((channel) => [channel])],
    calibration: { resolution: null, unit: 1, kept: [] },
  };
}
