"use strict";
// The straight line of a restoration, as in care_runtime's restore.py.

// The plane of a grid that is looked at.
const middle = (grid) => Math.floor(grid[0][0].length / 2);

// Restore an image; `network` takes a tile (float32, its shape) and gives its main output.
async function restore(image, recipe, network, wish, progress) {
  const { grid, width, height, type } = image;
  const count = grid[0].length, slices = grid[0][0].length, inputs = recipe.channels;
  if (inputs !== 1 && inputs !== count)
    throw new Error(`the model needs ${inputs} channels together, the image has ${count}`);
  const bad = grid.flat(2).reduce((sum, plane) => sum + unusable(plane), 0);
  if (bad) throw new Error(`${bad} pixels are NaN or infinite: replace them first`);
  const lines = {};
  for (const [axis, size] of [["y", height], ["x", width]])
    lines[axis] = line(size, {
      multiple: recipe.multiple[axis], halo: recipe.halo[axis], tile: recipe.tile[axis],
    });
  const { y: rows, x: columns } = lines;
  const outputs = recipe.output.channels, groups = count / inputs;
  const inverts = recipe.invert && recipe.percentiles !== null && recipe.output.undo !== "none";
  const inUnits = inverts && recipe.output.undo === "affine";
  const result = wish === "auto" && inUnits && !type.startsWith("float") ? type : "float32";
  const made = grid.map(() => Array.from({ length: groups * outputs }, () =>
    Array.from({ length: slices }, () => new ARRAYS[result](width * height))));
  const total = grid.length * groups * slices * rows.cuts.length * columns.cuts.length;
  const facts = { blank: 0, saturated: 0, tiles: total };
  // A plane as it was before it was rounded to integers, which may be few.
  const view = new Float32Array(width * height);
  let done = 0, movies = new Map();
  for (let t = 0; t < grid.length; t++)
    for (let g = 0; g < groups; g++) {
      const channels = Array.from({ length: inputs }, (_, c) => g * inputs + c);
      const whole = recipe.over.includes("T");
      if (!whole) movies = new Map();
      const map = (c, z) => {
        const flat = !recipe.over.includes("Z"), key = `${c},${flat ? z : 0}`;
        if (!movies.has(key)) {
          const over = (whole ? grid : [grid[t]]).flatMap((frame) =>
            flat ? [frame[c][z]] : frame[c]);
          movies.set(key, recipe.percentiles
            ? affine(...percentiles(over, recipe.percentiles)) : affine(0, 1));
        }
        return movies.get(key);
      };
      for (let z = 0; z < slices; z++) {
        const maps = channels.map((c) => map(c, z));
        const counted = z === 0 || !recipe.over.includes("Z");
        facts.blank += counted ? maps.filter((each) => each.blank).length : 0;
        for (const cy of rows.cuts)
          for (const cx of columns.cuts) {
            const tile = gathered(grid[t], channels, z, maps, width,
              positions(cy, rows), positions(cx, columns));
            const answer = maps.every((each) => each.blank)
              ? new Float32Array(outputs * tile.rows * tile.columns)
              : await network(tile.data, inputs, tile.rows, tile.columns);
            if (answer.length !== outputs * tile.rows * tile.columns)
              throw new Error("the network gave an image of another size");
            for (let o = 0; o < outputs; o++) {
              const from = Math.floor((o * inputs) / outputs);
              const looked = t + g + o === 0 && z === middle(grid);
              facts.saturated += placed(made[t][g * outputs + o][z], width, answer, o, tile, {
                map: maps[inverts || outputs % inputs === 0 ? from : 0], from,
                undo: inverts ? recipe.output.undo : "none",
                plain: recipe.output.undo === "affine", type: result, cy, cx,
                view: looked ? view : null,
              });
            }
            progress(++done, total);
          }
      }
    }
  return { image: { ...image, type: result, grid: made }, facts, view };
}

// A normalized tile, mirrored beyond the borders of the image.
function gathered(frame, channels, z, maps, width, ys, xs) {
  const rows = ys.length, columns = xs.length;
  const data = new Float32Array(channels.length * rows * columns);
  let at = 0;
  channels.forEach((c, i) => {
    const plane = frame[c][z], map = maps[i];
    for (let y = 0; y < rows; y++) {
      const begin = ys[y] * width;
      for (let x = 0; x < columns; x++) data[at++] = normalized(map, plane[begin + xs[x]]);
    }
  });
  return { data, rows, columns };
}

// Put the exact part of an answer in its place, and count what its type cannot hold.
function placed(out, width, answer, channel, tile, how) {
  const { map, from, undo, plain, type, cy, cx, view } = how;
  const { rows, columns, data } = tile;
  const range = RANGES[type];
  let lost = 0;
  for (let y = cy.keep[0]; y < cy.keep[1]; y++) {
    let at = (cy.write[0] + y - cy.keep[0]) * width + cx.write[0];
    for (let x = cx.keep[0]; x < cx.keep[1]; x++, at++) {
      const here = y * columns + x;
      let value = answer[channel * rows * columns + here];
      // What had no contrast stays as it came.
      if (map.blank) value = plain ? data[from * rows * columns + here] : 0;
      if (undo === "affine") value = grey(map, value);
      else if (undo === "scale") value = Math.fround(value * map.width);
      if (view) view[at] = value;
      if (range) {
        value = rint(value);
        if (value < range[0] || value > range[1]) lost++;
        value = Math.min(range[1], Math.max(range[0], value));
      }
      out[at] = value;
    }
  }
  return lost;
}

// A plane as 8-bit grey between its percentiles, to be looked at.
function shown(plane) {
  const map = affine(...percentiles([plane], [0.5, 99.8]));
  const out = new Uint8ClampedArray(plane.length);
  for (let i = 0; i < plane.length; i++)
    out[i] = Math.floor(255 * Math.min(1, Math.max(0, normalized(map, plane[i]))));
  return out;
}
