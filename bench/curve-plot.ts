/** Draws curves over a logarithmic axis as SVG, side by side; readable on light and on dark pages. */

/** One curve with its axes. */
export interface Panel {
  readonly title: string;
  readonly across: string;
  readonly upwards: string;
  /** At 1 or more across. */
  readonly points: readonly { readonly at: number; readonly value: number }[];
}

const PANEL = { width: 330, height: 270, left: 44, right: 18, top: 44, bottom: 46 } as const;
const PLOT = {
  width: PANEL.width - PANEL.left - PANEL.right,
  height: PANEL.height - PANEL.top - PANEL.bottom,
} as const;
const MAX_LINES = 6;
/** Keeps the first point off the numbers of the axis, and the last one inside. */
const INSET = 16;
const STYLE = `
  text { font: 11px system-ui, sans-serif; fill: #333; }
  .title { font-weight: 600; font-size: 13px; }
  .grid { stroke: #8888; stroke-width: 0.5; }
  .curve { fill: none; stroke: #0b62c4; stroke-width: 2; }
  .point { fill: #0b62c4; }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd; }
    .curve { stroke: #6cb2ff; }
    .point { fill: #6cb2ff; }
  }
`;

/** The text of an SVG file. */
export function plotCurves(panels: readonly Panel[]): string {
  const size = { width: panels.length * PANEL.width, height: PANEL.height };
  const drawn = panels.map((panel, index) => `<g transform="translate(${index * PANEL.width} 0)">${draw(panel)}</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" role="img">`,
    `<title>${panels.map(({ title }) => title).join('; ')}</title>`,
    `<style>${STYLE}</style>`,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

function draw({ title, across, upwards, points }: Panel): string {
  const step = niceStep(Math.max(...points.map(({ value }) => value)));
  const lines = Math.floor(Math.max(...points.map(({ value }) => value)) / step) + 1;
  const decades = Math.ceil(Math.log10(Math.max(10, ...points.map(({ at }) => at))));
  const x = (at: number): string =>
    (PANEL.left + INSET + ((PLOT.width - 2 * INSET) * Math.log10(at)) / decades).toFixed(1);
  const y = (value: number): string => (PANEL.top + PLOT.height * (1 - value / (lines * step))).toFixed(1);
  const right = PANEL.left + PLOT.width;
  const parts = [
    text(PANEL.left, 16, 'start', title, 'title'),
    text(PANEL.left, 32, 'start', upwards),
    text(PANEL.left + PLOT.width / 2, PANEL.height - 10, 'middle', across),
  ];
  for (let line = 0; line <= lines; line += 1) {
    const value = line * step;
    parts.push(`<line class="grid" x1="${PANEL.left}" x2="${right}" y1="${y(value)}" y2="${y(value)}"/>`);
    parts.push(text(PANEL.left - 6, Number(y(value)) + 4, 'end', String(Number(value.toPrecision(3)))));
  }
  for (let decade = 0; decade <= decades; decade += 1) {
    parts.push(text(Number(x(10 ** decade)), PANEL.top + PLOT.height + 16, 'middle', countText(10 ** decade)));
  }
  parts.push(`<polyline class="curve" points="${points.map(({ at, value }) => `${x(at)},${y(value)}`).join(' ')}"/>`);
  for (const { at, value } of points) {
    parts.push(`<circle class="point" cx="${x(at)}" cy="${y(value)}" r="3"/>`);
    parts.push(text(Number(x(at)), Number(y(value)) - 8, 'middle', value.toPrecision(3)));
  }
  return parts.join('\n');
}

function text(x: number, y: number, anchor: 'start' | 'middle' | 'end', content: string, kind = 'label'): string {
  return `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`;
}

/** 1, 2 or 5 times a power of ten, so that a few lines reach that far. */
function niceStep(greatest: number): number {
  const least = greatest / MAX_LINES;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

/** Of powers of ten. */
function countText(count: number): string {
  if (count >= 1e6) return `${count / 1e6}M`;
  return count >= 1_000 ? `${count / 1_000}k` : String(count);
}
