/** What a step used beyond the variables: files, packages, the environment; asked for when it is opened. */
import * as React from 'react';

import { useFetched } from '../../components/fetched';
import { useNotebook, useTrans } from '../../components/context';

export function StepFactsView(props: { step: string; runId: string }): React.ReactElement {
  const { step, runId } = props;
  const trans = useTrans();
  const { model } = useNotebook();
  const [isOpen, setOpen] = React.useState(false);
  const { value, error } = useFetched(isOpen ? `${runId} ${step}` : '', () =>
    model.client.stepFacts(model.path, runId, step)
  );
  return (
    <details className="jp-Pipelines-part" onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{trans.__('Files and environment')}</summary>
      {error ? <p className="jp-Pipelines-wrong">{error}</p> : null}
      {value ? (
        <dl className="jp-Pipelines-factList">
          <Fact
            name={trans.__('Executed in')}
            values={value.executed_in ? [value.executed_in] : []}
          />
          <Fact name={trans.__('Files read')} values={value.files_read} />
          <Fact name={trans.__('Files written')} values={value.files_written} />
          <Fact name={trans.__('Folders listed')} values={value.folders} />
          <Fact
            name={trans.__('Parameters')}
            values={Object.entries(value.parameters).map(
              ([name, said]) => `${name} = ${JSON.stringify(said)}`
            )}
          />
          <Fact
            name={trans.__('Packages')}
            values={Object.entries(value.packages).map(([name, version]) => `${name} ${version}`)}
          />
          <Fact name={trans.__('Environment variables')} values={value.variables} />
          <Fact name={trans.__('Environment')} values={Object.values(value.environment)} />
        </dl>
      ) : null}
    </details>
  );
}

function Fact(props: { name: string; values: readonly string[] }): React.ReactElement | null {
  return props.values.length > 0 ? (
    <div>
      <dt>{props.name}</dt>
      {props.values.map(value => (
        <dd key={value}>{value}</dd>
      ))}
    </div>
  ) : null;
}
