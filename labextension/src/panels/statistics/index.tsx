/** What the panel shows of the data of a run. */
import * as React from 'react';

import { useActions, useNotebook, useTrans } from '../../components/context';
import { Section } from '../../components/section';
import { CommandIDs, type Anomaly } from '../../tokens';
import { Anomalies } from './anomalies';

export { Anomalies } from './anomalies';

const TableView = React.lazy(() => import('./table'));

/** So many of a step's anomalies are told at once. */
const FEW_ANOMALIES = 3;

interface StatisticsViewProps {
  /** As `step.name`. */
  table: string;
  runId: string;
  /** What was found in it so far. */
  findings: number;
}

/** The statistics of a table that a step has left. */
export function StatisticsView(props: StatisticsViewProps): React.ReactElement {
  const { table, runId, findings } = props;
  const trans = useTrans();
  const actions = useActions();
  const notebook = useNotebook();
  const { client, path } = notebook.model;
  return (
    <React.Suspense fallback={<p className="jp-Pipelines-small">{trans.__('Loading…')}</p>}>
      <TableView
        key={`${runId} ${table}`}
        client={client}
        path={path}
        runId={runId}
        table={table}
        findings={findings}
        revealCell={index => actions.revealCell(notebook, index)}
        openFile={null}
      />
    </React.Suspense>
  );
}

/** Opens the data of a run in the main area, at a table and one of its columns. */
export function useOpenData(): (runId: string, table?: string, column?: string | null) => void {
  const actions = useActions();
  const { model } = useNotebook();
  return (runId, table, column) =>
    void actions.commands.execute(CommandIDs.openData, {
      path: model.path,
      runId,
      table: table ?? null,
      column: column ?? null
    });
}

/** The anomalies of a step's tables, with the way to the data of each. */
export function StepAnomalies(props: {
  step: string;
  runId: string | null;
  anomalies: readonly Anomaly[];
}): React.ReactElement | null {
  const { step, runId, anomalies } = props;
  const open = useOpenData();
  return (
    <Anomalies
      anomalies={anomalies}
      most={FEW_ANOMALIES}
      onShow={
        runId
          ? anomaly => open(runId, `${step}.${anomaly.output ?? ''}`, anomaly.feature)
          : undefined
      }
    />
  );
}

/** The anomalies of the run that is shown, else of the last runs of the steps; nothing where there are none. */
export function AnomaliesPanel(): React.ReactElement | null {
  const trans = useTrans();
  const actions = useActions();
  const notebook = useNotebook();
  const open = useOpenData();
  const { model } = notebook;
  const found = (model.drawn?.steps ?? []).flatMap(({ name }) => {
    const stepRun = model.lastStepRun(name);
    const runId = runOf(name);
    return stepRun && runId
      ? (stepRun.anomalies ?? []).map(anomaly => ({ ...anomaly, step: name, runId }))
      : [];
  });
  if (found.length === 0) {
    return null;
  }
  return (
    <Section title={trans.__('Anomalies')} note={String(found.length)} isOpenAtFirst={false}>
      <div className="jp-Pipelines-anomaliesBody">
        <Anomalies
          anomalies={found}
          onShow={anomaly => {
            const { step, runId, output, feature } = anomaly as (typeof found)[number];
            actions.revealStep(notebook, step);
            open(runId, `${step}.${output ?? ''}`, feature);
          }}
        />
        <button className="jp-Pipelines-smallButton" onClick={() => open(found[0].runId)}>
          {trans.__('Open as table')}
        </button>
      </div>
    </Section>
  );

  function runOf(step: string): string | null {
    return model.stepRun(step)
      ? (model.shownRun?.run_id ?? null)
      : (model.step(step)?.last?.run_id ?? null);
  }
}
