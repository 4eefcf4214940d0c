/** The panel: the pipeline of the notebook in front, or why there is none. */
import { ReactWidget, type IMovableSectionSource, type ISectionEntry } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  caretDownIcon,
  ellipsesIcon,
  refreshIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import type { Message as LuminoMessage } from '@lumino/messaging';
import { Signal, type ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import * as React from 'react';

import {
  ActionsContext,
  NotebookContext,
  RenderContext,
  TransContext,
  useActions,
  useNotebook,
  useTrans,
  type Actions,
  type MenuItem
} from './components/context';
import { pipelineIcon } from './components/icons';
import { CellLink, ErrorMessage, Message } from './components/message';
import { MovableSections, SectionsContext } from './components/movable';
import { useNow } from './components/now';
import { State } from './components/state';
import { Words } from './components/words';
import { forecast, forecastSentence } from './forecast';
import type { PipelineModel } from './model';
import { sampleParameter } from './parameters';
import { DagPanel } from './panels/dag';
import { OptionsPanel, ParametersPanel } from './panels/parameters';
import { AnomaliesPanel } from './panels/statistics';
import { RunsPanel } from './panels/runs';
import { StepsPanel } from './panels/step';
import { tagCells } from './results';
import { stepState } from './state';
import { CommandIDs, PANEL_ID, type Pipeline, type Run, type Suggestion } from './tokens';
import type { PipelineTracker } from './tracker';
import { formatWholeSeconds } from './units';

const RUN_MENU: MenuItem[] = [
  { command: CommandIDs.run },
  { command: CommandIDs.runToStep },
  { command: CommandIDs.runStepAgain },
  { command: CommandIDs.runAllAgain },
  { command: CommandIDs.retry },
  null,
  { command: CommandIDs.sweep }
];

/** What is not about a run. */
const MORE_MENU: MenuItem[] = [
  { command: CommandIDs.exportPipeline },
  { command: CommandIDs.verify },
  null,
  { command: CommandIDs.openSchema },
  { command: CommandIDs.pinSchema },
  null,
  { command: CommandIDs.importRun },
  { command: CommandIDs.checkStore },
  { command: CommandIDs.reclaimSpace },
  { command: CommandIDs.doctor },
  { command: CommandIDs.openSettings }
];

export class Sidebar extends ReactWidget implements IMovableSectionSource {
  constructor(
    private readonly _tracker: PipelineTracker,
    private readonly _actions: Actions,
    private readonly _rendermime: IRenderMimeRegistry | null,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.id = PANEL_ID;
    this.addClass('jp-Pipelines');
    this.title.icon = pipelineIcon;
    this.title.caption = _trans.__('Pipeline');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', _trans.__('Pipeline'));
    this._sections = new MovableSections({ steps: _trans.__('Steps'), runs: _trans.__('Runs') });
    this._sections.changed.connect(() => this._onSeen());
    this._sections.added.connect((_, entry) => this._sectionAdded.emit(entry));
    // Several changes within one task are one drawing.
    _tracker.changed.connect(() => this.update());
  }

  // -- sections that can be moved into another sidebar

  readonly accordionPanel = null;

  get sectionAdded(): ISignal<this, ISectionEntry> {
    return this._sectionAdded;
  }

  getSections(): ISectionEntry[] {
    return this._sections.entries;
  }

  removeSectionById(sectionId: string): Widget | null {
    return this._sections.remove(sectionId);
  }

  reinsertSection(widget: Widget): void {
    this._sections.reinsert(widget);
  }

  protected override onUpdateRequest(msg: LuminoMessage): void {
    // Nothing is drawn while nobody looks.
    if (this._isSeen) {
      super.onUpdateRequest(msg);
    }
  }

  protected override onAfterShow(msg: LuminoMessage): void {
    super.onAfterShow(msg);
    this._onSeen();
  }

  protected override onAfterHide(msg: LuminoMessage): void {
    super.onAfterHide(msg);
    this._onSeen();
  }

  protected override onAfterAttach(msg: LuminoMessage): void {
    super.onAfterAttach(msg);
    this._onSeen();
  }

  /** Whether the panel, or a section of it that stands elsewhere, is on screen. */
  private get _isSeen(): boolean {
    return this.isVisible || this._sections.isSeenElsewhere;
  }

  private _onSeen(): void {
    this._tracker.isShown = this._isSeen;
    this.update();
  }

  protected render(): React.ReactElement {
    const notebook = this._tracker.currentNotebook;
    return (
      <TransContext.Provider value={this._trans}>
        <RenderContext.Provider value={this._rendermime}>
          <ActionsContext.Provider value={this._actions}>
            <SectionsContext.Provider value={this._sections}>
              <NotebookContext.Provider value={notebook}>
                {notebook ? <NotebookView key={notebook.panel.id} /> : <NoNotebook />}
              </NotebookContext.Provider>
            </SectionsContext.Provider>
          </ActionsContext.Provider>
        </RenderContext.Provider>
      </TransContext.Provider>
    );
  }

  private readonly _sections: MovableSections;
  private readonly _sectionAdded = new Signal<this, ISectionEntry>(this);
}

function NotebookView(): React.ReactElement {
  const { model } = useNotebook();
  const { drawn, noPipelineReason, pipeline } = model;
  if (!drawn) {
    return <NoPipeline />;
  }
  const isUntagged = drawn.state === 'untagged';
  return (
    <>
      <Header pipeline={drawn} />
      <div className="jp-Pipelines-messages">
        {noPipelineReason ? <Unavailable /> : null}
        {pipeline?.state === 'error' && pipeline.error ? (
          <ErrorMessage error={pipeline.error} />
        ) : null}
        {model.notice ? (
          <ErrorMessage error={model.notice} onDismiss={() => model.dismissNotice()} />
        ) : null}
        <SelectedRun />
        <FailedRun />
      </div>
      <div className="jp-Pipelines-body" data-outdated={pipeline?.state === 'error' || undefined}>
        {isUntagged ? <Untagged /> : null}
        {drawn.steps.length > 0 ? <DagPanel pipeline={drawn} /> : null}
        <div className="jp-Pipelines-lists">
          <Warnings pipeline={drawn} />
          {isUntagged ? null : <ParametersPanel parameters={drawn.parameters} />}
          {isUntagged ? null : <OptionsPanel />}
          <AnomaliesPanel />
          {drawn.steps.length > 0 ? <StepsPanel pipeline={drawn} /> : null}
          {isUntagged && model.runs.length === 0 ? null : <RunsPanel />}
        </div>
      </div>
    </>
  );
}

function Header({ pipeline }: { pipeline: Pipeline }): React.ReactElement {
  const trans = useTrans();
  const actions = useActions();
  const { model } = useNotebook();
  const canRun =
    pipeline.steps.length > 0 &&
    !model.isRunning &&
    model.noPipelineReason === null &&
    model.parsedOverrides.wrong.length === 0;
  const execute = (command: string): void => void actions.commands.execute(command);
  return (
    <header className="jp-Pipelines-header">
      <div className="jp-Pipelines-heading">
        <h2 title={model.path}>{PathExt.basename(model.path, '.ipynb')}</h2>
        <button
          className="jp-Pipelines-iconButton"
          title={trans.__('Refresh')}
          aria-label={trans.__('Refresh')}
          onClick={() => execute(CommandIDs.refresh)}
        >
          <refreshIcon.react tag="span" />
        </button>
        <button
          className="jp-Pipelines-iconButton"
          aria-haspopup="menu"
          title={trans.__('Export, verify, schema and more')}
          aria-label={trans.__('Export, verify, schema and more')}
          onClick={event =>
            actions.openMenu(
              event.currentTarget,
              MORE_MENU.filter(item => !item || actions.commands.hasCommand(item.command))
            )
          }
        >
          <ellipsesIcon.react tag="span" />
        </button>
      </div>
      {pipeline.steps.length > 0 || model.isRunning ? (
        <p className="jp-Pipelines-summary" aria-live="polite">
          <Summary pipeline={pipeline} model={model} />
        </p>
      ) : null}
      {pipeline.steps.length > 0 ? (
        <div className="jp-Pipelines-buttons" role="toolbar" aria-label={trans.__('Run')}>
          <button
            className="jp-Pipelines-button jp-mod-primary"
            disabled={!canRun}
            title={trans.__('Run: %1', forecastSentence(trans, forecast(pipeline)))}
            onClick={() => execute(CommandIDs.run)}
          >
            <runIcon.react tag="span" />
            {trans.__('Run')}
          </button>
          <button
            className="jp-Pipelines-button jp-Pipelines-runMenu"
            aria-haspopup="menu"
            title={trans.__('Other ways to run')}
            aria-label={trans.__('Other ways to run')}
            onClick={event => actions.openMenu(event.currentTarget, RUN_MENU)}
          >
            <caretDownIcon.react tag="span" />
          </button>
          <button
            className="jp-Pipelines-button"
            disabled={!canRun || model.step(model.selectedStep) === null}
            title={
              model.step(model.selectedStep)
                ? trans.__(
                    'Run `%1` and what it needs: %2',
                    model.selectedStep,
                    forecastSentence(trans, forecast(pipeline, model.selectedStep!))
                  )
                : trans.__('Select a step first')
            }
            onClick={() => execute(CommandIDs.runToStep)}
          >
            {trans.__('Run to here')}
          </button>
          <button
            className="jp-Pipelines-button"
            disabled={!model.isRunning}
            title={trans.__('End the run; finished steps are kept')}
            onClick={() => execute(CommandIDs.cancel)}
          >
            <stopIcon.react tag="span" />
            <span className="jp-Pipelines-wideOnly">{trans.__('Cancel')}</span>
          </button>
          <SampleSwitch pipeline={pipeline} />
        </div>
      ) : null}
    </header>
  );
}

/** The state of the whole in one line; before a run, what it would do. */
function Summary(props: { pipeline: Pipeline; model: PipelineModel }): React.ReactElement | null {
  const { pipeline, model } = props;
  const trans = useTrans();
  const { steps } = pipeline;
  if (model.isRunning) {
    return <Progress pipeline={pipeline} run={model.activeRun} />;
  }
  if (steps.length === 0) {
    return null;
  }
  const failed = steps.filter(step => stepState(model, step) === 'failed').length;
  const expected = forecast(pipeline);
  const sentence = forecastSentence(trans, expected);
  const parts = failed > 0 ? [trans.__('Failed: %1', failed)] : [];
  parts.push(expected.possible > 0 ? trans.__('To run: %1', sentence) : sentence);
  return <span>{parts.join(' · ')}</span>;
}

/** How far the run is, and how long it takes, beside how long it was expected to. */
function Progress(props: { pipeline: Pipeline; run: Run | null }): React.ReactElement {
  const { pipeline, run } = props;
  const trans = useTrans();
  const now = useNow(run !== null);
  if (!run) {
    return <State state="queued" />;
  }
  const done = run.steps.filter(step => !['queued', 'running'].includes(step.status)).length;
  const elapsed = formatWholeSeconds(
    Math.max(0, Math.floor((now - Date.parse(run.created_at)) / 1000))
  );
  const expected = pipeline.expected_duration_seconds;
  return (
    <>
      <State state={run.status} isBrief />
      <span>{trans._n('%2 of %1 step', '%2 of %1 steps', run.steps.length, done)}</span>
      <span aria-live="off">
        {expected
          ? trans.__('%1 of ~%2', elapsed, formatWholeSeconds(Math.max(1, expected)))
          : elapsed}
      </span>
      <progress
        className="jp-Pipelines-runProgress"
        max={Math.max(1, run.steps.length)}
        value={done}
        aria-label={trans.__('Steps done')}
      />
    </>
  );
}

/** A quick run on less data, where the notebook has a parameter for that. */
function SampleSwitch({ pipeline }: { pipeline: Pipeline }): React.ReactElement | null {
  const trans = useTrans();
  const { model } = useNotebook();
  const parameter = sampleParameter(pipeline.parameters);
  return parameter ? (
    <label className="jp-Pipelines-switch" title={trans.__('Run with `%1 = True`', parameter.name)}>
      <input
        type="checkbox"
        checked={model.overrides[parameter.name] === 'true'}
        onChange={event => model.override(parameter.name, event.target.checked ? 'true' : null)}
      />
      {parameter.name}
    </label>
  ) : null;
}

function SelectedRun(): React.ReactElement | null {
  const trans = useTrans();
  const { model } = useNotebook();
  const run = model.selectedRun;
  if (!run) {
    return null;
  }
  const parameters = Object.entries(run.parameters).map(
    ([name, value]) => `${name} = ${JSON.stringify(value)}`
  );
  return (
    <Message kind="info" onDismiss={() => void model.selectRun(null)}>
      <p>
        {trans.__('The steps below are those of a past run:')} <State state={run.status} />
      </p>
      {parameters.length > 0 ? <p className="jp-Pipelines-note">{parameters.join(', ')}</p> : null}
      {run.error ? (
        <p>
          <Words text={run.error.message} />
        </p>
      ) : null}
      <button className="jp-Pipelines-link" onClick={() => void model.selectRun(null)}>
        {trans.__('Back to now')}
      </button>
    </Message>
  );
}

/** The newest run has failed: what failed, and the way on from there. */
function FailedRun(): React.ReactElement | null {
  const trans = useTrans();
  const actions = useActions();
  const { model } = useNotebook();
  const run = model.selectedRun ? null : model.failedRun;
  const failed = run?.steps.filter(step => step.status === 'failed') ?? [];
  if (run?.status === 'interrupted') {
    return <InterruptedRun run={run} />;
  }
  if (failed.length === 0) {
    return null;
  }
  return (
    <Message kind="error">
      <p>
        <Words
          text={trans._n(
            'Step %2 failed in the last run.',
            '%1 steps failed in the last run: %2.',
            failed.length,
            failed.map(step => `\`${step.name}\``).join(', ')
          )}
        />
      </p>
      <div className="jp-Pipelines-buttons">
        <button
          className="jp-Pipelines-smallButton"
          title={trans.__('Run what did not come to its end, with the notebook as it is now')}
          onClick={() => void actions.commands.execute(CommandIDs.retry)}
        >
          {trans.__('Retry from %1', failed[0].name)}
        </button>
        <button
          className="jp-Pipelines-smallButton"
          onClick={() => model.selectStep(failed[0].name)}
        >
          {trans.__('Show the error')}
        </button>
      </div>
    </Message>
  );
}

/** The process of the newest run is gone: it was killed, or the machine went down. */
function InterruptedRun({ run }: { run: Run }): React.ReactElement {
  const trans = useTrans();
  const actions = useActions();
  const done = run.steps.filter(
    ({ status }) => status === 'succeeded' || status === 'reused'
  ).length;
  return (
    <Message kind="warning">
      <p>
        {trans.__(
          'The last run was interrupted: its process is gone. What %1 of %2 steps left is kept.',
          done,
          run.steps.length
        )}
      </p>
      <div className="jp-Pipelines-buttons">
        <button
          className="jp-Pipelines-smallButton"
          title={trans.__('Run what did not come to its end, with the notebook as it is now')}
          onClick={() => void actions.commands.execute(CommandIDs.retry)}
        >
          {trans.__('Go on')}
        </button>
      </div>
    </Message>
  );
}

function Warnings({ pipeline }: { pipeline: Pipeline }): React.ReactElement | null {
  if (pipeline.warnings.length === 0) {
    return null;
  }
  return (
    <div className="jp-Pipelines-messages">
      {pipeline.warnings.map((warning, index) => (
        <Message kind="warning" key={index}>
          <p>
            <Words text={warning.message} />
          </p>
          {typeof warning.cell_index === 'number' ? <CellLink index={warning.cell_index} /> : null}
        </Message>
      ))}
    </div>
  );
}

function NoNotebook(): React.ReactElement {
  const trans = useTrans();
  return (
    <Empty title={trans.__('No notebook in front')}>
      <p>
        {trans.__(
          'Open a notebook: its steps, what a run would do and why, and its past runs appear here.'
        )}
      </p>
    </Empty>
  );
}

function Untagged(): React.ReactElement {
  const trans = useTrans();
  const actions = useActions();
  const notebook = useNotebook();
  return (
    <Empty title={trans.__('This notebook has no steps yet')}>
      <p>
        {trans.__(
          'Make the cell that begins a stage of your work a step, for instance "load", "clean" or "train". Cells below it belong to it until the next step; what stands above the first step, such as imports, holds for all.'
        )}
      </p>
      <button
        className="jp-Pipelines-button jp-mod-primary"
        onClick={() => actions.makeStep(notebook)}
      >
        {trans.__('Make the selected cell a step')}
      </button>
      <Proposal />
    </Empty>
  );
}

/** Steps that the data flow and the headings of the notebook propose. */
function Proposal(): React.ReactElement {
  const trans = useTrans();
  const { model, panel } = useNotebook();
  const [proposed, setProposed] = React.useState<Suggestion | null>(null);
  if (!proposed) {
    return (
      <button
        className="jp-Pipelines-button"
        onClick={() => void model.suggest().then(setProposed)}
      >
        {trans.__('Propose steps')}
      </button>
    );
  }
  return (
    <>
      <ol className="jp-Pipelines-proposal">
        {proposed.steps.map(step => (
          <li key={step.name}>
            <strong>{step.name}</strong>{' '}
            <span className="jp-Pipelines-note">
              {trans._n('%1 cell', '%1 cells', step.cells.length)}
            </span>
          </li>
        ))}
      </ol>
      <div className="jp-Pipelines-buttons">
        <button
          className="jp-Pipelines-button jp-mod-primary"
          title={trans.__('Tag the cells; can be undone')}
          onClick={() => tagCells(panel.context.model, proposed.tags)}
        >
          {trans.__('Use these steps')}
        </button>
        <button className="jp-Pipelines-button" onClick={() => setProposed(null)}>
          {trans.__('Dismiss')}
        </button>
      </div>
    </>
  );
}

/** Nothing is known of the notebook yet. */
function NoPipeline(): React.ReactElement {
  const trans = useTrans();
  const { model } = useNotebook();
  if (model.noPipelineReason === 'loading') {
    return (
      <>
        <header className="jp-Pipelines-header">
          <div className="jp-Pipelines-heading">
            <h2 title={model.path}>{PathExt.basename(model.path, '.ipynb')}</h2>
          </div>
        </header>
        <p className="jp-Pipelines-loading" role="status">
          {trans.__('Reading the notebook…')}
        </p>
      </>
    );
  }
  return (
    <div className="jp-Pipelines-messages">
      <Unavailable />
    </div>
  );
}

function Unavailable(): React.ReactElement | null {
  const trans = useTrans();
  const { model } = useNotebook();
  if (model.noPipelineReason === 'loading') {
    return null;
  }
  return (
    <Message kind={model.noPipelineReason === 'error' ? 'error' : 'warning'}>
      <p>{unavailableSentence()}</p>
      <button className="jp-Pipelines-link" onClick={() => void model.refresh()}>
        {trans.__('Retry')}
      </button>
    </Message>
  );

  function unavailableSentence(): string {
    switch (model.noPipelineReason) {
      case 'unreachable':
        return trans.__('The server does not answer. Runs go on without it.');
      case 'no-extension':
        return trans.__(
          'The server extension of pipelines-as-experiments is not enabled: see `jupyter server extension list`.'
        );
      default:
        return trans.__('The server could not read this notebook as a pipeline.');
    }
  }
}

function Empty(props: { title: string; children: React.ReactNode }): React.ReactElement {
  return (
    <div className="jp-Pipelines-empty">
      <pipelineIcon.react className="jp-Pipelines-emptyIcon" tag="div" />
      <h2>{props.title}</h2>
      {props.children}
    </div>
  );
}
