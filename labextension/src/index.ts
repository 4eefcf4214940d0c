/** The plugins of the extension. Each can be disabled by itself; all but the tracker only look on. */
import { commands } from './plugins/commands';
import { compare } from './plugins/compare';
import { data } from './plugins/data';
import { launcher } from './plugins/launcher';
import { marks } from './plugins/marks';
import { news } from './plugins/news';
import { panel } from './plugins/panel';
import { results } from './plugins/results';
import { running } from './plugins/running';
import { status } from './plugins/status';
import { sweep } from './plugins/sweep';
import { tagging } from './plugins/tagging';
import { tasks } from './plugins/tasks';
import { tracker } from './plugins/tracker';
import { vega } from './plugins/vega';
import { viewer } from './plugins/viewer';

export default [
  tracker,
  commands,
  panel,
  marks,
  tagging,
  viewer,
  results,
  sweep,
  compare,
  tasks,
  data,
  running,
  status,
  news,
  launcher,
  vega
];
