/** The parameters of the notebook, and values to run it with instead. */
import { undoIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useNotebook, useTrans } from '../../components/context';
import { Section } from '../../components/section';
import { writeValue } from '../../parameters';
import type { Parameter } from '../../tokens';

export function ParametersPanel({
  parameters
}: {
  parameters: Parameter[];
}): React.ReactElement | null {
  const trans = useTrans();
  const { model } = useNotebook();
  if (parameters.length === 0) {
    return null;
  }
  const changed = parameters.filter(({ name }) => name in model.overrides).length;
  return (
    <Section
      title={trans.__('Parameters')}
      note={changed > 0 ? trans.__('%1 changed', changed) : undefined}
      isOpenAtFirst={parameters.length <= 4}
    >
      <div className="jp-Pipelines-parameters">
        {parameters.map(parameter => (
          <ParameterInput key={parameter.name} parameter={parameter} />
        ))}
      </div>
    </Section>
  );
}

function ParameterInput({ parameter }: { parameter: Parameter }): React.ReactElement {
  const trans = useTrans();
  const { model } = useNotebook();
  const id = React.useId();
  const { name, comment } = parameter;
  const override = model.overrides[name];
  const isChanged = override !== undefined;
  const isWrong = model.parsedOverrides.wrong.includes(name);
  const standard = writeValue(parameter);
  const change = (text: string): void => model.override(name, text === standard ? null : text);

  return (
    <div className="jp-Pipelines-parameter" data-changed={isChanged || undefined}>
      <label htmlFor={id} title={comment || undefined}>
        <code>{name}</code>
      </label>
      {parameter.type === 'bool' ? (
        <select id={id} value={override ?? standard} onChange={event => change(event.target.value)}>
          <option value="true">{trans.__('true')}</option>
          <option value="false">{trans.__('false')}</option>
        </select>
      ) : (
        <input
          id={id}
          type="text"
          spellCheck={false}
          autoComplete="off"
          value={override ?? standard}
          aria-invalid={isWrong}
          aria-describedby={isWrong ? `${id}-wrong` : undefined}
          onChange={event => change(event.target.value)}
        />
      )}
      <button
        className="jp-Pipelines-iconButton"
        disabled={!isChanged}
        title={trans.__('Back to the default, %1', standard)}
        aria-label={trans.__('%1: back to the default', name)}
        onClick={() => model.override(name, null)}
      >
        <undoIcon.react tag="span" />
      </button>
      {isWrong ? (
        <p id={`${id}-wrong`} className="jp-Pipelines-wrong">
          {expectation(trans, parameter.type)}
        </p>
      ) : null}
    </div>
  );
}

function expectation(trans: TranslationBundle, type: Parameter['type']): string {
  switch (type) {
    case 'int':
      return trans.__('A whole number is needed, such as 10.');
    case 'float':
      return trans.__('A number is needed, such as 0.1.');
    case 'list':
      return trans.__('A list in JSON is needed, such as [1, 2].');
    case 'dict':
      return trans.__('An object in JSON is needed, such as {"a": 1}.');
    default:
      return trans.__('This value cannot be read.');
  }
}
