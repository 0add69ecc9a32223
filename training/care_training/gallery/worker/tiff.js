"use strict";
// A reader of TIFF: whole numbers of 8, 16 and 32 bits and floats of 32 and 64, strips
// and tiles, both byte orders, BigTIFF; the axes that ImageJ and OME name.

const SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 0, 0, 0, 8, 8, 8];
const MOST = 100000; // pages, and values of a tag that is no list of strips

function readTiff(buffer) {
  const view = new DataView(buffer);
  const order = buffer.byteLength > 16 ? view.getUint16(0) : 0;
  const little = order === 0x4949;
  if (!little && order !== 0x4d4d) throw new Error("this is no TIFF file");
  const version = view.getUint16(2, little);
  if (version !== 42 && version !== 43) throw new Error("this is no TIFF file");
  const big = version === 43;
  const file = { buffer, view, little, big };
  const pages = [], seen = new Set();
  let at = big ? long(file, 8) : view.getUint32(4, little);
  while (at && pages.length < MOST) {
    if (seen.has(at)) throw new Error("the TIFF file is damaged (its pages run in a circle)");
    seen.add(at);
    const [tags, next] = directory(file, at);
    pages.push(tags);
    at = next;
  }
  return { file, pages: pages.filter((tags) => tags.has(256) && tags.has(257)) };
}

function long({ view, little }, at) {
  const value = Number(view.getBigUint64(at, little));
  if (!Number.isSafeInteger(value)) throw new Error("the TIFF file is damaged");
  return value;
}

function directory(file, at) {
  const { view, little, big, buffer } = file;
  const step = big ? 20 : 12, inline = big ? 8 : 4;
  try {
    const count = big ? long(file, at) : view.getUint16(at, little);
    const tags = new Map();
    let entry = at + (big ? 8 : 2);
    for (let i = 0; i < count; i++, entry += step) {
      const type = view.getUint16(entry + 2, little);
      const length = big ? long(file, entry + 4) : view.getUint32(entry + 4, little);
      const size = (SIZES[type] ?? 0) * length;
      let place = entry + (big ? 12 : 8);
      if (size > inline) place = big ? long(file, place) : view.getUint32(place, little);
      if (!size || place + size > buffer.byteLength) continue;
      tags.set(view.getUint16(entry, little), { type, length, place });
    }
    const next = big ? long(file, entry) : view.getUint32(entry, little);
    return [tags, next];
  } catch (error) {
    if (error instanceof RangeError) throw new Error("the TIFF file ends too early");
    throw error;
  }
}

function numbers({ view, little }, tag) {
  const { type, length, place } = tag, out = new Array(length);
  for (let i = 0; i < length; i++) {
    const at = place + i * SIZES[type];
    if (type === 3) out[i] = view.getUint16(at, little);
    else if (type === 4 || type === 13) out[i] = view.getUint32(at, little);
    else if (type === 16) out[i] = Number(view.getBigUint64(at, little));
    else if (type === 5) out[i] = [view.getUint32(at, little), view.getUint32(at + 4, little)];
    else out[i] = view.getUint8(at);
  }
  return out;
}

const asked = (file, tags, number, other) =>
  tags.has(number) ? numbers(file, tags.get(number))[0] : other;

function text(file, tags, number) {
  const tag = tags.get(number);
  if (!tag) return "";
  return new TextDecoder().decode(new Uint8Array(file.buffer, tag.place, tag.length))
    .replace(/\0[^]*$/, "");
}

// What the pixels of a page are.
function form(file, tags) {
  const bits = tags.has(258) ? numbers(file, tags.get(258)) : [1];
  const kind = asked(file, tags, 339, 1);
  const type = { 1: "uint", 2: "int", 3: "float" }[kind] + bits[0];
  if (!(type in ARRAYS) || bits.some((n) => n !== bits[0]))
    throw new Error(`pixels of ${bits} bits (kind ${kind}) are not read here: ` +
      "save the image with 8, 16 or 32 bits");
  return {
    type,
    width: asked(file, tags, 256, 0),
    height: asked(file, tags, 257, 0),
    samples: asked(file, tags, 277, 1),
    planar: asked(file, tags, 284, 1) === 2,
    compression: asked(file, tags, 259, 1),
    predictor: asked(file, tags, 317, 1),
  };
}

async function unpacked(bytes, compression, most) {
  if (compression === 1) return bytes.subarray(0, most);
  if (compression === 5) return unLZW(bytes, most);
  if (compression === 8 || compression === 32946) return inflated(bytes, "deflate", most);
  if (compression === 32773) return unPackBits(bytes, most);
  throw new Error(`TIFF compression ${compression} is not read here: save the image ` +
    "without compression, or use the command line");
}

// Pixels of a strip or tile, in the machine's own byte order.
function decoded(bytes, { type, predictor }, little, columns, rows, samples) {
  const size = ARRAYS[type].BYTES_PER_ELEMENT, count = columns * rows * samples;
  const raw = new Uint8Array(count * size);
  raw.set(bytes.subarray(0, raw.length));
  const row = columns * samples;
  if (predictor === 3) {
    const out = new Uint8Array(raw.length), line = row * size;
    for (let y = 0; y < rows; y++) {
      const part = raw.subarray(y * line, (y + 1) * line);
      for (let i = samples; i < line; i++) part[i] += part[i - samples];
      for (let i = 0; i < row; i++)
        for (let b = 0; b < size; b++)
          out[y * line + i * size + b] = part[(size - 1 - b) * row + i];
    }
    return new ARRAYS[type](out.buffer);
  }
  if (!little && size > 1)
    for (let i = 0; i < raw.length; i += size) raw.subarray(i, i + size).reverse();
  const pixels = new ARRAYS[type](raw.buffer);
  if (predictor === 2) {
    const whole = type.startsWith("float")
      ? new { float32: Uint32Array, float64: BigUint64Array }[type](raw.buffer) : pixels;
    for (let y = 0; y < rows; y++)
      for (let i = y * row + samples; i < (y + 1) * row; i++) whole[i] += whole[i - samples];
  } else if (predictor !== 1) throw new Error(`TIFF predictor ${predictor} is not read here`);
  return pixels;
}

// One page as planes, one for each of its samples.
async function planes(file, tags, found) {
  const { type, width, height, samples, planar, compression } = found;
  const tiled = tags.has(324);
  const columns = tiled ? asked(file, tags, 322, 0) : width;
  const rows = tiled ? asked(file, tags, 323, 0)
    : Math.min(asked(file, tags, 278, height), height);
  if (!columns || !rows) throw new Error("the TIFF file is damaged (it has empty tiles)");
  const places = numbers(file, tags.get(tiled ? 324 : 273) ?? { length: 0 });
  const counts = numbers(file, tags.get(tiled ? 325 : 279) ?? { length: 0 });
  const across = Math.ceil(width / columns), down = Math.ceil(height / rows);
  const parts = planar ? samples : 1, each = planar ? 1 : samples;
  if (places.length < across * down * parts || counts.length < places.length)
    throw new Error("the TIFF file is damaged (pixels are missing)");
  const size = ARRAYS[type].BYTES_PER_ELEMENT;
  const out = Array.from({ length: samples }, () => new ARRAYS[type](width * height));
  for (let n = 0; n < across * down * parts; n++) {
    const part = Math.floor(n / (across * down)), i = n % (across * down);
    const left = (i % across) * columns, top = Math.floor(i / across) * rows;
    const lines = tiled ? rows : Math.min(rows, height - top);
    if (places[n] + counts[n] > file.buffer.byteLength)
      throw new Error("the TIFF file ends too early");
    const bytes = new Uint8Array(file.buffer, places[n], counts[n]);
    const most = columns * lines * each * size;
    const got = await unpacked(bytes, compression, most);
    if (got.length < most) throw new Error("the TIFF file is damaged (pixels are missing)");
    const pixels = decoded(got, found, file.little, columns, lines, each);
    const stop = Math.min(left + columns, width);
    for (let s = 0; s < each; s++)
      for (let y = 0; y < lines && top + y < height; y++)
        for (let x = left; x < stop; x++)
          out[part + s][(top + y) * width + x] = pixels[(y * columns + x - left) * each + s];
  }
  return out;
}

// How many channels, planes and times the pages are, and which of them runs fastest.
function stack(description, pages) {
  const number = (pattern) => Number(description.match(pattern)?.[1] ?? 1);
  let sizes = { C: 1, Z: 1, T: 1 }, order = "CZT";
  if (description.startsWith("ImageJ=")) {
    sizes = {
      C: number(/^channels=(\d+)/m), Z: number(/^slices=(\d+)/m), T: number(/^frames=(\d+)/m),
    };
  } else if (/<(\w+:)?OME[\s>]/.test(description)) {
    const pixels = description.match(/<(?:\w+:)?Pixels\s[^>]*>/)?.[0] ?? "";
    const of = (key) => Number(pixels.match(new RegExp(`\\s${key}="(\\d+)"`))?.[1] ?? 1);
    sizes = { C: of("SizeC"), Z: of("SizeZ"), T: of("SizeT") };
    order = pixels.match(/DimensionOrder="XY([CZT]{3})"/)?.[1] ?? "CZT";
  }
  return sizes.C * sizes.Z * sizes.T === pages
    ? { ...sizes, order } : { C: 1, Z: 1, T: pages, order: "CZT" };
}

// An image as planes[t][c][z], with what has to be kept of its calibration.
async function tiffImage(buffer, progress) {
  const { file, pages } = readTiff(buffer);
  if (!pages.length) throw new Error("the TIFF file holds no image");
  const found = form(file, pages[0]);
  const same = pages.filter((tags) => {
    const other = [256, 257, 258, 277, 339].map((n) => asked(file, tags, n, 1));
    return other.every((n, i) => n === asked(file, pages[0], [256, 257, 258, 277, 339][i], 1))
      && !(asked(file, tags, 254, 0) & 1);
  });
  const used = same.length ? same : pages.slice(0, 1);
  const { type, width, height, samples } = found;
  const description = text(file, pages[0], 270);
  if (/^ImageJ=/.test(description) && used.length === 1 &&
      Number(description.match(/^images=(\d+)/m)?.[1] ?? 1) > 1)
    throw new Error("ImageJ stacks of 4 GB and more are not read here");
  const bytes = width * height * samples * used.length * ARRAYS[type].BYTES_PER_ELEMENT;
  if (!(bytes > 0) || bytes > LARGEST)
    throw new Error(`the image takes ${(bytes / 1e9).toFixed(1)} GB: use the command line`);
  const sizes = stack(description, used.length);
  const grid = Array.from({ length: sizes.T }, () =>
    Array.from({ length: sizes.C * samples }, () => new Array(sizes.Z)));
  for (let page = 0; page < used.length; page++) {
    const at = {};
    let rest = page;
    for (const axis of sizes.order) { at[axis] = rest % sizes[axis]; rest = Math.floor(rest / sizes[axis]); }
    const got = await planes(file, used[page], form(file, used[page]));
    got.forEach((plane, s) => { grid[at.T][at.C * samples + s][at.Z] = plane; });
    progress?.(page + 1, used.length);
  }
  const resolution = [282, 283].map((n) => asked(file, pages[0], n, null));
  const kept = description.startsWith("ImageJ=")
    ? description.match(/^(?:unit|spacing|finterval|tunit|zunit|yunit|fps)=.*$/gm) ?? [] : [];
  return {
    type, width, height, grid,
    calibration: {
      resolution: resolution.every(Array.isArray) ? resolution : null,
      unit: asked(file, pages[0], 296, 1), kept,
    },
  };
}
