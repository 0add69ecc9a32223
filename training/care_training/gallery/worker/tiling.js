"use strict";
// How an image is cut so that tiled equals whole: the same integers as
// care_runtime's tiling.py and resample.py.

const ceilTo = (size, multiple) => Math.ceil(size / multiple) * multiple;

// Cut one axis; `tile` is the kept size, null keeps the axis whole.
function line(size, { multiple = 1, halo = 0, tile = null } = {}) {
  halo = ceilTo(halo, multiple);
  const padded = ceilTo(size, multiple);
  const before = Math.floor((padded - size) / 2);
  let kept = padded;
  if (tile !== null) kept = Math.min(padded, ceilTo(Math.max(tile, 1), multiple));
  if (kept + 2 * halo >= padded) kept = padded;
  const count = kept === padded ? 1 : Math.ceil((padded - 2 * halo) / kept);
  const read = ceilTo(Math.ceil((padded + 2 * halo * (count - 1)) / count), multiple);
  const cuts = [];
  let first = 0, start = 0;
  while (start < padded) {
    first = Math.min(first, padded - read);
    const stop = first + read === padded ? padded : first + read - halo;
    const a = Math.max(start, before), b = Math.min(stop, before + size);
    if (a < b)
      cuts.push({
        read: [first, first + read],
        keep: [a - first, b - first],
        write: [a - before, b - before],
      });
    first += read - 2 * halo;
    start = stop;
  }
  return { size, before, padded, cuts };
}

// Mirror a position at the first and last pixel, as often as it takes.
function reflected(position, size) {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const folded = ((position % period) + period) % period;
  return Math.min(folded, period - folded);
}

// Where each pixel of a tile comes from along an axis.
function positions(cut, { size, before }) {
  const [first, stop] = cut.read;
  return Int32Array.from({ length: stop - first }, (_, i) =>
    reflected(first + i - before, size));
}
