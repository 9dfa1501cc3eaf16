// The mark of Majlis: an eight-pointed star, drawn as one path; icons, favicon and the connecting animation come from here.

export type Point = readonly [x: number, y: number];

const turn = Math.PI / 8;
/** Where two squares turned by 45° cross, as a share of the outer radius. */
const inner = Math.cos(Math.PI / 4) / Math.cos(turn);

/** The 16 corners of the star, tip first, clockwise from the top. */
export function starCorners(centre: number, radius: number): Point[] {
  return Array.from({ length: 16 }, (_, i) => {
    const reach = i % 2 === 0 ? radius : radius * inner;
    return [centre + reach * Math.sin(i * turn), centre - reach * Math.cos(i * turn)] as const;
  });
}

function path(points: readonly Point[]): string {
  return `M${points.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join('L')}Z`;
}

/** The star with an eight-pointed opening in it, as one path with the even-odd rule. */
export function starPath(size: number): string {
  const centre = size / 2;
  return path(starCorners(centre, centre)) + path(starCorners(centre, centre * 0.44));
}

/** The eight points of the star as paths of their own, to be lit one by one. */
export function starPoints(size: number): string[] {
  const centre = size / 2;
  const outer = starCorners(centre, centre);
  const core = starCorners(centre, centre * 0.44);
  return Array.from({ length: 8 }, (_, i) => {
    const at = (corners: Point[], offset: number): Point => corners[(i * 2 + offset + 16) % 16] ?? [centre, centre];
    return path([at(outer, -1), at(outer, 0), at(outer, 1), at(core, 1), at(core, 0), at(core, -1)]);
  });
}
