/** The plots of the last hour. */

import { element, section } from './elements.js';
import UPlot from './uplot.js';

const MS_A_SECOND = 1_000;
const HEIGHT = 130;
const PLOTS = [
  { title: 'Holds', measure: ({ holders }) => holders },
  { title: 'Waiting requests', measure: ({ waiting }) => waiting },
  { title: 'Grants per second', measure: ({ grants }, periodMs) => (grants * MS_A_SECOND) / periodMs },
  { title: 'Losses', measure: ({ losses }) => losses },
];

/** Makes the section and draws in it once it has a size. */
export class Plots {
  constructor() {
    this.spaces = PLOTS.map(() => element('div', { class: 'space' }));
    const plots = PLOTS.map(({ title }, index) =>
      element('div', { class: 'plot' }, element('h3', {}, title), this.spaces[index]),
    );
    this.section = section('The last hour', { isWide: true }, element('div', { class: 'plots' }, ...plots));
    this.plots = [];
    new ResizeObserver(() => this.#resize()).observe(this.section);
  }

  show({ periodMs, samples }) {
    const times = samples.map(({ atMs }) => atMs / MS_A_SECOND);
    for (const [index, { measure }] of PLOTS.entries()) {
      const data = [times, samples.map((sample) => measure(sample, periodMs))];
      if (this.plots[index] === undefined) this.plots[index] = this.#make(this.spaces[index], data);
      else this.plots[index].setData(data);
    }
  }

  #make(space, data) {
    const style = getComputedStyle(document.documentElement);
    const [stroke, line, quiet] = ['--plot', '--line', '--quiet'].map((name) => style.getPropertyValue(name));
    const axis = { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: '11px system-ui' };
    const options = {
      width: space.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [
        { ...axis, size: 26, values: (_plot, ticks) => ticks.map(clockText) },
        { ...axis, size: 44 },
      ],
      series: [{}, { stroke, width: 1.5, points: { show: data[0].length < 2 } }],
    };
    return new UPlot(options, data, space);
  }

  #resize() {
    for (const [index, plot] of this.plots.entries()) {
      plot.setSize({ width: this.spaces[index].clientWidth, height: HEIGHT });
    }
  }
}

function clockText(seconds) {
  return new Date(seconds * MS_A_SECOND).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}
