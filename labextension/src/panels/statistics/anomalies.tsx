/** What is odd in tables, a line for each. */
import * as React from 'react';

import { useTrans } from '../../components/context';
import { Words } from '../../components/words';
import type { Anomaly } from '../../tokens';
import { gravestFirst, kindWords, severityWord, type Verdict } from './rows';
import { SeverityIcon } from './severity';

interface AnomaliesProps {
  anomalies: readonly Anomaly[];
  /** Show the data of one; without it the lines are words alone. */
  onShow?: (anomaly: Anomaly) => void;
  /** So many are told, the others when asked for. */
  most?: number;
}

export function Anomalies(props: AnomaliesProps): React.ReactElement | null {
  const { anomalies, onShow, most = Infinity } = props;
  const trans = useTrans();
  const [areAllShown, showAll] = React.useState(false);
  if (anomalies.length === 0) {
    return null;
  }
  const left = areAllShown ? 0 : anomalies.length - most;
  const shown = gravestFirst(anomalies).slice(0, areAllShown ? undefined : most);
  return (
    <ul className="jp-Pipelines-anomalies" aria-label={trans.__('Anomalies')}>
      {shown.map((anomaly, at) => (
        <li key={at} data-severity={anomaly.severity}>
          <div>
            <Chip
              verdict={{
                severity: anomaly.severity,
                words: kindWords(anomaly.kind),
                sentence: anomaly.description
              }}
            />{' '}
            {anomaly.output ? (
              onShow ? (
                <button
                  className="jp-Pipelines-link"
                  title={trans.__('Show the data')}
                  onClick={() => onShow(anomaly)}
                >
                  <code>{nameOf(anomaly)}</code>
                </button>
              ) : (
                <code>{nameOf(anomaly)}</code>
              )
            ) : null}
          </div>
          <p>
            <Words text={anomaly.description} />
          </p>
        </li>
      ))}
      {left > 0 ? (
        <li>
          <button className="jp-Pipelines-link" onClick={() => showAll(true)}>
            {trans._n('%1 more', '%1 more', left)}
          </button>
        </li>
      ) : null}
    </ul>
  );
}

function nameOf({ output, feature }: Anomaly): string {
  return feature === null ? (output ?? '') : `${output}.${feature}`;
}

/** A verdict in a few words, with a sign of its severity that is no colour. */
export function Chip({ verdict }: { verdict: Verdict }): React.ReactElement {
  const trans = useTrans();
  const { severity, words, sentence } = verdict;
  return (
    <span className="jp-Pipelines-chip" data-severity={severity} title={sentence}>
      <SeverityIcon severity={severity} />
      <span className="jp-Pipelines-hidden">{`${severityWord(trans, severity)}: `}</span>
      <span className="jp-Pipelines-chipWords">{words}</span>
    </span>
  );
}
