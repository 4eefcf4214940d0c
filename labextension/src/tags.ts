/**
 * The tags of one cell as the form shows and changes them. The server alone decides what a notebook
 * means; this file knows just enough to fill in a form and to write it back.
 */
import { RESOURCES, ROLES, type Resource, type Role } from './tokens';

/** What a cell is to the pipeline. `join`: no tag of its own, it goes with what is above. */
export type CellKind = 'step' | 'join' | 'parameters' | 'skip' | 'shared' | 'metrics';

export interface CellTags {
  kind: CellKind;
  /** Empty where no step is named. */
  step: string;
  role: Role | null;
  /** `on`, `off`, or an age such as `12h`. */
  cache: string;
  /** As its tags write them; empty where nothing is said. */
  limits: { [limit in Limit]: string };
}

/** How often a step is tried again, how long it may take, and what it asks of a machine in production. */
export const LIMITS = ['retries', 'timeout', ...RESOURCES] as const;
export type Limit = 'retries' | 'timeout' | Resource;

export const NO_LIMITS: CellTags['limits'] = {
  retries: '',
  timeout: '',
  cpu: '',
  memory: '',
  gpu: ''
};

const STEP_NAME = /^[a-z][a-z0-9_-]*$/;
const AGE = /^\d+(\.\d+)?[smhdw]$/;
/** How the values of limits are written. */
const LIMIT_VALUES: { [limit in Limit]: RegExp } = {
  retries: /^\d+$/,
  timeout: AGE,
  cpu: /^\d+(\.\d+)?$|^\d+m$/,
  memory: /^\d+(\.\d+)?([kMGT]|[KMGT]i)?$/,
  gpu: /^\d+$/
};
/** Kale's spelling of some. */
const KALE_LIMITS: { [name: string]: Limit } = {
  cpu: 'cpu',
  memory: 'memory',
  'nvidia.com/gpu': 'gpu'
};
const STEP_TAG = /^(step|block):(.*)$/;
const STEP_MAGIC = /^\s*%%step\b/;

/** Tags without a value that say what a cell is; Kale's spellings among them. */
const KIND_TAGS: { [tag: string]: CellKind } = {
  parameters: 'parameters',
  'pipeline-parameters': 'parameters',
  skip: 'skip',
  imports: 'shared',
  functions: 'shared',
  'pipeline-metrics': 'metrics'
};

/** How a kind without a value is written. */
const WRITTEN: { [kind in CellKind]?: string } = {
  parameters: 'parameters',
  skip: 'skip',
  shared: 'functions',
  metrics: 'pipeline-metrics'
};

export function readTags(tags: readonly string[]): CellTags {
  const said: CellTags = {
    kind: 'join',
    step: '',
    role: null,
    cache: 'on',
    limits: { ...NO_LIMITS }
  };
  for (const tag of tags.map(tag => tag.trim())) {
    const step = STEP_TAG.exec(tag)?.[2].trim();
    if (step) {
      said.kind = 'step';
      said.step = step;
    } else if (tag in KIND_TAGS && said.kind !== 'step') {
      said.kind = KIND_TAGS[tag];
    } else if (tag.startsWith('role:')) {
      said.role = ROLES.find(role => role === tag.slice('role:'.length).trim()) ?? null;
    } else if (tag.startsWith('cache:')) {
      const cache = tag.slice('cache:'.length).trim();
      said.cache = { enabled: 'on', disabled: 'off' }[cache] ?? cache;
    } else {
      const [limit, value] = readLimit(tag) ?? [];
      if (limit !== undefined && value !== undefined) {
        said.limits[limit] = value;
      }
    }
  }
  return said;
}

/** `tags` so that they say `wanted`. What already says so, and what is somebody else's, stays as it is. */
export function writeTags(tags: readonly string[], wanted: CellTags): string[] {
  const said = readTags(tags);
  const isStep = wanted.kind === 'step';
  const written = new TagList(tags);
  if (said.kind !== wanted.kind || said.step !== wanted.step) {
    const tag = isStep ? `step:${wanted.step}` : WRITTEN[wanted.kind];
    written.replace(tag => STEP_TAG.test(tag) || tag in KIND_TAGS, tag);
  }
  const role = isStep ? wanted.role : null;
  if (said.role !== role) {
    written.replace(tag => tag.startsWith('role:'), role ? `role:${role}` : undefined);
  }
  const cache = isStep ? wanted.cache : 'on';
  if (said.cache !== cache) {
    written.replace(tag => tag.startsWith('cache:'), cache === 'on' ? undefined : `cache:${cache}`);
  }
  for (const limit of LIMITS) {
    const value = isStep ? wanted.limits[limit] : '';
    if (said.limits[limit] !== value) {
      written.replace(
        tag => readLimit(tag)?.[0] === limit,
        value ? `${limit}:${value}` : undefined
      );
    }
  }
  return written.tags;
}

/** The limit that a tag sets, and to what. */
function readLimit(tag: string): [Limit, string] | null {
  const [key, ...rest] = tag.split(':');
  const value = rest.join(':').trim();
  if (key === 'limit') {
    const [name, amount] = value.split(':');
    return name in KALE_LIMITS ? [KALE_LIMITS[name], (amount ?? '').trim()] : null;
  }
  const limit = LIMITS.find(limit => limit === key);
  return limit && rest.length > 0 ? [limit, value] : null;
}

/** Whether a limit may say so; nothing is a good value, too. */
export function isLimit(limit: Limit, value: string): boolean {
  return value === '' || LIMIT_VALUES[limit].test(value);
}

/** Whether a step may be called so. */
export function isStepName(name: string): boolean {
  return STEP_NAME.test(name);
}

/** Whether a cache policy may say so: `on`, `off` or an age. */
export function isCache(cache: string): boolean {
  return cache === 'on' || cache === 'off' || AGE.test(cache);
}

/** Whether the source says by itself which step it belongs to. */
export function hasStepMagic(source: string): boolean {
  return STEP_MAGIC.test(source);
}

/** The source without a first line that says the step, which is left out when the cell is executed. */
export function withoutStepMagic(source: string): string {
  return hasStepMagic(source) ? source.trimStart().replace(/^.*\n?/, '') : source;
}

/** Whether a cell names a step: by a tag, or by its first line. */
export function namesStep(tags: readonly string[], source: string): boolean {
  return readTags(tags).kind === 'step' || hasStepMagic(source);
}

/** The tags of a cell's metadata; a malformed list is an empty one. */
export function tagsOf(metadata: unknown): string[] {
  return Array.isArray(metadata)
    ? metadata.filter((tag): tag is string => typeof tag === 'string')
    : [];
}

class TagList {
  constructor(tags: readonly string[]) {
    this.tags = [...tags];
  }

  tags: string[];

  /** Put `tag` where the first of the old ones stands, or at the end; the others go. */
  replace(isOld: (tag: string) => boolean, tag: string | undefined): void {
    const first = this.tags.findIndex(old => isOld(old.trim()));
    const kept = this.tags.filter(old => !isOld(old.trim()));
    if (tag !== undefined) {
      kept.splice(first < 0 ? kept.length : first, 0, tag);
    }
    this.tags = kept;
  }
}
