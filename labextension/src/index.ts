/** The plugins of the extension. Each can be disabled by itself; all but the tracker only look on. */
import { commands } from './plugins/commands';
import { marks } from './plugins/marks';
import { panel } from './plugins/panel';
import { tagging } from './plugins/tagging';
import { tracker } from './plugins/tracker';
import { vega } from './plugins/vega';
import { viewer } from './plugins/viewer';

export default [tracker, commands, panel, marks, tagging, viewer, vega];
