/**
 * The ground of the front end: the words of the REST contract as types, the names under which the
 * parts know each other. Imports nothing of ours.
 */
import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

/** Name of the distribution; prefix of plugin ids and of every URL. */
export const NAMESPACE = 'pipelines-as-experiments';

/** Domain of the translations. */
export const TRANSLATION_DOMAIN = 'pipelines_as_experiments';

/** Id of the panel in the shell. */
export const PANEL_ID = `${NAMESPACE}:sidebar`;

/** Id of the plugin that has the settings. */
export const PANEL_PLUGIN_ID = `${NAMESPACE}:panel`;

export namespace CommandIDs {
  export const run = `${NAMESPACE}:run`;
  export const runToStep = `${NAMESPACE}:run-to-step`;
  export const runStepAgain = `${NAMESPACE}:run-step-again`;
  export const runAllAgain = `${NAMESPACE}:run-all-again`;
  export const retry = `${NAMESPACE}:retry`;
  export const sweep = `${NAMESPACE}:sweep`;
  export const cancel = `${NAMESPACE}:cancel`;
  export const cancelStep = `${NAMESPACE}:cancel-step`;
  export const exportPipeline = `${NAMESPACE}:export`;
  export const verify = `${NAMESPACE}:verify`;
  export const importRun = `${NAMESPACE}:import-run`;
  export const doctor = `${NAMESPACE}:doctor`;
  export const checkStore = `${NAMESPACE}:check-store`;
  export const reclaimSpace = `${NAMESPACE}:reclaim-space`;
  export const pinSchema = `${NAMESPACE}:pin-schema`;
  export const openSchema = `${NAMESPACE}:open-schema`;
  export const openSettings = `${NAMESPACE}:open-settings`;
  export const openPanel = `${NAMESPACE}:open-panel`;
  export const setStep = `${NAMESPACE}:set-step`;
  export const openRun = `${NAMESPACE}:open-run`;
  export const showOutputs = `${NAMESPACE}:show-outputs`;
  export const restoreVersion = `${NAMESPACE}:restore-version`;
  export const loadIntoKernel = `${NAMESPACE}:load-into-kernel`;
  export const openStepAsNotebook = `${NAMESPACE}:open-step-as-notebook`;
  export const useParameters = `${NAMESPACE}:use-parameters`;
  export const pinRun = `${NAMESPACE}:pin-run`;
  export const editRun = `${NAMESPACE}:edit-run`;
  export const cancelSweep = `${NAMESPACE}:cancel-sweep`;
  export const compareRuns = `${NAMESPACE}:compare-runs`;
  export const openData = `${NAMESPACE}:open-data`;
  export const newPipeline = `${NAMESPACE}:new-pipeline-notebook`;
  export const refresh = `${NAMESPACE}:refresh`;
}

export namespace EventSchemas {
  export const run = 'https://pipelines-as-experiments.dev/events/run/v1';
  export const stepRun = 'https://pipelines-as-experiments.dev/events/step_run/v1';
  export const schemaFile = 'https://pipelines-as-experiments.dev/events/schema_file/v1';
  export const task = 'https://pipelines-as-experiments.dev/events/task/v1';
}

export type JSONValue =
  null | boolean | number | string | JSONValue[] | { [name: string]: JSONValue };

/** Values for parameters of the notebook, by name. */
export type Parameters = { [name: string]: JSONValue };

/** A notebook in nbformat 4, as far as it matters here. */
export interface NotebookContent {
  nbformat: number;
  nbformat_minor: number;
  metadata: { [key: string]: unknown };
  cells: { [key: string]: unknown }[];
}

export const ROLES = [
  'importer',
  'validator',
  'transformer',
  'trainer',
  'evaluator',
  'deployer',
  'monitor'
] as const;
export type Role = (typeof ROLES)[number];

export const RESOURCES = ['cpu', 'memory', 'gpu'] as const;
export type Resource = (typeof RESOURCES)[number];

export type Decision = 'reuse' | 'run' | 'undecided';

export type RunStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted';

export type StepStatus = RunStatus | 'reused' | 'skipped';

/** Why a step is run, or is not. */
export interface Reason {
  kind: string;
  what: string | null;
  before?: JSONValue;
  after?: JSONValue;
  /** A sentence for people. */
  message: string;
}

/** Why a step's result may be out of date, though nothing that can be compared has changed. */
export interface Doubt {
  kind: string;
  what: string;
  /** A sentence for people. */
  message: string;
}

/** What the error document of the server holds. */
export interface ErrorDetails {
  code: string;
  message: string;
  details?: { cell_index?: number; line?: number; steps?: string[]; [name: string]: unknown };
}

export interface Parameter {
  name: string;
  default: JSONValue;
  /** The default as the notebook writes it. */
  source: string;
  type: 'int' | 'float' | 'str' | 'bool' | 'list' | 'dict' | 'none' | 'expression';
  comment: string;
}

/** Steps that run in one kernel, because they share what cannot be stored. */
export interface Unit {
  /** All of them, in the order in which they run. */
  steps: string[];
  /** Variables that cannot be stored. */
  names: string[];
}

/** One step of the pipeline, with what a run would do now. */
export interface Step {
  name: string;
  title: string;
  role: Role | null;
  cells: number[];
  after: string[];
  cache: string;
  kernel: string | null;
  retries: number;
  timeout_seconds: number | null;
  /** What it asks of the machine that runs it in production. */
  resources: { [kind in Resource]: string | null };
  inputs: { name: string; step: string }[];
  outputs: string[];
  /** Those with which it runs in one kernel; null if it has a kernel of its own. */
  unit: Unit | null;
  parameters: string[];
  decision: Decision;
  reasons: Reason[];
  warnings?: Doubt[];
  expected_duration_seconds: number | null;
  /** The step in the newest run that had it. */
  last: {
    run_id: string;
    status: StepStatus;
    duration_seconds: number | null;
    finished_at: string | null;
  } | null;
}

export interface Edge {
  source: string;
  target: string;
  names: string[];
  /** State of the process and files that cross it, seen while the steps ran. */
  state: string[];
  /** Seen while the step ran, not in its code. */
  learned: boolean;
  /** Order alone, from a tag. */
  explicit: boolean;
  /** The target goes on in the kernel of the source. */
  kernel: boolean;
}

export interface Warning {
  code: string;
  message: string;
  step?: string | null;
  cell_index?: number | null;
}

/** What one notebook says, and what a run of it would do now. */
export interface Pipeline {
  path: string;
  state: 'ok' | 'untagged' | 'error';
  error: ErrorDetails | null;
  setup_cells: number[];
  parameter_cells: number[];
  skipped_cells: number[];
  parameters: Parameter[];
  steps: Step[];
  edges: Edge[];
  warnings: Warning[];
  /** How long a run is likely to take at most; null if nobody can say. */
  expected_duration_seconds: number | null;
  /** The run that is under way for this notebook. */
  run_id: string | null;
}

export interface RunSummary {
  run_id: string;
  notebook: string;
  status: RunStatus;
  parameters: Parameters;
  /** ISO 8601, UTC. */
  created_at: string;
  finished_at: string | null;
  duration_seconds: number | null;
  steps_total: number;
  steps_executed: number;
  steps_reused: number;
  steps_failed: number;
  tags: string[];
  comment: string;
  /** The sweep that the run belongs to. */
  sweep?: string | null;
  /** Numbers, by `step.name`. */
  metrics?: { [name: string]: number };
}

/** A page of the history. */
export interface RunPage {
  runs: RunSummary[];
  /** How many there are on all pages. */
  total: number;
  /** What to ask for the page after this one with; null: there is none. */
  next: string | null;
  /** By sweep of which there is a run on the page, how many runs it has. */
  sweep_runs?: { readonly [sweepId: string]: number };
  /** Those of the project that have not come to their end. */
  sweeps?: UnfinishedSweep[];
}

export interface UnfinishedSweep {
  sweep_id: string;
  /** `interrupted`: the process that begins its runs is gone. */
  status: 'running' | 'interrupted';
  runs_total: number;
  runs_begun: number;
}

/** What is looked for in the history. */
export interface HistoryQuery {
  words?: string;
  status?: RunStatus | '';
  tag?: string;
  sweep?: string;
  /** `step.name`: in the order of this metric. */
  metric?: string;
  order?: 'asc' | 'desc';
  limit?: number;
  before?: string;
}

/** Runs with this tag are pinned: they are kept, and stand out. */
export const PINNED = 'pinned';

/** A run as it stands beside others. */
export interface ComparedRun extends RunSummary {
  metrics: { [name: string]: number };
  /** Every parameter's value. */
  values: Parameters;
  steps: ComparedStep[];
}

export interface ComparedStep {
  name: string;
  status: StepStatus;
  duration_seconds: number | null;
  /** Equal where the code is equal; null where the step has not ended well. */
  code: string | null;
  outputs: Output[];
}

/** One thing that differs. */
export interface Change<T = JSONValue> {
  before: T | null;
  after: T | null;
}

/** What differs between two runs. */
export interface RunDiff {
  runs: [string, string];
  parameters: { [name: string]: Change };
  steps: {
    name: string;
    change: 'added' | 'removed' | 'changed';
    code?: Change<string[]>;
    /** Of tables that are not the same, what their statistics differ in. */
    statistics?: { [output: string]: { anomalies: Anomaly[] } };
    [what: string]: unknown;
  }[];
}

/** How a step was executed. */
export interface StepFacts {
  executed_in: string | null;
  finished_at: string | null;
  duration_seconds: number | null;
  files_read: string[];
  files_written: string[];
  folders: string[];
  variables: string[];
  packages: { [name: string]: string };
  environment: { [name: string]: string };
  parameters: Parameters;
}

/** A cut of a notebook without steps into steps. */
export interface Suggestion {
  steps: { name: string; title: string; cells: number[] }[];
  /** By index of a cell, the tags that it gets. */
  tags: { [index: string]: string[] };
}

/** What the cells of a step have logged, by name. */
export interface Logged {
  /** Points in the order in which they were logged: step and value. */
  metrics: { [name: string]: [number, number | null][] };
  texts: { [name: string]: string };
  /** MIME bundles. */
  figures: { [name: string]: { [type: string]: JSONValue } };
}

/** What may be shown of a stored value without loading it. */
export interface Preview {
  digest: string;
  type: string;
  summary: string;
  preview: PreviewContent | null;
}

export type PreviewContent =
  | {
      kind: 'table';
      shape: number[];
      columns: { name: string; dtype: string }[];
      index: string[] | null;
      rows: string[][];
    }
  | { kind: 'array'; shape: number[]; dtype: string; values: string[] }
  | { kind: 'image'; shape: number[]; dtype: string; png: string }
  | { kind: 'items'; length: number; items: [string, string][] }
  | { kind: 'parameters'; parameters: { [name: string]: string } }
  | { kind: 'text'; text: string };

export interface Output {
  name: string;
  type: string;
  materializer: string;
  digest: string;
  size_bytes: number;
  summary?: string;
  /** Why it is not in the store any more. */
  gone?: string | null;
}

/** Whether, and how, a variable that a step left can be handed on. */
export interface Verdict {
  name: string;
  type: string;
  /** Whether the value can leave the process that made it. */
  carriable: boolean;
  /** Whether it was stored; a large value that no step reads is not. */
  kept: boolean;
  materializer: string | null;
  size_bytes: number | null;
  /** Why it was not stored, for people; empty if it was. */
  message: string;
}

export interface StepError {
  code: string;
  step: string;
  cell_index: number | null;
  cell_id: string | null;
  message: string;
  traceback: string | string[] | null;
}

export type Severity = 'error' | 'warning' | 'info';

/** One difference of a table from what is expected of it. */
export interface Anomaly {
  /** The column; null for the whole table. */
  feature: string | null;
  kind: string;
  severity: Severity;
  description: string;
  output?: string;
  /** The expression that does not hold, where it is a check. */
  check?: string | null;
  /** The first step that let it in. */
  first?: { step: string; output: string };
  /** A person has agreed to it. */
  accepted?: boolean;
}

/** A distribution as shares of bins that the run and its reference have in common. */
export interface Bins {
  kind: 'values' | 'numbers';
  current: number[];
  reference: number[] | null;
  /** Of values. */
  labels?: string[];
  unseen?: boolean[];
  /** Of numbers. */
  start_text?: string;
  stop_text?: string;
}

/** One column at a glance. */
export interface ColumnRow {
  name: string;
  type: string;
  dtype: string;
  is_gone: boolean;
  anomalies: Anomaly[];
  nulls: number;
  reference_nulls: number | null;
  distinct: number | null;
  reference_distinct: number | null;
  bins: Bins | null;
  numbers: { [name: string]: string };
  reference_numbers: { [name: string]: string } | null;
  drift: { effect: number } | null;
}

export interface TableSize {
  rows: number;
  columns: number;
  /** Rows that repeat an earlier one. */
  duplicates: number | null;
  /** Fewer than there are: the numbers are approximate. */
  measured_rows: number;
}

/** What a step did to a table that it read. */
export interface TableChange {
  rows_before: number;
  rows_after: number;
  columns_added: string[];
  columns_removed: string[];
  columns_renamed: { before: string; after: string }[];
  types: { column: string; before: string; after: string }[];
  nulls: { column: string; before: number; after: number }[];
  categories_lost: { column: string; values: JSONValue[] }[];
  categories_gained: { column: string; values: JSONValue[] }[];
  /** By column, drift that matters. */
  drift: { [column: string]: { distance: number } };
}

/** A table of a run, a row for each column. */
export interface Glance {
  run_id: string;
  /** As `step.name`. */
  table: string;
  digest: string;
  type: string;
  summary: string;
  /** Null for what is no table. */
  size: TableSize | null;
  against: {
    run_id: string;
    table: string;
    /** Its run was compared with it, too. */
    is_usual: boolean;
    size: TableSize | null;
  } | null;
  anomalies: Anomaly[];
  /** The guilty columns first. */
  overview: ColumnRow[];
  /** Where it is compared with what its step made it of. */
  changes: TableChange | null;
  /** Tables that the step read, as `step.name`. */
  upstream: string[];
  /** A person has agreed to such a table. */
  is_pinned: boolean;
}

/** One thing that is told of both sides. */
export interface BothSides {
  current: string | null;
  reference: string | null;
}

/** Which anomaly of a table. */
export interface AnomalyName {
  kind: string;
  feature: string | null;
  check?: string | null;
}

/** The rows that an anomaly is about. */
export interface FailingRows {
  total: number;
  /** Rows of the table. */
  of: number;
  /** The guilty one first. */
  columns: string[];
  /** Columns of the table that are not told. */
  left_out: number;
  rows: { position: number; index: JSONValue; values: JSONValue[] }[];
  /** Which rows these are, or why there are none. */
  message: string;
}

/** The first cell that let an anomaly in. */
export interface Trace {
  status: 'found' | 'not_replayed';
  /** The first step that has it. */
  step: string;
  cell_index: number | null;
  /** What the table is called there. */
  name: string | null;
  source: string | null;
  message: string;
  warnings: string[];
}

/** A table, or one of its columns, in the last runs, the oldest first. */
export interface TableTrend {
  runs: {
    run_id: string;
    created_at: string;
    rows: number;
    anomalies: number;
    nulls?: number | null;
    distinct?: number | null;
    mean?: number | null;
  }[];
}

/** How good predictions are for the rows in which `column` is `value`. */
export interface Slice {
  column: string | null;
  value: JSONValue;
  rows: number;
  metric: number;
  /** Of the confidence interval. */
  low: number;
  high: number;
  p_value: number;
}

/** Columns and a metric; what is empty is found by usual names. */
export interface SliceQuery {
  truth: string;
  prediction: string;
  metric: string;
}

export interface Slices {
  truth: string;
  prediction: string;
  metric: string;
  overall: Slice;
  /** The worst first. */
  slices: Slice[];
}

/** `<notebook>.schema.yaml`. */
export interface SchemaFile {
  file: string;
  text: string;
}

export interface ColumnDetail {
  name: string;
  type: string;
  dtype: string;
  is_gone: boolean;
  facts: (BothSides & { name: string })[];
  quantiles: (BothSides & { at: number })[];
  values: { value: string; current: number; reference: number | null; is_unseen: boolean }[];
  drift: { measure: string; distance: number; p_value: number; effect: number } | null;
  bins: Bins | null;
  /** Vega-Lite. */
  chart: { [name: string]: unknown } | null;
}

export interface StepRun {
  name: string;
  status: StepStatus;
  decision: Decision | null;
  reasons: Reason[];
  warnings?: Doubt[];
  duration_seconds: number | null;
  started_at: string | null;
  finished_at: string | null;
  /** How many of its cells a running step has done. */
  progress: { cell: number; cells: number } | null;
  cells: number[];
  /** Digest by name. */
  inputs: { [name: string]: string };
  outputs: Output[];
  verdicts: Verdict[];
  metrics?: { [name: string]: JSONValue };
  /** What is odd in its tables; known soon after the step has ended. */
  anomalies?: Anomaly[];
  error: StepError | null;
}

/** One execution of a plan. */
export interface Run {
  run_id: string;
  status: RunStatus;
  notebook: string;
  parameters: Parameters;
  duration_seconds: number | null;
  created_at: string;
  finished_at: string | null;
  error: ErrorDetails | null;
  tags?: string[];
  comment?: string;
  steps: StepRun[];
}

/** A piece of what a step wrote, and the bytes that it stands for. */
export interface LogPiece {
  log: string;
  start: number;
  end: number;
}

/** What the server is asked to do beside runs. */
export type TaskKind = 'export' | 'verify' | 'import' | 'doctor' | 'check' | 'gc';

/** `interrupted`: its server has ended, and the task with it. */
export type TaskStatus = 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted';

/** Work beside runs, in a process that the server owns. */
export interface TaskSummary {
  task_id: string;
  kind: TaskKind;
  path: string;
  /** What it writes or reads, for the contents API. */
  folder: string | null;
  status: TaskStatus;
  created_at: string;
  finished_at: string | null;
}

export interface Task extends TaskSummary {
  log: string;
  events: unknown[];
  /** What the command of this name answers with; null until it is there. */
  result: unknown;
  error: ErrorDetails | null;
}

/** An engine that notebooks can be exported to. */
export interface ExportTarget {
  name: string;
  summary: string;
  options: string[];
  can_verify: boolean;
}

export interface ExportResult {
  target: string;
  name: string;
  steps: { name: string; steps: string[]; why_joined: string[] }[];
  files: string[];
  /** What the target cannot express. */
  gaps: string[];
  notes: string[];
  verification: {
    status: 'equal' | 'differs';
    artifacts: { artifact: string; status: string; message: string }[];
    seconds: { install: number; run: number };
  } | null;
}

/** Whether a step gives the same when it is executed again. */
export interface StepVerdict {
  name: string;
  status: 'equal' | 'different' | 'failed' | 'not_verified';
  message: string;
  differences: { message: string }[];
  causes: { message: string }[];
  duration_seconds: number | null;
}

export interface VerifyResult {
  status: 'equal' | 'different';
  steps: StepVerdict[];
}

export interface DoctorResult {
  status: 'ok' | 'problem';
  checks: { check: string; level: 'ok' | 'warning' | 'problem'; message: string; remedy: string }[];
}

export interface StoreCheckResult {
  status: 'clean' | 'repaired' | 'damaged';
  store: string;
  files: number;
  size_bytes: number;
  findings: { message: string; is_repaired: boolean }[];
}

export interface GcResult {
  dry_run: boolean;
  executions: number;
  runs: number;
  files: number;
  kept_bytes: number;
  reclaimed_bytes: number;
}

/** Something happened to a run; what, the server must be asked. */
export interface RunEvent {
  run_id: string;
  path: string;
}

export function isActive(status: RunStatus): boolean {
  return status === 'queued' || status === 'running';
}

/** The pipelines of the open notebooks; see `PipelineTracker`. */
export interface IPipelineTracker<Model = unknown> {
  /** The pipeline of the notebook in front, or null. */
  readonly current: Model | null;
  /** Another notebook came to the front, or its pipeline, run or selection changed. */
  readonly changed: ISignal<this, void>;
}

export const IPipelineTracker = new Token<IPipelineTracker>(
  `${NAMESPACE}:IPipelineTracker`,
  'The pipelines of the open notebooks.'
);
