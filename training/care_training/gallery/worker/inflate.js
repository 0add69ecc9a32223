"use strict";
// Unpacking: zlib by the browser, LZW and PackBits by hand.

const LARGEST = 2 ** 31; // bytes of an image that a page may hold

async function inflated(bytes, format, most) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format));
  const reader = stream.getReader(), parts = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      size += value.length;
      if (size >= most) break; // what follows is no image
    }
  } catch (error) {
    if (!size) throw new Error(`the file is damaged (${error.message})`);
  }
  reader.cancel().catch(() => {});
  const out = new Uint8Array(Math.min(size, most));
  let at = 0;
  for (const part of parts) {
    const taken = part.subarray(0, out.length - at);
    out.set(taken, at);
    at += taken.length;
  }
  return out;
}

// LZW of TIFF: codes of 9 to 12 bits, the highest bit first.
function unLZW(bytes, most) {
  const out = new Uint8Array(most);
  const starts = new Int32Array(4096), lengths = new Int32Array(4096);
  let at = 0, position = 0, width = 9, next = 258, previous = -1;
  const bits = 8 * bytes.length;
  while (position + width <= bits && at < most) {
    const i = position >> 3;
    const word = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const code = (word >> (24 - width - (position & 7))) & ((1 << width) - 1);
    position += width;
    if (code === 257) break;
    if (code === 256) { width = 9; next = 258; previous = -1; continue; }
    const begin = at;
    if (code < 256) out[at++] = code;
    else if (code < next || (code === next && previous >= 0)) {
      // A string that is only being made is the last one and its own first byte.
      const start = code < next ? starts[code] : previous;
      const length = code < next ? lengths[code] : begin - previous + 1;
      for (let k = 0; k < length && at < most; k++) out[at++] = out[start + k];
    } else throw new Error("the file is damaged (its LZW makes no sense)");
    if (previous >= 0 && next < 4096) {
      starts[next] = previous;
      lengths[next++] = begin - previous + 1;
    }
    previous = begin;
    if (next >= (1 << width) - 1 && width < 12) width++;
  }
  return out.subarray(0, at);
}

function unPackBits(bytes, most) {
  const out = new Uint8Array(most);
  let at = 0;
  for (let i = 0; i < bytes.length && at < most;) {
    const head = (bytes[i++] << 24) >> 24;
    if (head >= 0) {
      const taken = bytes.subarray(i, Math.min(i + head + 1, i + most - at));
      out.set(taken, at);
      at += taken.length;
      i += head + 1;
    } else if (head !== -128) {
      const stop = Math.min(at + 1 - head, most);
      out.fill(bytes[i++], at, stop);
      at = stop;
    }
  }
  return out.subarray(0, at);
}
