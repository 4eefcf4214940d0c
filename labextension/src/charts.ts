/** What all charts have in common: Vega-Lite 5, which JupyterLab draws, in the colours of the theme. */

export type Spec = { [key: string]: unknown };

export const VEGA_LITE = 'application/vnd.vegalite.v5+json';
const SCHEMA = 'https://vega.github.io/schema/vega-lite/v5.json';

/** Colours of the theme, as the page has them now. */
export interface Theme {
  text: string;
  page: string;
  line: string;
  grid: string;
  error: string;
  font: string;
}

export function readTheme(element: Element): Theme {
  const style = getComputedStyle(element);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    text: read('--jp-ui-font-color1'),
    page: read('--jp-layout-color1'),
    line: read('--jp-brand-color1'),
    grid: read('--jp-border-color2'),
    error: read('--jp-error-color1'),
    font: read('--jp-ui-font-family')
  };
}

/** What every chart begins with. */
export function basis(theme: Theme): Spec {
  const axis = {
    labelColor: theme.text,
    titleColor: theme.text,
    gridColor: theme.text,
    gridOpacity: 0.12,
    domainColor: theme.grid,
    tickColor: theme.grid
  };
  return {
    $schema: SCHEMA,
    background: 'transparent',
    config: { font: theme.font, axis, view: { stroke: null }, text: { font: theme.font } },
    usermeta: { embedOptions: { actions: false } }
  };
}

/** A metric over the steps at which it was logged. */
export function curve(
  name: string,
  points: readonly [number, number | null][],
  theme: Theme
): Spec {
  return {
    ...basis(theme),
    width: 240,
    height: 110,
    data: { values: points.map(([step, value]) => ({ step, value })) },
    mark: { type: 'line', color: theme.line, tooltip: true },
    encoding: {
      x: { field: 'step', type: 'quantitative', title: null },
      y: { field: 'value', type: 'quantitative', title: name, scale: { zero: false } }
    }
  };
}
