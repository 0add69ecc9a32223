"use strict";
// Percentiles and the affine map between grey values and a network's, with the same
// roundings as care_runtime's percentiles.py, normalize.py and canvas.py.

const FLOAT32 = 2 ** 16; // grey value up to which float32 is precise enough

// How pixels of a type are interpolated: what fits float32 exactly, in float32.
const single = (pixels) =>
  pixels instanceof Uint8Array || pixels instanceof Int8Array ||
  pixels instanceof Uint16Array || pixels instanceof Int16Array ||
  pixels instanceof Float32Array;

// The order statistics of `ranks` of all pixels of some arrays of one type.
function ordered(parts, ranks) {
  const first = parts[0];
  const bits = 8 * first.BYTES_PER_ELEMENT;
  const real = first instanceof Float32Array || first instanceof Float64Array;
  if (bits <= 16 && !real) {
    const signed = first instanceof Int8Array || first instanceof Int16Array;
    const shift = signed ? 2 ** (bits - 1) : 0;
    const counts = new Float64Array(2 ** bits);
    for (const part of parts)
      for (let i = 0; i < part.length; i++) counts[part[i] + shift]++;
    return ranks.map((rank) => {
      let value = 0;
      for (let below = counts[0]; below <= rank; below += counts[value]) value++;
      return value - shift;
    });
  }
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const all = new first.constructor(size);
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  all.sort();
  return ranks.map((rank) => all[rank]);
}

// Percentiles as numpy.percentile measures them ("linear", from the nearer end).
function percentiles(parts, q) {
  const last = parts.reduce((sum, part) => sum + part.length, 0) - 1;
  const positions = q.map((each) => last * (each / 100));
  const ranks = positions.flatMap((p) => [Math.floor(p), Math.ceil(p)]);
  const found = ordered(parts, ranks);
  const round = single(parts[0]) ? Math.fround : (x) => x;
  return positions.map((position, i) => {
    const [low, high] = found.slice(2 * i, 2 * i + 2);
    const step = round(high - low), weight = position - Math.floor(position);
    return weight < 0.5 ? low + step * weight : high - step * (1 - weight);
  });
}

// The map of `low` to 0 and `high` to 1; without contrast it is blank.
function affine(low, high) {
  const width = Math.fround(high - low);
  const blank = !(width > 0);
  const exact = Math.abs(low) > FLOAT32;
  return { low: exact ? low : Math.fround(low), width: blank ? 1 : width, blank, exact };
}

// A grey value, normalized; Float32Array rounds what is returned.
function normalized(map, x) {
  const { low, width, exact } = map;
  return exact ? (x - low) / width : Math.fround(Math.fround(x) - low) / width;
}

// A normalized value in grey values again.
function grey(map, y) {
  const scaled = Math.fround(y * map.width);
  return map.exact ? scaled + map.low : Math.fround(scaled + map.low);
}

const RANGES = {
  uint8: [0, 255], int8: [-128, 127], uint16: [0, 65535], int16: [-32768, 32767],
  uint32: [0, 2 ** 32 - 1], int32: [-(2 ** 31), 2 ** 31 - 1],
};

const ARRAYS = {
  uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array,
};

// Round half to even, as IEEE 754 and numpy do.
function rint(x) {
  const down = Math.floor(x), part = x - down;
  if (part < 0.5) return down;
  if (part > 0.5) return down + 1;
  return down % 2 === 0 ? down : down + 1;
}

// How many pixels are no finite float32.
function unusable(pixels) {
  if (!(pixels instanceof Float32Array || pixels instanceof Float64Array)) return 0;
  let count = 0;
  for (let i = 0; i < pixels.length; i++)
    if (!Number.isFinite(Math.fround(pixels[i]))) count++;
  return count;
}
