"use strict";
// A writer of TIFF as ImageJ writes it: planes in the order of C, Z, T.

function tiffFile({ type, width, height, grid, calibration }) {
  const channels = grid[0].length, slices = grid[0][0].length, frames = grid.length;
  const count = channels * slices * frames;
  const Kind = ARRAYS[type], size = Kind.BYTES_PER_ELEMENT;
  const lines = ["ImageJ=1.11a", `images=${count}`];
  if (channels > 1) lines.push(`channels=${channels}`);
  if (slices > 1) lines.push(`slices=${slices}`);
  if (frames > 1) lines.push(`frames=${frames}`);
  if (count > 1) lines.push("hyperstack=true", "mode=grayscale");
  const words = new TextEncoder().encode(
    [...lines, ...calibration.kept, "loop=false", ""].join("\n") + "\0");
  const { resolution, unit } = calibration;
  const entries = resolution ? 14 : 11, bytes = width * height * size;
  const more = 2 + 12 * entries + 4 + (resolution ? 16 : 0);
  const start = 8 + words.length + (words.length & 1);
  const pixels = start + count * (more + (more & 1));
  const first = Math.ceil(pixels / 8) * 8;
  const total = first + count * bytes;
  if (total >= 2 ** 32) throw new Error("the result has 4 GB or more: use the command line");
  const buffer = new ArrayBuffer(total), view = new DataView(buffer);
  const out = new Uint8Array(buffer);
  view.setUint16(0, 0x4949);
  view.setUint16(2, 42, true);
  view.setUint32(4, start, true);
  out.set(words, 8);
  const kind = type.startsWith("float") ? 3 : type.startsWith("int") ? 2 : 1;
  let page = 0;
  for (let t = 0; t < frames; t++)
    for (let z = 0; z < slices; z++)
      for (let c = 0; c < channels; c++, page++) {
        const at = start + page * (more + (more & 1)), place = first + page * bytes;
        const ratios = at + 2 + 12 * entries + 4;
        const tags = [
          [256, 4, 1, width], [257, 4, 1, height], [258, 3, 1, 8 * size], [259, 3, 1, 1],
          [262, 3, 1, 1], [270, 2, words.length, 8], [273, 4, 1, place], [277, 3, 1, 1],
          [278, 4, 1, height], [279, 4, 1, bytes],
          ...(resolution ? [[282, 5, 1, ratios], [283, 5, 1, ratios + 8], [296, 3, 1, unit]] : []),
          [339, 3, 1, kind],
        ];
        view.setUint16(at, entries, true);
        tags.forEach(([tag, form, length, value], i) => {
          const entry = at + 2 + 12 * i;
          view.setUint16(entry, tag, true);
          view.setUint16(entry + 2, form, true);
          view.setUint32(entry + 4, length, true);
          view.setUint32(entry + 8, value, true);
        });
        const next = page + 1 < count ? at + more + (more & 1) : 0;
        view.setUint32(at + 2 + 12 * entries, next, true);
        if (resolution)
          resolution.flat().forEach((n, i) => view.setUint32(ratios + 4 * i, n, true));
        new Kind(buffer, place, width * height).set(grid[t][c][z]);
      }
  return buffer;
}
